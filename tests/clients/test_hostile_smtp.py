"""
Submission and LMTP against whoever means ill: nothing is smuggled, relayed or forged, what is too much is refused in
sync, and what was answered with 250 is never lost.
"""

from __future__ import annotations

import base64
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.clients.daemon import PASSWORD, Daemon
from tests.clients.hostile import IMAP, SMTP, answer_time, bounded_memory, has_clean_log
from tests.clients.test_hostile_imap import BOMBS
from tests.fakes.vectors import VECTORS

MB = 1_000_000
PROMPT = 2.0
HEADER = b"From: alice@example.com\r\nTo: bob@example.com\r\nSubject: x\r\n"
SERVICES = ("submissions", "submission", "lmtp")


@pytest.fixture(scope="module", autouse=True)
def clean_log(daemon: Daemon) -> Iterator[None]:
    """Nothing of all this is an error of ours, and no password is ever logged."""
    yield
    assert has_clean_log(daemon)


@pytest.fixture
def neighbour(daemon: Daemon) -> Iterator[SMTP]:
    """Somebody else's session, which must not notice."""
    with SMTP(daemon, name="carol") as client:
        yield client
        assert answer_time(client) < PROMPT


def count(daemon: Daemon, name: str) -> int:
    """Messages in an INBOX."""
    with IMAP(daemon, name) as client:
        line = client.ask(b"s STATUS INBOX (MESSAGES)")[0]
    return int(line.rpartition(b" ")[2].rstrip(b")"))


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"", b"500"),
        (b"\n", b"500"),
        (b"NO\0OP", b"500"),
        (b"\xff\xfe", b"500"),
        (b"FROB", b"500"),
        (b"NOOP " + b"x" * 5000, b"500"),
        (b"NOOP " + b"x" * 60_000, b"500"),
        (b"EHLO", b"501"),
        (b"EHLO a\nReceived: forged", b"500"),
        (b"EHLO a\rb", b"500"),
        (b"EHLO " + b"a" * 2000, b"501"),
        (b"LHLO x", b"500"),
        (b"DATA", b"503"),
        (b"RCPT TO:<bob@example.com>", b"503"),
        (b"BDAT 6\r\nRSET", b"503"),
        (b"BDAT -5", b"501"),
        (b"BDAT 99999999999999999999999", b"501"),
        (b"MAIL FROM:<a>", b"501"),
        (b"MAIL FROM:<alice@example.com>\nRCPT TO:<bob@example.com>", b"500"),
        (b"MAIL FROM:<alice@example.com> FOO=bar", b"555"),
        (b"MAIL FROM:<alice@example.com> SIZE=100000000", b"552"),
        (b"MAIL FROM:<alice@example.com> SIZE=x", b"501"),
        (b"MAIL FROM:<alice@example.com> ENVID=+0D+0A", b"501"),
        (b"MAIL FROM:<bob@example.com>", b"550 5.7.1"),
        (b"MAIL FROM:<alice@example.com@elsewhere.example>", b"501"),
        (b"STARTTLS", b"503"),
        (b"AUTH PLAIN AAAA", b"503"),
        (b"AUTH", b"501"),
        (b"EXPN staff", b"502"),
        (b"XCLIENT ADDR=192.0.2.1", b"500"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2", b"500"),
        (b"GET / HTTP/1.1", b"500"),
    ],
    ids=lambda value: value[:24].decode("latin-1") if isinstance(value, bytes) else "",
)
def test_what_is_wrong_is_answered_once(daemon: Daemon, command: bytes, answer: bytes) -> None:
    with SMTP(daemon) as client:
        reply = client.ask(command)
        assert reply.startswith(answer), reply
        assert client.works()


def test_a_line_without_end_ends_the_connection(daemon: Daemon, neighbour: SMTP) -> None:
    with bounded_memory(daemon, 20 * MB), SMTP(daemon, name=None) as client:
        client.send(b"x" * 5 * MB)
        assert client.reply().startswith(b"500")
        assert client.is_closed


