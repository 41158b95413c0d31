"""Port 25 of a started daemon against strangers: swaks, raw sockets, openssl."""

from __future__ import annotations

import re
import socket
import sqlite3
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.clients.daemon import PASSWORD, Daemon
from tests.clients.hostile import IMAP, SMTP, answer_time, bounded_memory
from tests.clients.programs import require, run

MB = 1_000_000
HEADER = b"From: x@elsewhere.example\r\nSubject: x\r\n"

OPEN_RELAY = (
    "user%elsewhere.example@example.com",
    '"user@elsewhere.example"@example.com',
    "@example.com:user@elsewhere.example",
    "elsewhere.example!user@example.com",
    "elsewhere.example!user",
    "user@elsewhere.example",
    "user@elsewhere.example@example.com",
    "user@example.com@elsewhere.example",
    "user@[192.0.2.1]",
    "user@[127.0.0.1]",
    "user@localhost",
    "user@",
    "user",
    "",
)


@pytest.fixture(scope="module", autouse=True)
def clean_log(daemon: Daemon) -> Iterator[None]:
    """Nothing of all this is an error of ours."""
    yield
    assert "Traceback" not in daemon.log
    assert PASSWORD not in daemon.log


def stranger(daemon: Daemon) -> SMTP:
    client = SMTP(daemon, "smtp", name=None, secure=False)
    client.ask(b"EHLO mx.elsewhere.example")
    return client


def swaks(daemon: Daemon, service: str, sender: str, recipient: str, *options: str) -> tuple[str, str]:
    """What swaks' RCPT was told, and everything it saw."""
    finished = run(
        *(require("swaks"), "--server", "127.0.0.1", "--port", str(daemon.ports[service])),
        *("--ehlo", "mx.elsewhere.example", "--from", sender, "--to", recipient, "--quit-after", "RCPT", *options),
        status=None,
    )
    text = finished.stdout.decode("utf-8", "replace")
    answers = text.partition("RCPT TO")[2]
    found = re.search(r"^<[-~*]+ +(\d{3} [\d.]+)", answers, re.MULTILINE)
    return (found[1] if found else ""), text


@pytest.mark.parametrize("sender", ["<>", "outside@elsewhere.example", "alice@example.com", "postmaster@example.com"])
@pytest.mark.parametrize("recipient", OPEN_RELAY, ids=repr)
def test_strangers_do_not_relay_on_25(daemon: Daemon, sender: str, recipient: str) -> None:
    if not recipient:
        with stranger(daemon) as client:
            client.ask(b"MAIL FROM:<>")
            assert client.ask(b"RCPT TO:<>").startswith(b"501 5.1.3")
        return
    answer, text = swaks(daemon, "smtp", sender, recipient)
    assert answer[:3] in ("550", "554", "501"), text
    assert answer[4:] in ("5.7.1", "5.1.1", "5.1.3"), text


@pytest.mark.parametrize("recipient", OPEN_RELAY[:6], ids=repr)
def test_strangers_do_not_even_begin_on_587(daemon: Daemon, recipient: str) -> None:
    _, text = swaks(daemon, "submission", "alice@example.com", recipient, "--tls")
    assert re.search(r"530 5\.7\.0", text), text


def test_the_bare_postmaster_is_ours(daemon: Daemon) -> None:
    """RFC 5321 §4.5.1: this host's own, which the demonstration has no account for."""
    with stranger(daemon) as client:
        client.ask(b"MAIL FROM:<>")
        assert client.ask(b"RCPT TO:<postmaster>").startswith(b"550 5.1.1")
        daemon.trekctl("account", "add", "postmaster@example.com", "--password-stdin", input=PASSWORD)
        assert client.ask(b"RCPT TO:<PostMaster>").startswith(b"250")
        assert client.ask(b"RCPT TO:<abuse@example.com>").startswith(b"250")


