"""The queue on disk."""

import os
import sqlite3
from pathlib import Path

import pytest

from trekd.errors import QueueFull, StoreCorrupt, StoreFull
from trekd.queue.interfaces import MailTransaction, Recipient, Route, RouteKind
from trekd.queue.spool import INLINE, AtomicChange, SpoolFile
from trekd.values import Address, PrincipalId

LARGE = b"x" * (INLINE + 1)
TRANSACTION = MailTransaction(
    Address('odd "@ one', "example.com"),
    (
        Recipient(Address("bob", "example.com"), Route(RouteKind.LOCAL), ("SUCCESS", "DELAY"), "rfc822;b"),
        Recipient(Address("jürgen", "elsewhere.example"), Route(RouteKind.OWN_SMTP, "mine")),
    ),
    PrincipalId("alice@example.com"),
    smtputf8=True,
    eight_bit=True,
    envelope_id="QQ",
    ret="HDRS",
)


@pytest.fixture
def spool(tmp_path: Path) -> SpoolFile:
    made = SpoolFile(tmp_path / "queue", 3)
    made.open()
    return made


def reopened(spool: SpoolFile, path: Path) -> SpoolFile:
    spool.close()
    made = SpoolFile(path / "queue", 3)
    made.open()
    return made


@pytest.mark.parametrize("content", [b"", b"small\r\n", b"y" * INLINE, LARGE])
def test_all_of_a_transaction_survives_a_restart(spool: SpoolFile, tmp_path: Path, content: bytes) -> None:
    id = spool.put(TRANSACTION, content, 5.0)
    spool = reopened(spool, tmp_path)
    first, second = spool.entries(10)
    assert first.transaction.recipients + second.transaction.recipients == TRANSACTION.recipients
    assert (first.transaction.reverse_path, first.transaction.principal) == (
        TRANSACTION.reverse_path,
        TRANSACTION.principal,
    )
    assert (first.transaction.envelope_id, first.transaction.ret) == ("QQ", "HDRS")
    assert first.transaction.smtputf8 and first.transaction.eight_bit
    assert (first.message, first.size, first.arrived, first.attempts) == (id, len(content), 5.0, 0)
    assert spool.content(id) == content
    assert spool.count() == 2


def test_the_message_goes_with_its_last_recipient(spool: SpoolFile, tmp_path: Path) -> None:
    id = spool.put(TRANSACTION, LARGE, 5.0)
    first, second = spool.entries(10)
    spool.finish(first)
    assert spool.content(id) == LARGE
    spool.finish(second)
    assert spool.count() == 0
    assert list((tmp_path / "queue" / "messages").iterdir()) == []
    with pytest.raises(StoreCorrupt):
        spool.content(id)


def test_due_is_by_route_and_time(spool: SpoolFile) -> None:
    spool.put(TRANSACTION, b"a", 5.0)
    assert spool.due(RouteKind.LOCAL, 4.9, 10) == ()
    (entry,) = spool.due(RouteKind.LOCAL, 5.0, 10)
    assert entry.recipient.address.local == "bob"
    spool.postpone(entry.number, 50.0, "StoreBusy")
    assert spool.due(RouteKind.LOCAL, 49.0, 10) == ()
    (entry,) = spool.due(RouteKind.LOCAL, 50.0, 10)
    assert (entry.attempts, entry.failure) == (1, "StoreBusy")


def test_the_queue_has_an_end(spool: SpoolFile) -> None:
    for _ in range(3):
        spool.put(TRANSACTION, b"a", 5.0)
    with pytest.raises(QueueFull):
        spool.put(TRANSACTION, b"a", 5.0)


def test_what_no_commit_names_is_swept_away(spool: SpoolFile, tmp_path: Path) -> None:
    """A crash between the file and the commit leaves a file."""
    id = spool.put(TRANSACTION, LARGE, 5.0)
    orphan = tmp_path / "queue" / "messages" / "orphan"
    orphan.write_bytes(b"half")
    spool = reopened(spool, tmp_path)
    assert not orphan.exists()
    assert spool.content(id) == LARGE


def test_a_disk_that_refuses_leaves_nothing_behind(
    spool: SpoolFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StoreFull):
        spool.put(TRANSACTION, LARGE, 5.0)
    monkeypatch.undo()
    assert spool.count() == 0
    assert list((tmp_path / "queue" / "messages").iterdir()) == []


def test_a_commit_that_fails_does_not_block_the_next(tmp_path: Path) -> None:
    """SQLite keeps a transaction open whose commit fails, unless the disk is full."""
    database = sqlite3.connect(tmp_path / "x.sqlite", isolation_level=None)
    database.execute("PRAGMA foreign_keys = ON")
    database.execute("CREATE TABLE a (id INTEGER PRIMARY KEY, b REFERENCES a DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(sqlite3.IntegrityError), AtomicChange(database):
        database.execute("INSERT INTO a VALUES (1, 99)")
    with pytest.raises(ZeroDivisionError), AtomicChange(database):
        database.execute("ROLLBACK")  # as SQLite does by itself when the disk is full
        raise ZeroDivisionError
    with AtomicChange(database):
        database.execute("INSERT INTO a VALUES (1, 1)")
    assert database.execute("SELECT * FROM a").fetchall() == [(1, 1)]


def test_nobody_else_can_read_it(spool: SpoolFile, tmp_path: Path) -> None:
    spool.put(TRANSACTION, LARGE, 5.0)
    (message,) = (tmp_path / "queue" / "messages").iterdir()
    assert message.stat().st_mode & 0o077 == 0
    assert (tmp_path / "queue" / "queue.sqlite").stat().st_mode & 0o077 == 0
    assert (tmp_path / "queue").stat().st_mode & 0o077 == 0


def test_a_closed_queue_takes_nothing(spool: SpoolFile) -> None:
    spool.close()
    with pytest.raises(StoreFull):
        spool.put(TRANSACTION, b"a", 5.0)


def test_a_directory_that_cannot_be_used_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "queue").write_text("a file")
    with pytest.raises(OSError):
        SpoolFile(tmp_path / "queue", 3).open()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "queue.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreFull):
        SpoolFile(tmp_path / "other", 3).open()
