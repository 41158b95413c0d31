"""The queue on disk."""

import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from tests.fakes.postoffice import run_here
from tests.unit.queue.support import run
from trekd.errors import ConfigFault, QueueFull, StoreCorrupt, StoreFull
from trekd.queue.contents import INLINE, PIECE
from trekd.queue.database import AtomicChange
from trekd.queue.interfaces import (
    HELD_BY_OPERATOR,
    Entry,
    LastAttempt,
    MailTransaction,
    Recipient,
    Route,
    RouteKind,
    Selection,
)
from trekd.queue.spool import Spool
from trekd.queue.spoolfile import SpoolFile
from trekd.store.contents import IMessageSource, InMemory
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
    require_tls=True,
    tls_optional=True,
    junk=True,
)
OUTSIDE = MailTransaction(
    Address("alice", "example.com"), (Recipient(Address("a", "b.example"), Route(RouteKind.RELAY)),)
)


class Queue:
    """A spool over files in C{path}, and what it told of arrivals."""

    def __init__(self, path: Path, run_in_thread: Any = run_here, most: int = 3) -> None:
        self.file = SpoolFile(path / "queue", most)
        self.file.open()
        self.spool = Spool(self.file, run_in_thread)
        self.told: list[tuple[str, float]] = []
        self.spool.arrived = lambda lane, due, new: self.told.append((lane, due))

    def put(self, transaction: MailTransaction = TRANSACTION, content: bytes = b"a", prefix: bytes = b"") -> str:
        return str(run(self.spool.put(transaction, InMemory(content), prefix, 5.0)))

    def entries(self, **selected: Any) -> list[Entry]:
        return list(run(self.spool.entries(100, Selection(**selected))))

    def take(self, lane: str, now: float, limit: int = 10, without: frozenset[int] = frozenset()) -> Any:
        return run(self.spool.take(lane, now, limit, without))


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path)


def reopened(queue: Queue, path: Path) -> Queue:
    run(queue.spool.close())
    return Queue(path)


@pytest.mark.parametrize(
    "content", [b"", b"small\r\n", b"y" * (INLINE - 3), b"y" * (INLINE - 2), LARGE, bytes(range(256)) * 3000]
)
def test_all_of_a_transaction_survives_a_restart(queue: Queue, tmp_path: Path, content: bytes) -> None:
    id = queue.put(content=content, prefix=b"X:\n")
    queue = reopened(queue, tmp_path)
    first, second = queue.entries()
    assert first.transaction.recipients + second.transaction.recipients == TRANSACTION.recipients
    assert replace(first.transaction, recipients=TRANSACTION.recipients) == TRANSACTION
    whole = b"X:\n" + content
    assert (first.message, first.size, first.arrived, first.attempts) == (id, len(whole), 5.0, 0)
    source = queue.spool.content(first)
    assert verifyObject(IMessageSource, source)
    assert run(source.octets()) == whole
    assert run(source.read(2, 5)) == whole[2:7]
    assert run(source.read(len(whole) - 1, PIECE)) == whole[-1:]
    assert run(source.read(len(whole) + 5, 10)) == b""
    assert run(queue.spool.count()) == 2


def test_a_large_message_is_copied_in_pieces(queue: Queue) -> None:
    """Nobody holds it whole."""
    asked: list[int] = []

    class Watched(InMemory):
        async def read(self, offset: int, length: int) -> bytes:
            asked.append(length)
            return await super().read(offset, length)

        async def octets(self) -> bytes:
            raise AssertionError

    content = os.urandom(3 * PIECE + 7)
    run(queue.spool.put(OUTSIDE, Watched(content), b"", 5.0))
    assert asked and max(asked) <= PIECE
    assert run(queue.spool.content(queue.entries()[0]).octets()) == content


def test_the_message_goes_with_its_last_recipient(queue: Queue, tmp_path: Path) -> None:
    queue.put(content=LARGE)
    first, second = queue.entries()
    run(queue.spool.finish(first))
    assert run(queue.spool.content(second).octets()) == LARGE
    run(queue.spool.finish(first))
    run(queue.spool.finish(second))
    assert run(queue.spool.count()) == 0
    assert list((tmp_path / "queue" / "messages").iterdir()) == []
    with pytest.raises(StoreCorrupt):
        run(queue.spool.content(second).octets())


