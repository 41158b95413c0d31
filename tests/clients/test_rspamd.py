"""rspamd beside a started daemon: the real one, and one that lies, hangs and goes away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.clients.daemon import Daemon
from tests.clients.hostile import IMAP, SMTP
from tests.clients.rspamd import FakeRspamd, real_rspamd

GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
HEADER = b"From: x@elsewhere.example\r\nMessage-ID: <1@x>\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n"


def started(directory: Path, url: str, more: str = "") -> Daemon:
    reception = f'filters = ["rspamd"]\nrspamd_url = "{url}"\nrspamd_timeout = 2\n{more}'
    daemon = Daemon(directory, reception=reception)
    daemon.add_accounts({"bob@example.com": "pro"})
    daemon.start()
    return daemon


def send(daemon: Daemon, subject: bytes, body: bytes = b"hello") -> bytes:
    """Hand in one message as another server; the reply."""
    with SMTP(daemon, "smtp", name=None, secure=False) as client:
        client.ask(b"EHLO mx.elsewhere.example")
        client.ask(b"MAIL FROM:<x@elsewhere.example>")
        assert client.ask(b"RCPT TO:<bob@example.com>").startswith(b"250")
        assert client.ask(b"DATA").startswith(b"354")
        return client.ask(HEADER + b"Subject: " + subject + b"\r\n\r\n" + body + b"\r\n.")


def newest(daemon: Daemon, mailbox: bytes = b"INBOX") -> bytes:
    with IMAP(daemon, "bob") as bob:
        bob.ask(b"s SELECT " + mailbox)
        return b"\r\n".join(bob.ask(b"f FETCH * BODY.PEEK[]"))


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with (
        real_rspamd(tmp_path_factory.mktemp("rspamd")) as url,
        closing(started(tmp_path_factory.mktemp("scanned"), url)) as daemon,
    ):
        yield daemon


def test_real_rspamd_lets_mail_pass(scanned: Daemon) -> None:
    assert send(scanned, b"plain").startswith(b"250")
    message = newest(scanned)
    assert b"Subject: plain" in message and b"\r\nX-Spam-Score: 0.00 / 15.00\r\n" in message
    assert b"was not scanned" not in scanned.log.encode()


def test_real_rspamd_refuses(scanned: Daemon) -> None:
    assert send(scanned, b"gtube", GTUBE).startswith(b"550 5.7.1 ")


def test_real_rspamd_marks_junk(scanned: Daemon) -> None:
    assert send(scanned, b"junky").startswith(b"250")
    assert b"\r\nX-Spam: Yes\r\n" in newest(scanned, b"Junk")


def test_real_rspamd_rewrites_the_subject(scanned: Daemon) -> None:
    assert send(scanned, b"loud").startswith(b"250")
    message = newest(scanned, b"Junk")
    assert b"\r\nSubject: *** SPAM *** loud\r\n" in message
    assert message.endswith(b"\r\n\r\nhello\r\n)\r\nf OK FETCH completed")


def test_what_rspamd_is_told(tmp_path: Path) -> None:
    """A large message comes whole, in pieces."""
    with closing(FakeRspamd()) as fake, closing(started(tmp_path, fake.url)) as daemon:
        body = (b"y" * 98 + b"\r\n") * 30_000 + b"end"
        assert send(daemon, b"large", body).startswith(b"250")
        ((headers, octets),) = fake.asked
        assert (headers["IP"], headers["Helo"]) == ("127.0.0.1", "mx.elsewhere.example")
        assert (headers["From"], headers["Rcpt"]) == ("x@elsewhere.example", "bob@example.com")
        assert headers["Queue-Id"]
        assert octets.startswith(b"Received: from mx.elsewhere.example")
        assert octets.endswith(b"\r\n\r\n" + body + b"\r\n")
        fake.answer = {"action": "soft reject", "messages": {"smtp_message": "Ratelimit"}}
        assert send(daemon, b"soft") == b"451 4.7.1 Ratelimit"
        fake.answer = {"action": "greylist"}
        assert send(daemon, b"grey").startswith(b"451 4.7.1 ")


def test_mail_arrives_without_rspamd(tmp_path: Path) -> None:
    """Nonsense, a failure, no answer in time, nobody there: one line in the log each, and the mail is taken."""
    with closing(FakeRspamd()) as fake, closing(started(tmp_path, fake.url)) as daemon:
        fake.answer = b"nonsense"
        assert send(daemon, b"one").startswith(b"250")
        fake.answer = b"{" + b" " * 2_000_000 + b"}"
        assert send(daemon, b"two").startswith(b"250")
        fake.status = 500
        assert send(daemon, b"three").startswith(b"250")
        fake.wait.clear()
        assert send(daemon, b"four").startswith(b"250")
        fake.close()
        assert send(daemon, b"five").startswith(b"250")
        assert daemon.log.count("was not scanned") == 5
        assert "Traceback" not in daemon.log


def test_mail_waits_for_rspamd_where_configured(tmp_path: Path) -> None:
    with closing(started(tmp_path, "http://127.0.0.1:9", 'filters_down = "defer"')) as daemon:
        assert send(daemon, b"x").startswith(b"451 4.7.1 ")