@pytest.mark.parametrize(
    "line",
    [
        b"XCLIENT ADDR=127.0.0.1 LOGIN=alice@example.com",
        b"XFORWARD ADDR=127.0.0.1",
        b"PROXY TCP4 127.0.0.1 127.0.0.1 1 25",
        b"\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c\x7f\0\0\1\x7f\0\0\1\0\1\0\x19",
        b"AUTH PLAIN AAAA",
        b"AUTH LOGIN",
        b"EXPN team",
        b"TURN",
        b"ETRN example.com",
        b"EHLO a\nReceived: forged",
        b"EHLO a\0b",
        b"HELO",
        b"MAIL FROM:<a@b.example>\nRCPT TO:<bob@example.com>",
        b"MAIL FROM:<a@b.example> ENVID=+0D+0A",
        b"MAIL FROM:<a@b.example> AUTH=+0Ax@y.example",
    ],
    ids=repr,
)
def test_strangers_are_nobody(daemon: Daemon, line: bytes) -> None:
    with stranger(daemon) as client:
        assert client.ask(line)[:1] == b"5"
        assert client.ask(b"MAIL FROM:<a@b.example>")[:3] in (b"250", b"500")


def test_mail_from_outside_arrives_and_its_forgeries_do_not(daemon: Daemon) -> None:
    forged = (
        b"Return-Path: <forged@elsewhere.example>\r\n"
        b"Authentication-Results: mail.example.com;\r\n dmarc=pass header.from=elsewhere.example\r\n"
    )
    swaks_data = forged + HEADER + b"\r\nbare\nline feeds\n"
    with stranger(daemon) as client:
        client.ask(b"MAIL FROM:<x@elsewhere.example> SIZE=200")
        assert client.ask(b"RCPT TO:<bob+list@example.com>").startswith(b"250 2.1.5")
        assert client.ask(b"DATA").startswith(b"354")
        assert client.ask(swaks_data + b"\r\n.").startswith(b"250 2.0.0")
    with IMAP(daemon, "bob") as bob:
        bob.ask(b"s SELECT INBOX")
        lines = b"\r\n".join(bob.ask(b"f FETCH * BODY.PEEK[]"))
    assert b"\r\nReturn-Path: <x@elsewhere.example>\r\n" in lines and b"forged" not in lines
    assert b"dmarc=pass" not in lines and lines.count(b"header.from=elsewhere.example") == 1
    assert b"\r\nReceived: from mx.elsewhere.example ([127.0.0.1])\r\n\tby mail.example.com with ESMTP id " in lines
    assert b"bare\r\nline feeds\r\n" in lines


@pytest.mark.parametrize("service", ["smtp", "submission"])
def test_octets_behind_starttls_are_dropped(daemon: Daemon, service: str) -> None:
    """RFC 3207 §4.2: command injection; and what was said before is forgotten."""
    with SMTP(daemon, service, name=None, secure=False) as plain:
        assert b"STARTTLS" in plain.ask(b"EHLO client.example")
        plain.send(b"STARTTLS\r\nEHLO injected\r\nMAIL FROM:<x@y.example>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n")
        assert plain.reply().startswith(b"220 ")
        plain.start_tls()
        assert plain.ask(b"RCPT TO:<bob@example.com>")[:3] in (b"503", b"530")
        assert b"STARTTLS" not in plain.ask(b"EHLO client.example")
        assert plain.ask(b"STARTTLS").startswith(b"503")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("service", ["smtp", "submission", "submissions", "imaps", "imap", "https"])
def test_tls_is_of_today(daemon: Daemon, service: str) -> None:
    """TLS 1.2 and 1.3 with forward secrecy, no compression; what is older is not spoken (RFC 8996)."""
    for version, works in (
        (ssl.TLSVersion.TLSv1, False),
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ):
        assert (handshake(daemon, service, version, "ALL:@SECLEVEL=0") is not None) is works, version
    for ciphers in ("kRSA:@SECLEVEL=0", "aNULL:@SECLEVEL=0", "eNULL:@SECLEVEL=0", "RC4:3DES:@SECLEVEL=0"):
        try:
            assert handshake(daemon, service, ssl.TLSVersion.TLSv1_2, ciphers) is None, ciphers
        except ssl.SSLError:
            pass  # this OpenSSL has no such ciphers at all