def test_a_small_message_that_is_gone_is_said(queue: Queue) -> None:
    queue.put()
    entry = queue.entries()[0]
    run(queue.spool.drop(Selection()))
    with pytest.raises(StoreCorrupt):
        run(queue.spool.content(entry).octets())


def test_due_is_by_lane_and_time(queue: Queue) -> None:
    queue.put()
    assert queue.told == [("local", 5.0), ("profile:mine", 5.0)]
    assert sorted(run(queue.spool.lanes())) == [("local", 5.0), ("profile:mine", 5.0)]
    early = queue.take("local", 4.9)
    assert (early.entries, early.next_due) == ((), 5.0)
    taken = queue.take("local", 5.0)
    (entry,) = taken.entries
    assert (entry.recipient.address.local, taken.next_due) == ("bob", None)
    assert queue.take("local", 5.0, without=frozenset({entry.number})).entries == ()
    last = LastAttempt("451 later", "mx.b.example", "4.3.0", 6.0)
    run(queue.spool.postpone(entry.number, 50.0, last))
    assert queue.take("local", 49.0).next_due == 50.0
    (entry,) = queue.take("local", 50.0).entries
    assert (entry.attempts, entry.last) == (1, last)


def test_notices_come_last(queue: Queue) -> None:
    notice = MailTransaction(None, OUTSIDE.recipients)
    run(queue.spool.put(notice, InMemory(b"n"), b"", 1.0))
    queue.put(OUTSIDE)
    taken = queue.take("mx:b.example", 9.0)
    assert [one.priority for one in taken.entries] == [0, 1]
    (first,) = queue.take("mx:b.example", 9.0, limit=1).entries
    assert first.priority == 0
    assert queue.take("mx:b.example", 9.0, limit=1).next_due == 9.0


def test_a_release_in_the_future_is_waited_for(queue: Queue) -> None:
    """RFC 4865 §4: and its age counts from then."""
    held = MailTransaction(None, OUTSIDE.recipients, hold_until=100.0)
    queue.put(held)
    assert queue.told == [("mx:b.example", 100.0)]
    (entry,) = queue.entries()
    assert (entry.arrived, entry.since, entry.due) == (5.0, 100.0, 100.0)
    assert queue.take("mx:b.example", 99.0).entries == ()


def test_the_queue_has_an_end(queue: Queue, tmp_path: Path) -> None:
    for _ in range(3):
        queue.put()
    for again in (False, True):
        queue = reopened(queue, tmp_path) if again else queue
        for content in (b"a", LARGE):
            with pytest.raises(QueueFull):
                queue.put(content=content)
    run(queue.spool.drop(Selection(message=queue.entries()[0].message)))
    queue.put()
    assert len(list((tmp_path / "queue" / "messages").iterdir())) == 0


def test_changes_that_come_together_share_a_commit(tmp_path: Path) -> None:
    """And one that is refused takes back nothing but itself."""
    waiting: list[tuple[Deferred[None], Callable[..., Any], Any]] = []

    async def in_thread(function: Callable[..., Any], *args: Any) -> Any:
        turn: Deferred[None] = Deferred()
        waiting.append((turn, function, args))
        await turn
        return function(*args)

    queue = Queue(tmp_path, in_thread, most=8)
    results: list[Any] = []
    for _ in range(10):
        put = queue.spool.put(OUTSIDE, InMemory(b"a"), b"", 5.0)
        Deferred.fromCoroutine(put).addBoth(results.append)
    commits = 0
    while waiting:
        turn, function, _ = waiting.pop(0)
        commits += function == queue.file.commit
        turn.callback(None)
    assert commits == 2
    assert [isinstance(one, str) for one in results] == [True] * 8 + [False] * 2
    results[8].trap(QueueFull)
    assert queue.file.count() == 8


def test_what_no_commit_names_is_swept_away(queue: Queue, tmp_path: Path) -> None:
    """A crash between the file and the commit leaves a file."""
    queue.put(content=LARGE)
    orphan = tmp_path / "queue" / "messages" / "orphan"
    orphan.write_bytes(b"half")
    queue = reopened(queue, tmp_path)
    assert not orphan.exists()
    assert run(queue.spool.content(queue.entries()[0]).octets()) == LARGE


def test_a_disk_that_refuses_leaves_nothing_behind(
    queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StoreFull):
        queue.put(content=LARGE)
    monkeypatch.undo()
    assert run(queue.spool.count()) == 0
    assert list((tmp_path / "queue" / "messages").iterdir()) == []
    queue.put(content=LARGE)