@pytest.mark.parametrize("service", SERVICES)
def test_errors_without_end_end_the_connection(daemon: Daemon, service: str) -> None:
    with SMTP(daemon, service) as client:
        client.send(b"FROB\r\n" * 10_000)
        replies = [client.reply() for _ in range(20)]
        assert all(reply.startswith(b"500") for reply in replies)
        assert client.reply().startswith(b"421")
        assert client.is_closed


def test_ten_thousand_commands_in_one_go_end_in_order(daemon: Daemon, neighbour: SMTP) -> None:
    with bounded_memory(daemon, 20 * MB), SMTP(daemon) as client:
        client.send(b"NOOP\r\n" * 10_000)
        replies = []
        while reply := client.reply():
            replies.append(reply[:3])
    assert replies[-1] == b"421" and set(replies[:-1]) == {b"250"} and 1000 <= len(replies) < 2000


# --- Smuggling ---------------------------------------------------------------------------------------



@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("vector", VECTORS, ids=repr)
def test_no_second_message_is_smuggled(daemon: Daemon, service: str, vector: bytes) -> None:
    """What others take for the end of data is none, however it is cut, and nothing behind it is a command."""
    smuggled = b"MAIL FROM:<alice@example.com>\r\nRCPT TO:<carol@example.com>\r\nDATA\r\n" + HEADER + b"\r\nsmuggled"
    with SMTP(daemon, service) as client:
        assert client.deliver(HEADER + b"\r\nfirst" + vector + smuggled).startswith(b"550 5.6.0")
        assert client.works()
        client.begin()
        client.ask(b"DATA")
        for at in range(len(vector)):
            client.send(vector[at : at + 1])
            time.sleep(0.001)
        client.send(smuggled + b"\r\n.\r\n")
        assert client.reply().startswith(b"550 5.6.0")
        assert client.works()
        client.begin()
        octets = HEADER + b"\r\nfirst" + vector + smuggled
        client.send(b"BDAT %d\r\n" % (len(octets) // 2) + octets[: len(octets) // 2])
        first = client.reply()
        if first.startswith(b"250"):
            client.send(b"BDAT %d LAST\r\n" % (len(octets) - len(octets) // 2) + octets[len(octets) // 2 :])
            assert client.reply().startswith(b"550 5.6.0")
        else:
            assert first.startswith(b"550 5.6.0")
        assert client.works()
    with IMAP(daemon, "carol") as carol:
        carol.ask(b"s SELECT INBOX")
        assert carol.ask(b"f SEARCH TEXT smuggled")[0].strip() == b"* SEARCH"


@pytest.mark.parametrize("service", ["submissions", "lmtp"])
def test_dots_pass(daemon: Daemon, service: str) -> None:
    """A dot that was stuffed comes back alone, wherever it stands; a chunk is not unstuffed."""
    body = b".\r\n..\r\n.x\r\nend\r\n"
    with SMTP(daemon, service) as client, IMAP(daemon, "bob") as bob:
        stuffed = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in body.split(b"\r\n"))
        assert client.deliver(HEADER + b"\r\n" + stuffed.removesuffix(b"\r\n")).startswith(b"250")
        client.begin()
        octets = HEADER + b"\r\n" + body
        client.send(b"BDAT %d LAST\r\n" % len(octets) + octets)
        assert client.reply().startswith(b"250")
        bob.ask(b"s SELECT INBOX")
        for seq in (b"*", b"%d" % (count(daemon, "bob") - 1)):
            bob.send(b"f FETCH %b BODY.PEEK[TEXT]\r\n" % seq)
            assert (bob.line() or b"").endswith(b"{%d}" % len(body))
            assert bob.take(len(body)) == body
            bob.answers(b"f")


# --- Who may what ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        b"user%elsewhere.example@example.com",
        b'"user@elsewhere.example"@example.com',
        b"@example.com:user@elsewhere.example",
        b"elsewhere.example!user@example.com",
        b"user@elsewhere.example",
        b"user@[192.0.2.1]",
        b"",
        b"nobody@example.com",
        b"../../bob@example.com",
        b'"../../bob"@example.com',
        b"bob@example.com\0",
    ],
    ids=repr,
)
def test_lmtp_takes_mail_for_its_own_only(daemon: Daemon, path: bytes) -> None:
    with SMTP(daemon, "lmtp") as client:
        client.ask(b"MAIL FROM:<outside@elsewhere.example>")
        assert client.ask(b"RCPT TO:<%b>" % path)[:2] in (b"55", b"50")


@pytest.mark.parametrize("service", ["submissions", "submission"])
def test_strangers_may_nothing(daemon: Daemon, service: str) -> None:
    with SMTP(daemon, service, name=None) as client:
        for command in (b"MAIL FROM:<alice@example.com>", b"RCPT TO:<bob@example.com>", b"DATA", b"VRFY bob"):
            assert client.ask(command).startswith((b"530", b"503", b"252")), command
        client.send(b"BDAT 13 LAST\r\nMAIL FROM:<\r\n")
        assert client.reply().startswith((b"530", b"503"))
        for _ in range(3):
            assert client.log_in("alice@example.com", "tr0ub4dor").startswith(b"535")
        assert client.reply().startswith(b"421")
        assert client.is_closed


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (b"AUTH PLAIN", b"*"),
        (b"AUTH PLAIN", b"!!!"),
        (b"AUTH PLAIN", b"A" * 13_000),
        (b"AUTH PLAIN", base64.b64encode(b"\0a\0b\0c")),
        (b"AUTH PLAIN", base64.b64encode(b"\0alice@example.com\0")),
        (b"AUTH PLAIN", base64.b64encode(b"bob@example.com\0alice@example.com\0" + PASSWORD.encode())),
        (b"AUTH LOGIN", b"A\0B"),
        (b"AUTH PLAIN", b"\xff\xff"),
    ],
)
def test_an_exchange_that_is_none_is_answered_once(daemon: Daemon, first: bytes, second: bytes) -> None:
    with SMTP(daemon, name=None) as client:
        assert client.ask(first).startswith(b"334")
        assert client.ask(second)[:2] in (b"50", b"53")
        assert client.works()
        assert client.log_in("alice@example.com", PASSWORD).startswith(b"235")


