"""Postfix in front, with the lines of docs/admin.md, handing in mail over LMTP."""

from __future__ import annotations

import re
import shutil
import smtplib
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.clients.daemon import ROOT, Daemon, free_ports
from tests.clients.postfix import Postfix, require_postfix
from tests.clients.test_imaplib import log_in
from tests.fakes.nameserver import NameServerProcess

HEADER = b"From: outside@elsewhere.example\r\nSubject: "


def documented() -> dict[str, str]:
    """The lines of main.cf as the administrator's guide shows them."""
    text = (ROOT / "docs" / "admin.md").read_text().partition("in Postfix's main.cf:")[2]
    block = text.partition("\n\n")[2].partition("\n\n")[0]
    lines = dict(line.strip().split(" = ", 1) for line in block.splitlines())
    assert len(lines) == 5
    return lines


class Behind(Daemon):
    """A daemon whose socket belongs to Postfix's group, as the package's unit makes it."""

    def start(self, *options: str) -> None:
        """See L{Daemon}."""
        super().start(*options)
        shutil.chown(self.lmtp, group="postfix")


class Front(Postfix):
    """
    Postfix in front of a daemon.

    @ivar port: where it takes mail, on 127.0.0.1.
    """

    def __init__(self, directory: Path, lmtp: str) -> None:
        (self.port,) = free_ports(1)
        lines = documented().items()
        settings = {name: value.replace("/run/trekmail/lmtp", lmtp) for name, value in lines}
        settings |= {"address_verify_poll_delay": "1s", "lmtp_send_xforward_command": "yes", "mynetworks": ""}
        settings["myhostname"] = "mx.example.net"
        super().__init__(directory, settings, {f"127.0.0.1:{self.port}": ""})


ZONE = {"near.example": ['TXT "v=spf1 ip4:127.0.0.9 -all"'], "_dmarc.near.example": ['TXT "v=DMARC1; p=none"']}


@pytest.fixture(scope="module")
def front() -> Iterator[tuple[Front, Daemon]]:
    """A daemon whose socket Postfix can reach, and Postfix; dave's mailbox is small, erin's is full."""
    require_postfix()
    with TemporaryDirectory(prefix="trekmail-") as name:
        Path(name).chmod(0o755)
        yield from _front(Path(name))


def _front(place: Path) -> Iterator[tuple[Front, Daemon]]:
    directory = place / "trekmail"
    directory.mkdir()
    names = NameServerProcess(directory, ZONE)
    dns = f'[dns]\nservers = ["127.0.0.1:{names.port}"]\n'
    daemon = Behind(directory, dns, reception="verify_lmtp = true")
    postfix = Front(place / "postfix", daemon.lmtp)
    try:
        daemon.add_accounts({f"{name}@example.com": "pro" for name in ("alice", "bob", "dave", "erin")})
        daemon.trekctl("account", "set", "dave@example.com", "--quota", "20KB")
        daemon.trekctl("account", "set", "erin@example.com", "--quota", "2KB")
        daemon.start()
        postfix.start()
        yield postfix, daemon
    finally:
        daemon.close()
        postfix.stop()
        names.close()


def send(
    postfix: Front,
    subject: str,
    *recipients: str,
    sender: str = "outside@elsewhere.example",
    size: int = 100,
    source: str = "127.0.0.1",
) -> dict[str, tuple[int, bytes]]:
    """Hand a message to Postfix, from an address of this host; the recipients it refused."""
    message = HEADER + subject.encode() + b"\r\n\r\n" + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * (size // 72)
    with smtplib.SMTP("127.0.0.1", postfix.port, source_address=(source, 0)) as client:
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


def test_mail_arrives(front: tuple[Front, Daemon]) -> None:
    postfix, daemon = front
    assert send(postfix, "to two", "alice@example.com", "bob+tag@example.com") == {}
    for name in ("alice", "bob"):
        message = wait_for(daemon, name, "to two")
        assert message.startswith(b"Return-Path: <outside@elsewhere.example>\r\n")
        assert re.search(rb"\r\nReceived: from mx\.example\.net\r\n\tby mail\.example\.com with LMTP id ", message)


def test_who_is_not_there_is_refused_by_postfix(front: tuple[Front, Daemon]) -> None:
    """It asks us first (reject_unverified_recipient): no backscatter."""
    postfix, _ = front
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        send(postfix, "nobody", "nobody@example.com")
    code, text = caught.value.recipients["nobody@example.com"]
    assert code == 550 and b"No such address here" in text
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        send(postfix, "relay", "friend@elsewhere.example")
    assert caught.value.recipients["friend@elsewhere.example"][0] in (454, 554)


def test_what_does_not_fit_comes_back_and_the_others_have_it(front: tuple[Front, Daemon]) -> None:
    """RFC 2033 §4.2: 552 5.2.2 for one recipient of two."""
    postfix, daemon = front
    send(postfix, "too large", "dave@example.com", "bob@example.com", sender="alice@example.com", size=40_000)
    assert b"y" * 70 in wait_for(daemon, "bob", "too large")
    notice = wait_for(daemon, "alice", "Undelivered Mail")
    assert b"dave@example.com" in notice and b"5.2.2" in notice
    assert b"bob@example.com" not in notice.partition(b"Content-Type: message/rfc822")[0]


def test_mail_for_a_full_mailbox_waits_at_postfix(front: tuple[Front, Daemon]) -> None:
    """452 4.2.2: its owner may make room."""
    postfix, daemon = front
    with log_in(daemon, "erin") as client:
        client.append("INBOX", None, None, b"Subject: fill\r\n\r\n" + b"z" * 1900 + b"\r\n")
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        send(postfix, "full", "erin@example.com")
    assert caught.value.recipients["erin@example.com"][0] == 450
    assert "452 4.2.2 The mailbox is full" in postfix.logged("452 4.2.2")


@pytest.mark.parametrize(("source", "result"), [("127.0.0.9", b"pass"), ("127.0.0.8", b"fail")])
def test_where_the_mail_came_from_is_known(front: tuple[Front, Daemon], source: str, result: bytes) -> None:
    """XFORWARD, which Postfix sends because it is offered: SPF is judged for the client that Postfix had."""
    postfix, daemon = front
    send(postfix, f"from {source}", "bob@example.com", sender="outside@near.example", source=source)
    header = wait_for(daemon, "bob", f"from {source}").partition(b"\r\n\r\n")[0]
    unfolded = re.sub(rb"\r\n[ \t]+", b" ", header)
    (line,) = [one for one in unfolded.split(b"\r\n") if one.startswith(b"Authentication-Results: mail.example.com;")]
    assert b" spf=" + result in line, line
    assert f"[{source}]".encode() in unfolded
    assert "Traceback" not in daemon.log


def test_a_socket_that_is_gone_loses_nothing(front: tuple[Front, Daemon]) -> None:
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
def test_nothing_is_smuggled_through_both(front: tuple[Front, Daemon], vector: bytes) -> None:
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


def test_the_unit_opens_the_socket_to_postfix() -> None:
    assert "ExecStartPost=-+/bin/chgrp postfix /run/trekmail/lmtp\n" in (ROOT / "debian/trekmail.service").read_text()


def test_the_guide_names_the_socket_of_the_sample() -> None:
    sample = (ROOT / "etc" / "trekmail.toml").read_text()
    assert "unix:/run/trekmail/lmtp" in sample
    assert documented()["virtual_transport"] == "lmtp:unix:/run/trekmail/lmtp"
    assert Path(ROOT / "docs" / "admin.md").exists()