def test_a_full_database_refuses_and_goes_on_later(queue: Queue) -> None:
    """SQLite's own limit stands for a full disk."""
    writer = queue.file._changing()
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreFull):
        queue.put(content=b"x" * 60000)
    writer.execute(f"PRAGMA max_page_count = {pages + 1000}")
    queue.put(content=b"x" * 60000)
    assert run(queue.spool.count()) == 2
    assert queue.file.waiting == 1


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


@pytest.mark.parametrize(
    ("selected", "found"),
    [
        ({}, 3),
        ({"lane": "local"}, 1),
        ({"sender": "ALICE@example.com"}, 3),
        ({"sender": "example.com"}, 3),
        ({"sender": "le.com"}, 0),
        ({"recipient": "bob@example.com"}, 1),
        ({"recipient": "elsewhere.example"}, 1),
        ({"recipient": "e%.example"}, 0),
        ({"message": "2"}, 1),
        ({"message": "99999999999999999999"}, 0),
        ({"held": True}, 0),
        ({"held": False, "recipient": "b.example"}, 1),
    ],
)
def test_entries_are_selected(queue: Queue, selected: dict[str, Any], found: int) -> None:
    queue.put()
    queue.put(OUTSIDE)
    assert len(queue.entries(**selected)) == found


def test_holding_and_releasing(queue: Queue) -> None:
    queue.put()
    assert run(queue.spool.hold(Selection(lane="local"), HELD_BY_OPERATOR, "wait")) == 1
    assert run(queue.spool.hold(Selection(), HELD_BY_OPERATOR, "all")) == 1
    held, other = queue.entries()
    assert (held.held_by, held.held, other.held) == (HELD_BY_OPERATOR, "wait", "all")
    assert queue.take("local", 99.0).entries == ()
    assert run(queue.spool.lanes()) == []
    assert run(queue.spool.release(Selection(lane="local"), 200.0)) == 1
    (entry,) = queue.take("local", 200.0).entries
    assert (entry.due, entry.since, entry.held) == (5.0, 200.0, "")
    run(queue.spool.postpone(entry.number, 900.0, LastAttempt()))
    assert run(queue.spool.hasten(Selection(message=entry.message), 300.0)) == 1
    assert len(queue.take("local", 300.0).entries) == 1


def test_a_clock_put_back_does_not_prolong_waits(queue: Queue) -> None:
    queue.put(OUTSIDE)
    queue.put(MailTransaction(None, OUTSIDE.recipients, hold_until=9000.0))
    first = queue.entries()[0]
    run(queue.spool.postpone(first.number, 5000.0, LastAttempt()))
    run(queue.spool.turn_back(1000.0, 3600.0, 1000.0))
    assert [one.due for one in queue.entries()] == [1400.0, 9000.0]
    run(queue.spool.turn_back(1000.0, 3600.0, 1000.0))
    assert [one.due for one in queue.entries()] == [1000.0, 9000.0]


def test_nobody_else_can_read_it(queue: Queue, tmp_path: Path) -> None:
    queue.put(content=LARGE)
    (message,) = (tmp_path / "queue" / "messages").iterdir()
    assert message.stat().st_mode & 0o077 == 0
    assert (tmp_path / "queue" / "queue.sqlite").stat().st_mode & 0o077 == 0
    assert (tmp_path / "queue").stat().st_mode & 0o077 == 0


def test_a_closed_queue_takes_nothing(queue: Queue) -> None:
    run(queue.spool.close())
    for content in (b"a", LARGE):
        with pytest.raises(StoreFull):
            queue.put(content=content)
    with pytest.raises(StoreFull):
        run(queue.spool.count())


def test_a_directory_that_cannot_be_used_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "queue").write_text("a file")
    with pytest.raises(OSError):
        SpoolFile(tmp_path / "queue", 3).open()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "queue.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreCorrupt, match="move it away"):
        SpoolFile(tmp_path / "other", 3).open()