def test_nothing_said_in_clear_is_believed_inside_tls(daemon: Daemon) -> None:
    """RFC 3207 §4.2."""
    with SMTP(daemon, "submission", name=None, secure=False) as plain:
        assert b"AUTH" not in plain.ask(b"EHLO client.example")
        login = base64.b64encode(f"\0alice@example.com\0{PASSWORD}".encode())
        assert plain.ask(b"AUTH PLAIN " + login).startswith(b"538")
        plain.send(b"STARTTLS\r\nEHLO injected\r\nAUTH PLAIN " + login + b"\r\n")
        assert plain.reply().startswith(b"220")
        plain.start_tls()
        assert plain.ask(b"MAIL FROM:<alice@example.com>").startswith(b"530")
        assert plain.ask(b"RCPT TO:<bob@example.com>")[:3] in (b"503", b"530")


@pytest.mark.parametrize(
    "header",
    [
        b"From: bob@example.com\r\n",
        b"From: alice@example.com\r\nFrom: bob@example.com\r\n",
        b"From: alice@example.com, bob@example.com\r\n",
        b"From: alice@example.com\r\n bob@example.com\r\n",
        b"From : bob@example.com\r\nFrom: alice@example.com\r\n",
        b"From: =?utf-8?q?alice=40example=2Ecom?= <bob@example.com>\r\n",
        b"From: <alice@example.com> <bob@example.com>\r\n",
        b"From: group:;\r\n",
        b"From:\r\n",
        b"Subject: nobody\r\n",
        HEADER + b"Received: x\r\n" * 101,
        HEADER + b"X: y\r\n" * 100_000,
        HEADER + b"X: " + b"a" * MB + b"\r\n",
    ],
    ids=lambda header: repr(header[:40]),
)
def test_a_header_that_lies_is_refused(daemon: Daemon, neighbour: SMTP, header: bytes) -> None:
    with SMTP(daemon) as client:
        assert client.deliver(header + b"\r\nMAIL FROM:<alice@example.com>")[:3] in (b"550", b"554")
        assert client.works()


