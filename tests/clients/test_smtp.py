"""swaks and smtplib: submission on 465 and 587, LMTP, byte for byte; and what must not get in."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.policy import SMTP

import pytest

from tests.clients.daemon import PASSWORD, Daemon
from tests.clients.programs import require, run
from tests.clients.test_imaplib import log_in

BODY = "Hello\r\n.leading dot\r\n..two\r\n\tçédille €\r\n" + "x" * 900 + "\r\n"


def newest(daemon: Daemon, name: str) -> bytes:
    with log_in(daemon, name) as client:
        client.select("INBOX", readonly=True)
        octets = client.fetch("*", "(BODY.PEEK[])")[1][0][1]
    assert isinstance(octets, bytes)
    return octets


@pytest.mark.parametrize("service", ["submissions", "submission"])
def test_swaks_submits_and_the_message_arrives_while_its_reader_idles(daemon: Daemon, service: str) -> None:
    swaks = require("swaks")
    with log_in(daemon, "bob") as reader:
        reader.select("INBOX")
        reader.send(b"i IDLE\r\n")
        reader.readline()
        sent = f"From: alice@example.com\r\nTo: bob@example.com\r\nSubject: {service}\r\n\r\n{BODY}"
        run(
            *(swaks, "--server", "127.0.0.1", "--port", str(daemon.ports[service])),
            "--tls-on-connect" if service == "submissions" else "--tls",
            *("--auth", "PLAIN", "--auth-user", "alice@example.com", "--auth-password", PASSWORD),
            *("--from", "alice@example.com", "--to", "bob@example.com", "--data", "-"),
            input=sent.encode(),
        )
        line = reader.readline()
        while b"EXISTS" not in line:
            line = reader.readline()
        reader.send(b"DONE\r\n")
        while not reader.readline().startswith(b"i OK"):
            pass
    received = newest(daemon, "bob")
    # swaks ends whatever it is given with one more CRLF.
    assert received.partition(b"\r\n\r\n")[2] == BODY.encode() + b"\r\n"
    header = received.partition(b"\r\n\r\n")[0]
    assert header.startswith(b"Return-Path: <alice@example.com>\r\n")
    assert b"\r\nMessage-ID: <" in header.replace(b"Message-Id", b"Message-ID")
    assert b"\r\nDate: " in header
    assert b"127.0.0.1" not in header


def test_smtplib_sends_to_several_and_bcc_disappears(daemon: Daemon) -> None:
    message = EmailMessage()
    message["From"] = "Alice <alice@example.com>"
    message["To"] = "bob@example.com"
    message["Bcc"] = "carol@example.com"
    message["Subject"] = "Several"
    message.set_content("text\n")
    octets = message.as_bytes(policy=SMTP)
    with smtplib.SMTP_SSL("localhost", daemon.ports["submissions"], context=daemon.client_tls) as client:
        client.login("alice@example.com", PASSWORD)
        assert client.sendmail("alice@example.com", ["bob@example.com", "carol@example.com"], octets) == {}
    for name in ("bob", "carol"):
        received = newest(daemon, name)
        assert b"Subject: Several" in received
        assert b"carol@example.com" not in received.replace(b"Delivered-To: carol@example.com", b"").replace(
            b"for <carol@example.com>", b""
        )


def test_a_sender_of_somebody_else_is_refused(daemon: Daemon) -> None:
    with smtplib.SMTP_SSL("localhost", daemon.ports["submissions"], context=daemon.client_tls) as client:
        client.login("alice@example.com", PASSWORD)
        with pytest.raises(smtplib.SMTPResponseException) as caught:
            client.sendmail("bob@example.com", ["carol@example.com"], b"From: bob@example.com\r\n\r\nx\r\n")
        assert caught.value.smtp_code == 550
        with pytest.raises(smtplib.SMTPResponseException) as caught:
            client.sendmail("alice@example.com", ["carol@example.com"], b"From: bob@example.com\r\n\r\nx\r\n")
        assert caught.value.smtp_code == 550
        assert b"5.7.1" in caught.value.smtp_error


def test_nano_is_told_about_its_own_smtp(daemon: Daemon) -> None:
    """DESIGN §7: outside recipients are refused at RCPT, local ones still work."""
    with smtplib.SMTP_SSL("localhost", daemon.ports["submissions"], context=daemon.client_tls) as client:
        client.login("nano@example.com", PASSWORD)
        refused = client.sendmail(
            "nano@example.com",
            ["bob@example.com", "friend@elsewhere.example"],
            b"From: nano@example.com\r\nSubject: nano\r\n\r\nx\r\n",
        )
    assert list(refused) == ["friend@elsewhere.example"]
    code, text = refused["friend@elsewhere.example"]
    assert code == 550 and b"5.7.1" in text and b"own SMTP" in text
    assert b"Subject: nano" in newest(daemon, "bob")


def test_nobody_relays_without_login(daemon: Daemon) -> None:
    with smtplib.SMTP("localhost", daemon.ports["submission"]) as client:
        client.ehlo()
        assert "auth" not in client.esmtp_features
        assert client.docmd("AUTH PLAIN AGEAYg==")[0] in (530, 538)
        assert client.docmd("MAIL FROM:<alice@example.com>")[0] == 530
        client.starttls(context=daemon.client_tls)
        client.ehlo()
        assert client.docmd("MAIL FROM:<alice@example.com>")[0] == 530


def test_octets_pipelined_behind_starttls_are_dropped(daemon: Daemon) -> None:
    """RFC 3207 §4.2."""
    with socket.create_connection(("localhost", daemon.ports["submission"]), 10) as plain:
        plain.recv(4096)
        plain.sendall(b"EHLO x\r\n")
        plain.recv(4096)
        plain.sendall(b"STARTTLS\r\nNOOP\r\nNOOP\r\n")
        assert plain.recv(4096).startswith(b"220")
        with daemon.client_tls.wrap_socket(plain, server_hostname="localhost") as secure:
            secure.sendall(b"EHLO x\r\n")
            answer = secure.recv(4096)
    assert answer.startswith(b"250-") and answer.count(b"\r\n250 ") == 1


def test_lmtp_delivers_with_one_reply_per_recipient(daemon: Daemon) -> None:
    """RFC 2033 §4.2."""
    finished = run(
        *(require("swaks"), "--protocol", "LMTP", "--socket", daemon.lmtp),
        *("--from", "outside@elsewhere.example", "--to", "bob@example.com,nobody@example.com,carol@example.com"),
        *("--data", "Subject: by LMTP\n\nbody\n"),
        status=None,
    )
    replies = re.findall(rb"^<(?:-|\*\*) +(\d{3})", finished.stdout, re.MULTILINE)
    assert b"550" in replies
    for name in ("bob", "carol"):
        received = newest(daemon, name)
        assert b"Subject: by LMTP" in received
        assert received.startswith(b"Return-Path: <outside@elsewhere.example>\r\n")


def test_a_smuggled_second_message_stays_one(daemon: Daemon) -> None:
    """A bare LF or CR never ends a message, and on submission it is refused."""
    context = ssl.create_default_context(cafile=daemon.certificate)
    with smtplib.SMTP_SSL("localhost", daemon.ports["submissions"], context=context) as client:
        client.login("alice@example.com", PASSWORD)
        client.docmd("MAIL FROM:<alice@example.com>")
        client.docmd("RCPT TO:<bob@example.com>")
        client.docmd("DATA")
        client.send(b"From: alice@example.com\r\n\r\na\n.\nMAIL FROM:<alice@example.com>\r\nRCPT TO:<x@y.z>\r\n.\r\n")
        code, text = client.getreply()
        assert code == 550 and b"5.6.0" in text
        assert client.noop()[0] == 250