def test_a_database_of_a_later_version_is_left_alone(queue: Queue, tmp_path: Path) -> None:
    run(queue.spool.close())
    database = sqlite3.connect(tmp_path / "queue" / "queue.sqlite")
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(ConfigFault, match="later version"):
        SpoolFile(tmp_path / "queue", 3).open()


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        ("SELECT 1 FROM recipient WHERE lane = ? AND held_by = '' AND priority = ? AND due <= ? ORDER BY due", "lane"),
        ("SELECT min(due) FROM recipient WHERE lane = ? AND held_by = '' AND priority = ? AND due > ?", "lane"),
        ("SELECT lane, min(due) FROM recipient WHERE held_by = '' GROUP BY lane", "lane"),
        ("SELECT 1 FROM recipient WHERE noted = ? AND since <= ? AND held_by != 'operator' ORDER BY since", "since"),
        ("SELECT 1 FROM recipient WHERE held_by = 'lane' AND held_by != ''", "held"),
        ("SELECT 1 FROM recipient WHERE message = ?", "message"),
    ],
)
def test_a_long_queue_is_never_searched_from_end_to_end(queue: Queue, sql: str, index: str) -> None:
    """Every question that is asked again and again has an index, and needs no sorting."""
    values = (1,) * sql.count("?")
    plan = " ".join(row[3] for row in queue.file._looking().execute(f"EXPLAIN QUERY PLAN {sql}", values))
    assert f"INDEX recipient_{index}" in plan
    assert "TEMP B-TREE" not in plan


def test_what_arrives_is_told_as_it_is_found_later(queue: Queue) -> None:
    """Whoever is told of new entries need not look for them; those of each lane are told together."""
    told: dict[str, tuple[Entry, ...]] = {}
    queue.spool.arrived = lambda lane, due, new: told.update({lane: new})
    queue.put(replace(TRANSACTION, hold_until=9.0))
    queue.put(replace(OUTSIDE, reverse_path=None), LARGE)
    assert [one.lane for one in queue.entries()] == ["local", "profile:mine", "mx:b.example"]
    assert [told[one.lane] for one in queue.entries()] == [(one,) for one in queue.entries()]


def test_the_first_attempt_reads_nothing_from_disk(queue: Queue) -> None:
    queue.put(OUTSIDE, b"octets")
    (entry,) = queue.entries()
    queue.file.octets = forbidden  # type: ignore[method-assign]
    assert run(octets_of(queue, entry)) == b"octets"
    run(queue.spool.finish(entry))
    assert queue.entries() == []
    with pytest.raises(AssertionError):
        run(octets_of(queue, entry))


async def octets_of(queue: Queue, entry: Entry) -> bytes:
    return await queue.spool.content(entry).octets()


def test_what_is_kept_for_first_attempts_is_bounded(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are read from disk then."""
    monkeypatch.setattr("trekd.queue.spool.FRESH", 10)
    queue.put(OUTSIDE, b"123456")
    queue.put(OUTSIDE, b"abcde")
    older, newer = queue.entries()
    assert run(octets_of(queue, older)) == b"123456"
    queue.file.octets = forbidden  # type: ignore[method-assign]
    assert run(octets_of(queue, newer)) == b"abcde"
    with pytest.raises(AssertionError):
        run(octets_of(queue, older))


def forbidden(id: str) -> bytes | None:
    raise AssertionError("read from disk")


def test_one_change_that_fails_takes_back_nothing_but_itself(queue: Queue) -> None:
    """Of changes committed together: what one of them began is undone, the others are made, the count is right."""

    def broken() -> None:
        queue.file.add("never", OUTSIDE, ("mx:b.example",), b"x", 5.0)
        raise ValueError("a fault of ours")

    wanted = ["first", "second", "third", "fourth"]
    changes = [partial(queue.file.add, id, OUTSIDE, ("mx:b.example",), b"x", 5.0) for id in wanted]
    results = queue.file.commit([changes[0], broken, *changes[1:]])
    assert isinstance(results[1], ValueError)
    assert isinstance(results[4], QueueFull)
    assert [one.message for one in queue.entries()] == wanted[:3]


def test_a_file_of_a_change_that_is_tried_again_goes_once(queue: Queue) -> None:
    """What the first try of a commit would have removed is removed after the second, and only then."""
    queue.put(OUTSIDE, LARGE)
    (entry,) = queue.entries()
    there: list[bool] = []

    large = queue.file.path(entry.message)

    def broken() -> None:
        there.append(large.exists())
        raise ValueError("a fault of ours")

    queue.file.commit([partial(queue.file.finish, entry.number), broken])
    assert there == [True, True]
    assert not large.exists()