def test_what_others_claim_in_our_name_is_taken_out(daemon: Daemon) -> None:
    forged = (
        b"Return-Path: <forged@elsewhere.example>\r\nAuthentication-Results: mail.example.com; spf=pass\r\n"
        b"Bcc: carol@example.com\r\n"
    )
    with SMTP(daemon) as client:
        assert client.deliver(forged + HEADER + b"\r\nx").startswith(b"250")
    with IMAP(daemon, "bob") as bob:
        bob.ask(b"s SELECT INBOX")
        lines = bob.ask(b"f FETCH * BODY.PEEK[HEADER]")
    assert sum(line.lower().startswith(b"return-path:") for line in lines) == 1
    assert b"Return-Path: <alice@example.com>" in b"\n".join(lines)
    assert not any(b"spf=pass" in line or line.startswith(b"Bcc") for line in lines)


# --- Too much, too slow ------------------------------------------------------------------------------


def test_fifty_megabytes_are_delivered_as_they_came(daemon: Daemon, neighbour: SMTP) -> None:
    body = (b"y" * 998 + b"\r\n") * 49_990
    with SMTP(daemon) as client, bounded_memory(daemon, 250 * MB):
        assert client.deliver(HEADER + b"\r\n" + body.removesuffix(b"\r\n")).startswith(b"250")
        assert client.works()
    with IMAP(daemon, "bob") as bob:
        bob.ask(b"s SELECT INBOX")
        bob.send(b"f FETCH * BODY.PEEK[TEXT]\r\n")
        bob.line()
        assert bob.take(len(body)) == body


@pytest.mark.parametrize("service", ["submissions", "lmtp"])
def test_more_than_is_allowed_is_swallowed(daemon: Daemon, neighbour: SMTP, service: str) -> None:
    with SMTP(daemon, service) as client, bounded_memory(daemon, 20 * MB):
        client.begin()
        client.ask(b"DATA")
        client.send(HEADER + b"\r\n")
        for _ in range(60):
            client.send(b"QUIT\r\nxx\r\n" * 100_000)
        client.send(b".\r\n")
        assert client.reply().startswith(b"552 5.3.4")
        assert client.works()
        client.begin()
        client.send(b"BDAT 60000000 LAST\r\n")
        for _ in range(60):
            client.send(b"x" * MB)
        assert client.reply()[:3] in (b"552", b"550")
        assert client.works()


def test_ten_thousand_recipients(daemon: Daemon, neighbour: SMTP) -> None:
    with SMTP(daemon) as client, bounded_memory(daemon, 20 * MB):
        assert client.ask(b"MAIL FROM:<alice@example.com>").startswith(b"250")
        client.send(b"RCPT TO:<bob@example.com>\r\n" * 10_000)
        replies = []
        while reply := client.reply():
            replies.append(reply[:3])
    assert replies.count(b"250") == 100
    assert b"452" in replies and replies[-1] == b"421"


def test_clients_that_do_not_read_cost_little(daemon: Daemon, neighbour: SMTP) -> None:
    with bounded_memory(daemon, 40 * MB):
        deaf = []
        for _ in range(20):
            client = SMTP(daemon, "lmtp")
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            client.socket.settimeout(0.2)
            try:
                client.socket.sendall(b"HELP\r\n" * 100_000)
            except OSError:
                pass
            deaf.append(client)
        assert answer_time(neighbour) < PROMPT
    for client in deaf:
        client.close()


