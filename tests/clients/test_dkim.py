"""Keys that trekctl makes, on the files and in the running daemon, judged by dkimpy."""

from __future__ import annotations

import smtplib
import sqlite3
from contextlib import closing

import dkim

from tests.clients.daemon import PASSWORD, Daemon

MESSAGE = b"From: alice@example.com\r\nTo: x@example.net\r\nSubject: one\r\n\r\nHello\r\n"


def _submit(daemon: Daemon) -> None:
    with smtplib.SMTP_SSL("localhost", daemon.ports["submissions"], context=daemon.client_tls) as client:
        client.login("alice@example.com", PASSWORD)
        client.sendmail("alice@example.com", ["x@example.net"], MESSAGE)


def _queued(daemon: Daemon) -> list[bytes]:
    """The messages in the queue of a daemon that is down, oldest first."""
    (path,) = (daemon.directory / "data" / "queue").glob("*.sqlite")
    with closing(sqlite3.connect(path)) as database:
        return [octets for (octets,) in database.execute("SELECT octets FROM content ORDER BY message")]


def test_a_key_signs_the_next_message(own_daemon: Daemon) -> None:
    own_daemon.trekctl("dkim", "create", "example.com", "--selector", "s")
    own_daemon.start()
    own_daemon.trekctl("dkim", "create", "example.com", "--selector", "t", "--algorithm", "ed25519")
    _submit(own_daemon)
    own_daemon.trekctl("dkim", "use", "example.com", "t")
    _submit(own_daemon)
    keys: list[dict[str, str]] = own_daemon.trekctl_json("dkim", "list")  # type: ignore[assignment]
    records = {f"{key['name']}.": key["record"].encode() for key in keys}
    own_daemon.stop()
    first, second = _queued(own_daemon)
    for message, selectors in ((first, (b"s-rsa", b"s-ed25519")), (second, (b"s-rsa", b"t"))):
        for index, selector in enumerate(selectors):
            verifier = dkim.DKIM(message)
            assert verifier.verify(idx=index, dnsfunc=lambda name, timeout=5: records.get(name.decode()))
            assert (verifier.domain, verifier.selector) == (b"example.com", selector)
