"""
The queue on disk: one object per transaction, one row per recipient that waits.

A SQLite file holds the rows and the octets of small messages; larger messages are files beside it, synced before the
commit that names them.  What a commit does not name is swept away when the queue is opened, so a crash at any point
leaves whole messages or none.  Everything here blocks; L{trekd.queue.spool.Spool} runs it in threads of its caller's.

Two connections: changes go through one, many in one commit; whatever only looks uses the other and never waits for a
commit.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from trekd.errors import QueueFull, StoreCorrupt, StoreFull, TrekError
from trekd.queue import contents
from trekd.queue.database import AtomicChange, connect
from trekd.queue.entries import Taken
from trekd.queue.interfaces import EVERYTHING, HELD_BY_OPERATOR, Entry, LastAttempt, MailTransaction, Route, Selection
from trekd.queue.rows import ENTRY, Stored, condition, entries, insert_message, insert_recipients, new_entries
from trekd.queue.schema import migrate

log = Logger()

Change = Callable[[], Any]
"""One change of the queue; called inside a transaction."""


class SpoolFile:
    """
    The queue's files.  Calls block and come from any thread; changes must not overlap each other, looks not each
    other.

    @ivar waiting: messages that wait.
    """

    def __init__(
        self, directory: Path, max_messages: int, failpoint: Callable[[str], None] = lambda moment: None
    ) -> None:
        """
        @param failpoint: called with the names of moments at which tests kill the process.
        """
        self.waiting = 0
        self._directory = directory
        self._messages = directory / "messages"
        self._max_messages = max_messages
        self._failpoint = failpoint
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._unlinked: list[Path] = []
        self._is_directory_changed = False

    # Opening and closing

    def open(self) -> None:
        """
        Open or make the queue, and sweep away what no commit names.

        @raise OSError: the directory cannot be used.
        @raise StoreFull: the database cannot be opened now.
        @raise StoreCorrupt: the database is damaged.
        @raise ConfigFault: a later version wrote it.
        """
        for directory in (self._directory, self._messages):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._directory / "queue.sqlite"
        try:
            self._writer = connect(path)
            os.chmod(path, 0o600)
            migrate(self._writer)
            self._reader = connect(path)
            self._reader.execute("PRAGMA query_only = ON")
            self.waiting = int(self._reader.execute("SELECT count(*) FROM message").fetchone()[0])
            self._sweep(self._reader)
        except sqlite3.OperationalError as error:
            self.close()
            raise StoreFull(str(error)) from None
        except sqlite3.Error as error:
            self.close()
            raise StoreCorrupt(f"{path} is damaged ({error}); restore it, or move it away to begin anew") from None
        contents.sync(self._directory)

    def _sweep(self, database: sqlite3.Connection) -> None:
        named = {row[0] for row in database.execute("SELECT id FROM message WHERE is_file = 1")}
        for path in self._messages.iterdir():
            if path.name not in named:
                path.unlink()

    def close(self) -> None:
        """Close the files; a second call does nothing."""
        for database in (self._reader, self._writer):
            if database is not None:
                database.close()
        self._reader = self._writer = None

    def _changing(self) -> sqlite3.Connection:
        if self._writer is None:
            raise StoreFull("the queue is closed")
        return self._writer

    def _looking(self) -> sqlite3.Connection:
        if self._reader is None:
            raise StoreFull("the queue is closed")
        return self._reader

    # Many changes, one commit

    def commit(self, changes: Sequence[Change]) -> list[Any]:
        """
        Make changes in one transaction, durable when this returns.

        @return: for each change what it gave, or the exception that it raised; such a one changed nothing.
        @raise StoreFull: nothing was changed by any of them.
        """
        before = self.waiting
        try:
            database = self._changing()
            try:
                results = self._transact(database, [*changes])
            except (OSError, sqlite3.Error):
                raise
            except Exception:
                # One of them failed by itself: again, each for itself, which costs more.
                self.waiting = before
                self._unlinked.clear()
                results = self._transact(database, [partial(self._isolated, database, change) for change in changes])
        except (OSError, sqlite3.Error) as error:
            log.error("the queue cannot be changed: {reason}", reason=str(error))
            self.waiting = before
            self._unlinked.clear()
            raise StoreFull from None
        self._failpoint("after commit")
        self._is_directory_changed = False
        unlinked, self._unlinked = self._unlinked, []
        for path in unlinked:
            contents.remove(path)
        return results

    def _transact(self, database: sqlite3.Connection, changes: Sequence[Change]) -> list[Any]:
        """All of C{changes} in one transaction, or none when one of them raises."""
        with AtomicChange(database):
            results = [change() for change in changes]
            if self._is_directory_changed:
                contents.sync(self._messages)
            self._failpoint("before commit")
        return results

    def _isolated(self, database: sqlite3.Connection, change: Change) -> Any:
        """
        Make one change of a transaction; its own failure takes back nothing but itself.

        @raise sqlite3.Error: the whole transaction is at an end.
        """
        waiting, unlinked = self.waiting, len(self._unlinked)
        database.execute("SAVEPOINT change")
        try:
            result = change()
        except sqlite3.Error:
            raise
        except Exception as error:
            database.execute("ROLLBACK TO change")
            self.waiting = waiting
            del self._unlinked[unlinked:]
            if not isinstance(error, TrekError):
                log.failure("a change of the queue failed")
            result = error
        database.execute("RELEASE change")
        return result

    # Arrival

    def new_id(self, now: float) -> str:
        """An identifier for a message, in the order of arrival."""
        return f"{int(now * 1000):011x}{secrets.token_hex(6)}"

    def path(self, id: str) -> Path:
        """The file of a large message."""
        return self._messages / id

    def add(
        self, id: str, transaction: MailTransaction, lanes: tuple[str, ...], content: bytes | int, now: float
    ) -> tuple[Entry, ...]:
        """
        A change: queue a message.

        @param content: its octets, or the size of its file, which is there and synced.
        @return: what L{entries} finds of it.
        @raise QueueFull: the queue holds as much as it may.
        """
        if self.waiting >= self._max_messages:
            raise QueueFull
        database = self._changing()
        size = content if isinstance(content, int) else len(content)
        number = insert_message(database, id, transaction, Stored(size, isinstance(content, int)), now)
        if isinstance(content, int):
            self._is_directory_changed = True
        else:
            database.execute("INSERT INTO content VALUES (?, ?)", (number, content))
        numbers = insert_recipients(database, number, transaction, lanes, now)
        self.waiting += 1
        return new_entries(id, transaction, lanes, (tuple(numbers), size), now)

    # The course of an entry

    def postpone(self, number: int, due: float, last: LastAttempt) -> None:
        """A change: an attempt failed; try again at C{due}."""
        self._changing().execute(
            "UPDATE recipient SET attempts = attempts + 1, due = ?, failure = ?, host = ?, status = ?, tried = ? "
            "WHERE number = ?",
            (due, last.failure, last.host, last.status, last.time, number),
        )

    def finish(self, number: int) -> None:
        """A change: an entry is done with; its message goes with the last one."""
        database = self._changing()
        found = database.execute("DELETE FROM recipient WHERE number = ? RETURNING message", (number,)).fetchall()
        for row in found:
            gone = database.execute(
                "DELETE FROM message WHERE number = ?1 AND NOT EXISTS (SELECT 1 FROM recipient WHERE message = ?1) "
                "RETURNING id, is_file",
                row,
            ).fetchall()
            for id, is_file in gone:
                self.waiting -= 1
                if is_file:
                    self._unlinked.append(self.path(id))
                else:
                    database.execute("DELETE FROM content WHERE message = ?", row)

    def note(self, number: int) -> None:
        """A change: the sender was told of the delay, or is not to be."""
        self._changing().execute("UPDATE recipient SET noted = 1 WHERE number = ?", (number,))

    def move(self, number: int, route: Route, lane: str) -> None:
        """A change: an entry takes another route, or waits in another lane, from now on."""
        values = (route.kind.value, route.profile, lane, number)
        self._changing().execute("UPDATE recipient SET kind = ?, profile = ?, lane = ? WHERE number = ?", values)

    # What the operator asks for

    def hold(self, selection: Selection, by: str, why: str) -> int:
        """
        A change: hold entries that are not held.

        @return: how many.
        """
        where, values = condition(selection)
        return self._update(f"held_by = ?, held = ? WHERE held_by = '' AND {_within(where)}", [by, why, *values])

    def release(self, selection: Selection, now: float) -> int:
        """
        A change: let held entries go on, due at once.

        @return: how many.
        """
        where, values = condition(selection)
        changed = "held_by = '', held = '', due = min(due, ?), since = CASE held_by WHEN ? THEN ? ELSE since END"
        return self._update(
            f"{changed} WHERE held_by != '' AND {_within(where)}", [now, HELD_BY_OPERATOR, now, *values]
        )

    def hasten(self, selection: Selection, now: float) -> int:
        """
        A change: entries are due at once.

        @return: how many.
        """
        where, values = condition(selection)
        return self._update(f"due = ? WHERE due > ? AND {_within(where)}", [now, now, *values])

    def hasten_tried(self, lane: str, now: float) -> int:
        """
        A change: entries of a lane that were tried before are due at once; not what is held or is to leave later.

        @return: how many.
        """
        return self._update("due = ? WHERE due > ? AND attempts > 0 AND lane = ? AND held_by = ''", [now, now, lane])

    def _update(self, assignment: str, values: Sequence[Any]) -> int:
        return self._changing().execute(f"UPDATE recipient SET {assignment}", values).rowcount

    def drop(self, selection: Selection) -> int:
        """
        A change: remove entries without a word to anybody.

        @return: how many.
        """
        where, values = condition(selection)
        numbers = self._changing().execute(f"SELECT recipient.number FROM {_JOINED} WHERE {where}", values).fetchall()
        for (number,) in numbers:
            self.finish(number)
        return len(numbers)

    def turn_back(self, now: float, by: float, beyond: float) -> None:
        """A change: what waits for longer than C{beyond} because the clock was wrong, by so many seconds, does not."""
        self._changing().execute(
            "UPDATE recipient SET due = max(?1, due - ?2), since = min(since, ?1) WHERE (due > ?3 OR since > ?3) "
            "AND NOT EXISTS (SELECT 1 FROM message WHERE number = message AND hold_until > ?1)",
            (now, by, beyond),
        )

    def turn_forward(self, now: float, by: float) -> None:
        """A change: the clock leapt by so many seconds, which no message has waited."""
        self._changing().execute("UPDATE recipient SET since = min(?1, since + ?2) WHERE since < ?1", (now, by))

    # Suppressed addresses

    def suppress(self, row: tuple[Any, ...]) -> None:
        """A change: an account's mail to an address is refused for a time; see the columns of the table."""
        self._changing().execute("INSERT OR REPLACE INTO suppressed VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def unsuppress(self, keys: Sequence[tuple[str, str]]) -> None:
        """A change: that is no longer so for accounts and addresses."""
        self._changing().executemany("DELETE FROM suppressed WHERE principal = ? AND address = ?", keys)

    def suppressed(self, now: float) -> list[tuple[Any, ...]]:
        """What is suppressed and has not ended."""
        return self._looking().execute("SELECT * FROM suppressed WHERE until > ?", (now,)).fetchall()

    # Looking

    def take(self, lane: str, now: float, limit: int, without: frozenset[int] = frozenset()) -> Taken:
        """
        What a lane has due.

        @param without: numbers of entries to leave out.
        """
        found: list[Entry] = []
        database = self._looking()
        later: list[float] = []
        for priority in (0, 1):
            wanted = limit - len(found)
            rows = database.execute(
                f"{ENTRY} WHERE lane = ? AND held_by = '' AND recipient.priority = ? AND due <= ? "
                "ORDER BY due, recipient.number LIMIT ?",
                (lane, priority, now, wanted + len(without) + 1),
            )
            due = [one for one in entries(rows.fetchall()) if one.number not in without]
            found += due[:wanted]
            if len(due) > wanted:
                later.append(now)
            (least,) = database.execute(
                "SELECT min(due) FROM recipient WHERE lane = ? AND held_by = '' AND priority = ? AND due > ?",
                (lane, priority, now),
            ).fetchone()
            later += [least] if least is not None else []
        return Taken(tuple(found), min(later, default=None))

    def lanes(self) -> list[tuple[str, float]]:
        """Every lane in which something waits that is not held, and when its first is due."""
        return (
            self._looking().execute("SELECT lane, min(due) FROM recipient WHERE held_by = '' GROUP BY lane").fetchall()
        )

    def closed_lanes(self, lane: str | None = None) -> list[tuple[str, str, str, float]]:
        """
        Lanes with entries held for their sake, or one of them.

        @return: the lane, why, each account with mail there, and when that was tried last, Unix seconds.
        """
        # The partial index is used only where its condition is repeated.
        sql = f"SELECT lane, held, coalesce(principal, ''), coalesce(max(tried), 0) FROM {_JOINED} "
        sql += "WHERE held_by = 'lane' AND held_by != ''"
        if lane is None:
            return self._looking().execute(f"{sql} GROUP BY 1, 2, 3").fetchall()
        return self._looking().execute(f"{sql} AND lane = ? GROUP BY 1, 2, 3", (lane,)).fetchall()

    def older(self, noted: bool, since: float, limit: int) -> tuple[Entry, ...]:
        """Entries whose age counts from C{since} or before, oldest first, unless the operator holds them."""
        rows = self._looking().execute(
            f"{ENTRY} WHERE noted = ? AND since <= ? AND held_by != ? ORDER BY since LIMIT ?",
            (noted, since, HELD_BY_OPERATOR, limit),
        )
        return entries(rows.fetchall())

    def entries(self, limit: int, selection: Selection = EVERYTHING) -> tuple[Entry, ...]:
        """At most C{limit} entries, oldest first."""
        where, values = condition(selection)
        rows = self._looking().execute(f"{ENTRY} WHERE {where} ORDER BY recipient.number LIMIT ?", [*values, limit])
        return entries(rows.fetchall())

    def count(self) -> int:
        """Recipients' copies that wait."""
        return int(self._looking().execute("SELECT count(*) FROM recipient").fetchone()[0])

    def census(self) -> list[tuple[str, str, int, float]]:
        """Entries by kind of route and by who holds them: how many, and since when the oldest waits."""
        return (
            self._looking()
            .execute("SELECT kind, held_by, count(*), min(since) FROM recipient GROUP BY kind, held_by")
            .fetchall()
        )

    def octets(self, id: str) -> bytes | None:
        """
        A small message's octets, C{None} for one that has a file.

        @raise StoreCorrupt: there is no such message.
        """
        row = (
            self._looking()
            .execute("SELECT octets FROM message LEFT JOIN content ON message = number WHERE id = ?", (id,))
            .fetchone()
        )
        if row is None:
            raise StoreCorrupt(f"queued message {id} is gone")
        return bytes(row[0]) if row[0] is not None else None

    def piece(self, id: str, offset: int, length: int) -> bytes:
        """
        Octets of a large message.

        @raise StoreCorrupt: they are not there.
        """
        try:
            return contents.piece(self.path(id), offset, length)
        except OSError:
            raise StoreCorrupt(f"queued message {id} is gone") from None


_JOINED = "recipient JOIN message ON message.number = recipient.message"


def _within(where: str) -> str:
    return f"recipient.number IN (SELECT recipient.number FROM {_JOINED} WHERE {where})"