def test_a_client_that_vanishes_midway_leaves_nothing(daemon: Daemon) -> None:
    before = count(daemon, "bob")
    for service in ("submissions", "lmtp"):
        with SMTP(daemon, service) as client:
            client.begin()
            client.ask(b"DATA")
            client.send(HEADER + b"\r\nhalf\r\n.\r")
        with SMTP(daemon, service) as client:
            client.begin()
            client.send(b"BDAT 1000 LAST\r\n" + HEADER)
    with SMTP(daemon) as client:
        assert client.deliver(HEADER + b"\r\nwhole").startswith(b"250")
    assert count(daemon, "bob") == before + 1


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda name: name.replace(" ", "-"))
def test_a_bomb_is_delivered_or_refused(daemon: Daemon, neighbour: SMTP, bomb: str) -> None:
    """What is left of it can be read."""
    message = HEADER + BOMBS[bomb]
    stuffed = message.replace(b"\r\n.", b"\r\n..").removesuffix(b"\r\n")
    before = count(daemon, "bob")
    with bounded_memory(daemon, 60 * MB), SMTP(daemon, "lmtp") as lmtp, SMTP(daemon) as client:
        accepted = 0
        for one in (lmtp, client):
            reply = one.deliver(stuffed)
            assert reply[:3] in (b"250", b"550"), reply
            accepted += reply.startswith(b"250")
            assert one.works()
        with IMAP(daemon, "bob") as bob:
            bob.ask(b"s SELECT INBOX")
            for attribute in (b"ENVELOPE", b"BODYSTRUCTURE", b"BODY.PEEK[HEADER.FIELDS (RECEIVED)]"):
                assert bob.ask(b"f FETCH * " + attribute)[-1] == b"f OK FETCH completed"
    assert count(daemon, "bob") == before + accepted


# --- 250 is a promise --------------------------------------------------------------------------------


def test_acknowledged_mail_survives_a_kill(own_daemon: Daemon) -> None:
    """Submission and LMTP, local and outside recipients, SIGKILL in the middle: each is there once."""
    own_daemon.start()
    local: list[bytes] = []
    outside = [0]
    lock = threading.Lock()

    def stream(worker: int) -> None:
        service = "lmtp" if worker % 2 else "submissions"
        client = SMTP(own_daemon, service)
        for number in range(10_000):
            name = b"%d-%d" % (worker, number)
            message = b"From: alice@example.com\r\nSubject: " + name + b"\r\n\r\n" + b"x" * 900 + b"\r\ny"
            is_outside = worker == 0 and number % 2
            try:
                recipient = b"friend@elsewhere.example" if is_outside else b"bob@example.com"
                reply = client.deliver(message, recipient)
            except (AssertionError, OSError):
                return
            if not reply:
                return
            assert reply.startswith(b"250"), reply
            with lock:
                if is_outside:
                    outside[0] += 1
                else:
                    local.append(name)

    with ThreadPoolExecutor(6) as pool:
        for worker in range(6):
            pool.submit(stream, worker)
        time.sleep(2)
        own_daemon.kill()
    assert len(local) > 20 and outside[0] > 2
    own_daemon.start()
    with IMAP(own_daemon, "bob") as bob:
        bob.ask(b"s SELECT INBOX")
        lines = bob.ask(b"f FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
    subjects = [line.removeprefix(b"Subject: ") for line in lines if line.startswith(b"Subject: ")]
    assert set(local) <= set(subjects)
    assert len(subjects) == len(set(subjects))
    with sqlite3.connect(own_daemon.directory / "data" / "queue" / "queue.sqlite") as queue:
        waiting = queue.execute("SELECT count(*) FROM recipient WHERE kind = 'relay'").fetchone()[0]
    assert outside[0] <= waiting <= outside[0] + 1
    assert "none with faults" in own_daemon.trekctl("check")
    assert "Traceback" not in own_daemon.log
