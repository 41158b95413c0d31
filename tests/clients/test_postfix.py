"""Postfix in front, with the lines of docs/admin.md, handing in mail over LMTP."""

from __future__ import annotations

import re
import smtplib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.daemon import ROOT, Daemon
from tests.clients.mta import Postfix
from tests.clients.test_imaplib import log_in

HEADER = b"From: outside@elsewhere.example\r\nSubject: "


def documented() -> dict[str, str]:
    """The lines of main.cf as the administrator's guide shows them."""
    text = (ROOT / "docs" / "admin.md").read_text().partition("in Postfix's main.cf:")[2]
    block = text.partition("\n\n")[2].partition("\n\n")[0]
    lines = dict(line.strip().split(" = ", 1) for line in block.splitlines())
    assert len(lines) == 5
    return lines


@pytest.fixture(scope="module")
def front() -> Iterator[tuple[Postfix, Daemon]]:
    """A daemon whose socket Postfix can reach, and Postfix; dave's mailbox is small, erin's is full."""
    postfix = Postfix()
    directory = postfix.directory / "trekmail"
    directory.mkdir()
    daemon = Daemon(directory, reception="verify_lmtp = true")
    try:
        daemon.add_accounts({f"{name}@example.com": "pro" for name in ("alice", "bob", "dave", "erin")})
        daemon.trekctl("account", "set", "dave@example.com", "--quota", "20KB")
        daemon.trekctl("account", "set", "erin@example.com", "--quota", "2KB")
        daemon.start()
        settings = {
            name: value.replace("/run/trekmail/lmtp", daemon.lmtp).replace("\n", " ")
            for name, value in documented().items()
        }
        postfix.start({**settings, "address_verify_poll_delay": "1s", "lmtp_send_xforward_command": "yes"})
        yield postfix, daemon
    finally:
        daemon.close()
        postfix.stop()


def send(
    postfix: Postfix, subject: str, *recipients: str, sender: str = "outside@elsewhere.example", size: int = 100
) -> dict[str, tuple[int, bytes]]:
    """Hand a message to Postfix; the recipients it refused."""
    message = HEADER + subject.encode() + b"\r\n\r\n" + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * (size // 72)
    with smtplib.SMTP("127.0.0.1", postfix.port) as client:
        return client.sendmail(sender, recipients, message)


def wait_for(daemon: Daemon, name: str, subject: str) -> bytes:
    """Wait for a message in an INBOX."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with log_in(daemon, name) as client:
            client.select("INBOX", readonly=True)
            found = client.search(None, "SUBJECT", f'"{subject}"')[1][0].split()
            if found:
                octets = client.fetch(found[-1].decode(), "(BODY.PEEK[])")[1][0][1]
                assert isinstance(octets, bytes)
                return octets
        time.sleep(0.1)
    raise AssertionError(f"{subject!r} did not arrive for {name}")


def test_mail_arrives(front: tuple[Postfix, Daemon]) -> None:
    postfix, daemon = front
    assert send(postfix, "to two", "alice@example.com", "bob+tag@example.com") == {}
    for name in ("alice", "bob"):
        message = wait_for(daemon, name, "to two")
        assert message.startswith(b"Return-Path: <outside@elsewhere.example>\r\n")
        assert re.search(rb"\r\nReceived: from mx\.example\.net\r\n\tby mail\.example\.com with LMTP id ", message)


def test_who_is_not_there_is_refused_by_postfix(front: tuple[Postfix, Daemon]) -> None:
    """It asks us first (reject_unverified_recipient): no backscatter."""
    postfix, _ = front
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        send(postfix, "nobody", "nobody@example.com")
    code, text = caught.value.recipients["nobody@example.com"]
    assert code == 550 and b"No such address here" in text
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        send(postfix, "relay", "friend@elsewhere.example")
    assert caught.value.recipients["friend@elsewhere.example"][0] in (454, 554)


def test_what_does_not_fit_comes_back_and_the_others_have_it(front: tuple[Postfix, Daemon]) -> None:
    """RFC 2033 §4.2: 552 5.2.2 for one recipient of two."""
    postfix, daemon = front
    send(postfix, "too large", "dave@example.com", "bob@example.com", sender="alice@example.com", size=40_000)
    assert b"y" * 70 in wait_for(daemon, "bob", "too large")
    notice = wait_for(daemon, "alice", "Undelivered Mail")
    assert b"dave@example.com" in notice and b"5.2.2" in notice
    assert b"bob@example.com" not in notice.partition(b"Content-Type: message/rfc822")[0]


def test_mail_for_a_full_mailbox_waits_at_postfix(front: tuple[Postfix, Daemon]) -> None:
    """452 4.2.2: its owner may make room."""
    postfix, daemon = front
    with log_in(daemon, "erin") as client:
        client.append("INBOX", None, None, b"Subject: fill\r\n\r\n" + b"z" * 1900 + b"\r\n")
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        send(postfix, "full", "erin@example.com")
    assert caught.value.recipients["erin@example.com"][0] == 450
    assert "452 4.2.2 The mailbox is full" in postfix.logged("452 4.2.2")


def test_where_the_mail_came_from_is_known(front: tuple[Postfix, Daemon]) -> None:
    """XFORWARD; Postfix sends it because it is offered."""
    postfix, daemon = front
    send(postfix, "forwarded", "bob@example.com")
    wait_for(daemon, "bob", "forwarded")
    assert "Traceback" not in daemon.log


def test_a_socket_that_is_gone_loses_nothing(front: tuple[Postfix, Daemon]) -> None:
    postfix, daemon = front
    assert send(postfix, "verified", "bob@example.com") == {}
    wait_for(daemon, "bob", "verified")
    daemon.stop()
    assert send(postfix, "while away", "bob@example.com") == {}
    postfix.logged("status=deferred")
    daemon.start()
    postfix.flush()
    assert b"while away" in wait_for(daemon, "bob", "while away")


@pytest.mark.parametrize("vector", [b"\n.\n", b"\r\n.\n", b"\n.\r\n"], ids=repr)
def test_nothing_is_smuggled_through_both(front: tuple[Postfix, Daemon], vector: bytes) -> None:
    """One message or none arrives, never two (smtpd_forbid_bare_newline)."""
    postfix, daemon = front
    mark = f"smuggle{vector.hex()}"
    with smtplib.SMTP("127.0.0.1", postfix.port) as client:
        client.ehlo()
        client.docmd("MAIL FROM:<outside@elsewhere.example>")
        client.docmd("RCPT TO:<bob@example.com>")
        client.docmd("DATA")
        client.send(
            HEADER + b"first\r\n\r\nbody" + vector + b"MAIL FROM:<alice@example.com>\r\nRCPT TO:<bob@example.com>\r\n"
            b"DATA\r\n" + HEADER + mark.encode() + b"\r\n\r\nsecond\r\n.\r\n"
        )
        client.getreply()
    send(postfix, f"after {mark}", "bob@example.com")
    wait_for(daemon, "bob", f"after {mark}")
    with log_in(daemon, "bob") as client:
        client.select("INBOX", readonly=True)
        found = client.search(None, "SUBJECT", f'"{mark}"')[1][0].split()
    assert len(found) == 1


def test_the_guide_names_the_socket_of_the_sample() -> None:
    sample = (ROOT / "etc" / "trekmail.toml").read_text()
    assert "unix:/run/trekmail/lmtp" in sample
    assert documented()["virtual_transport"] == "lmtp:unix:/run/trekmail/lmtp"
    assert Path(ROOT / "docs" / "admin.md").exists()