def handshake(daemon: Daemon, service: str, version: ssl.TLSVersion, ciphers: str) -> str | None:
    """The cipher of a connection, C{None} when the server wants none."""
    context = ssl.create_default_context(cafile=daemon.certificate)
    context.minimum_version = context.maximum_version = version
    context.set_ciphers(ciphers)
    with socket.create_connection(("127.0.0.1", daemon.ports[service]), 10) as plain:
        if service == "imap":
            plain.recv(4096)
            plain.sendall(b"s STARTTLS\r\n")
            assert plain.recv(4096).startswith(b"s OK")
        elif service in ("smtp", "submission"):
            plain.recv(4096)
            plain.sendall(b"EHLO x\r\n")
            plain.recv(4096)
            plain.sendall(b"STARTTLS\r\n")
            assert plain.recv(4096).startswith(b"220")
        try:
            with context.wrap_socket(plain, server_hostname="localhost") as secure:
                assert secure.compression() is None
                cipher = secure.cipher()
                assert cipher is not None and (cipher[0].startswith(("ECDHE", "DHE", "TLS_")))
                return cipher[0]
        except (ssl.SSLError, ConnectionError):
            return None


def test_loops_end(daemon: Daemon) -> None:
    """RFC 5321 §6.3: too many hops, or delivered here before."""
    with stranger(daemon) as client:
        for header, answer in (
            (HEADER + b"Received: from a by b; now\r\n" * 101, b"554 5.4.6"),
            (HEADER + b"Received: from a by b; now\r\n" * 40, b"250"),
            (HEADER + b"Delivered-To: bob@example.com\r\n", b"554 5.4.6"),
            (HEADER + b"Delivered-To: carol@example.com\r\n", b"250"),
        ):
            client.ask(b"MAIL FROM:<x@elsewhere.example>")
            client.ask(b"RCPT TO:<bob@example.com>")
            client.ask(b"DATA")
            assert client.ask(header + b"\r\nx\r\n.").startswith(answer)


def test_no_notice_is_sent_for_what_came_from_outside(daemon: Daemon) -> None:
    """All is said before 250: what is refused leaves nothing in the queue."""
    with stranger(daemon) as client:
        client.ask(b"MAIL FROM:<victim@elsewhere.example>")
        assert client.ask(b"RCPT TO:<nobody@example.com>").startswith(b"550")
        client.ask(b"RCPT TO:<bob@example.com>")
        client.ask(b"DATA")
        assert client.ask(HEADER + b"Delivered-To: bob@example.com\r\n\r\nx\r\n.").startswith(b"554")
    with closing(sqlite3.connect(daemon.directory / "data" / "queue" / "queue.sqlite")) as queue:
        assert queue.execute("SELECT count(*) FROM message").fetchone() == (0,)


def test_one_address_gets_so_many_connections(tmp_path: Path) -> None:
    """Connections of other servers are counted apart: people still get in."""
    daemon = Daemon(tmp_path)
    text = daemon.config.read_text()
    daemon.config.write_text(text.replace("smtp_per_ip = 200", "smtp_per_ip = 5"))
    daemon.add_accounts({"alice@example.com": "pro"})
    with closing(daemon), ExitStack() as open_ones:
        daemon.start()
        for _ in range(5):
            assert open_ones.enter_context(SMTP(daemon, "smtp", name=None, secure=False)).greeting.startswith(b"220")
        for _ in range(20):
            with SMTP(daemon, "smtp", name=None, secure=False) as refused:
                assert refused.greeting.startswith(b"421 4.7.0")
                assert refused.is_closed
        with SMTP(daemon) as client:
            assert client.works()
        assert daemon.log.count("5 connections of this address") == 1


def test_too_much_costs_little(daemon: Daemon) -> None:
    """Ten thousand recipients, an endless line, a header of megabytes, a client that does not read."""
    with SMTP(daemon, name="carol") as neighbour, bounded_memory(daemon, 30 * MB):
        with stranger(daemon) as client:
            client.ask(b"MAIL FROM:<x@elsewhere.example>")
            client.send(b"RCPT TO:<bob@example.com>\r\n" * 10_000)
            replies = []
            while reply := client.reply():
                replies.append(reply[:3])
            assert replies.count(b"250") == 100 and replies[-1] == b"421"
        with stranger(daemon) as client:
            client.send(b"x" * 5 * MB)
            assert client.reply().startswith(b"500")
            assert client.is_closed
        with stranger(daemon) as client:
            client.begin(sender=b"x@elsewhere.example")
            client.ask(b"DATA")
            assert client.ask(HEADER + b"X: y\r\n" * 500_000 + b"\r\nx\r\n.").startswith(b"550 5.6.0")
        with stranger(daemon) as deaf:
            deaf.socket.settimeout(0.2)
            try:
                deaf.socket.sendall(b"HELP\r\n" * 200_000)
            except OSError:
                pass
            assert answer_time(neighbour) < 2.0
