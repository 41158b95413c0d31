"""Debian's Postfix as another organisation's server that has mail for us: into port 25, as it speaks by itself."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.clients.daemon import Daemon, free_ports
from tests.clients.hostile import IMAP, wait_until
from tests.clients.postfix import Postfix, require_postfix
from tests.clients.test_postfix import wait_for
from tests.fakes.nameserver import NameServerProcess

pytestmark = pytest.mark.slow


class Outside(Postfix):
    """
    A server that sends everything to a daemon's port 25.

    @ivar port: where it takes what it is to send, on 127.0.0.1.
    """

    def __init__(self, directory: Path, daemon: Daemon) -> None:
        (self.port,) = free_ports(1)
        settings = {
            "myhostname": "mx.outside.example",
            "relayhost": f"[localhost]:{daemon.ports['smtp']}",
            "smtp_tls_security_level": "verify",
            "smtp_tls_CAfile": str(self._trusted(directory, daemon)),
            "smtp_tls_loglevel": "1",
            "smtp_host_lookup": "native",
            "inet_interfaces": "127.0.0.1",
            "virtual_mailbox_maps": "",
        }
        super().__init__(directory / "postfix", settings, {f"127.0.0.1:{self.port}": ""})

    @staticmethod
    def _trusted(directory: Path, daemon: Daemon) -> Path:
        path = directory / "trusted.pem"
        path.write_bytes(Path(daemon.certificate).read_bytes())
        return path

    def send(self, subject: str, *recipients: str, body: bytes = b"x\r\n", options: tuple[str, ...] = ()) -> None:
        """Let it send a message; alice's name stands for a sender here, who gets its notices."""
        header = f"From: outside@outside.example\r\nSubject: {subject}\r\n"
        if "body=8bitmime" in options:
            header += "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
            header += "Content-Transfer-Encoding: 8bit\r\n"
        with smtplib.SMTP("127.0.0.1", self.port) as client:
            client.sendmail("alice@example.com", recipients, header.encode() + b"\r\n" + body, options)


@pytest.fixture(scope="module")
def ends() -> Iterator[tuple[Outside, Daemon]]:
    """dave's mailbox is small, erin's is full."""
    require_postfix()
    with TemporaryDirectory(prefix="trekmail-") as name:
        place = Path(name)
        place.chmod(0o755)
        (place / "daemon").mkdir()
        names = NameServerProcess(place, {})
        daemon = Daemon(place / "daemon", f'[dns]\nservers = ["127.0.0.1:{names.port}"]\n')
        daemon.add_accounts({f"{who}@example.com": "pro" for who in ("alice", "bob", "dave", "erin")})
        daemon.trekctl("account", "set", "dave@example.com", "--quota", "20KB")
        daemon.trekctl("account", "set", "erin@example.com", "--quota", "2KB")
        postfix = Outside(place, daemon)
        try:
            daemon.start()
            postfix.start()
            yield postfix, daemon
            assert "Traceback" not in daemon.log
        finally:
            daemon.close()
            postfix.stop()
            names.close()


def header_of(message: bytes) -> bytes:
    return message.partition(b"\r\n\r\n")[0].replace(b"\r\n\t", b" ").replace(b"\r\n ", b" ")


def test_mail_comes_over_verified_tls(ends: tuple[Outside, Daemon]) -> None:
    outside, daemon = ends
    outside.send("over tls", "bob@example.com", "alice+tag@example.com")
    for who in ("bob", "alice"):
        header = header_of(wait_for(daemon, who, "over tls"))
        assert b"Received: from mx.outside.example ([127.0.0.1]) by mail.example.com with ESMTPS id " in header
    assert outside.logged("Verified TLS connection established to localhost")
    assert "(250 2.0.0 OK, queued as" in outside.logged("to=<bob@example.com>")


def test_octets_beyond_ascii_arrive_as_they_were(ends: tuple[Outside, Daemon]) -> None:
    """8BITMIME (RFC 6152): Postfix recodes nothing, because it need not."""
    outside, daemon = ends
    body = "çédille €\r\n.\r\n..two\r\n".encode() + b"y" * 990 + b"\r\n"
    outside.send("octets", "bob@example.com", body=body, options=("body=8bitmime",))
    assert wait_for(daemon, "bob", "octets").partition(b"\r\n\r\n")[2] == body


def test_headers_in_utf8_arrive(ends: tuple[Outside, Daemon]) -> None:
    """SMTPUTF8 (RFC 6531)."""
    outside, daemon = ends
    outside.send("ütf8 çé", "bob@example.com", options=("SMTPUTF8", "body=8bitmime"))
    assert "status=sent" in outside.logged("status=sent (250 2.0.0")
    with IMAP(daemon, "bob") as bob:
        bob.ask(b"s SELECT INBOX")

        def subjects() -> bytes:
            return b"\n".join(bob.ask(b"f FETCH 1:* BODY.PEEK[]"))

        wait_until(lambda: "Subject: ütf8 çé".encode() in subjects())
        assert b"with UTF8SMTPS id" in subjects()


def test_who_is_not_there_comes_back_and_the_others_have_it(ends: tuple[Outside, Daemon]) -> None:
    """All recipients in one pipelined group (RFC 2920), each with its own reply."""
    outside, daemon = ends
    outside.send("partly", "nobody@example.com", "bob@example.com", "dave@example.com", body=b"z" * 70 + b"\r\n")
    assert "550 5.1.1" in outside.logged("to=<nobody@example.com>")
    assert wait_for(daemon, "bob", "partly")
    assert wait_for(daemon, "dave", "partly")
    notice = wait_for(daemon, "alice", "Undelivered Mail")
    assert b"nobody@example.com" in notice and b"Status: 5.1.1" in notice
    assert b"Final-Recipient: rfc822; bob@example.com" not in notice


def test_what_never_fits_is_refused_and_a_full_mailbox_is_waited_for(ends: tuple[Outside, Daemon]) -> None:
    """By the announced size (RFC 1870), before the message is sent: 552 5.2.2 against 452 4.2.2."""
    outside, daemon = ends
    outside.send("too large", "dave@example.com", body=(b"y" * 70 + b"\r\n") * 600)
    refused = outside.logged("552 5.2.2")
    assert "to=<dave@example.com>" in refused and "status=bounced" in refused
    with IMAP(daemon, "erin") as erin:
        erin.append(b"Subject: fill\r\n\r\n" + b"z" * 1900 + b"\r\n")
    outside.send("waits", "erin@example.com")
    waits = outside.logged("452 4.2.2")
    assert "to=<erin@example.com>" in waits and "status=deferred" in waits
    with IMAP(daemon, "erin") as erin:
        erin.ask(b"s SELECT INBOX")
        erin.ask(b"t STORE 1:* +FLAGS.SILENT (\\Deleted)")
        erin.ask(b"e EXPUNGE")
    outside.flush()
    assert wait_for(daemon, "erin", "waits")
    wait_until(lambda: not outside.queued())


def test_fifty_messages_over_few_connections_arrive_once(ends: tuple[Outside, Daemon]) -> None:
    outside, daemon = ends
    for number in range(50):
        outside.send(f"many {number}.", "bob@example.com")
    wait_until(lambda: not outside.queued(), 60)
    with IMAP(daemon, "bob") as bob:
        bob.ask(b"s SELECT INBOX")
        (found,) = [line for line in bob.ask(b'f SEARCH SUBJECT "many "') if line.startswith(b"* SEARCH")]
    assert len(found.split()) == 2 + 50
