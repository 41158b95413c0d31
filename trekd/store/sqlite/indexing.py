"""
Keeping the indexes of text up: one thread for all accounts, which works where mail arrived and it is quiet again.
"""

from __future__ import annotations

import heapq
import time
from threading import Condition, Thread

from twisted.logger import Logger

from trekd.errors import NoSuchMailbox, StoreCorrupt, TrekError
from trekd.store.interfaces import MessageReader
from trekd.store.sqlite import textindex, upkeep
from trekd.store.sqlite.connections import Connections
from trekd.store.sqlite.database import OpenDatabase
from trekd.store.sqlite.paths import AccountFiles
from trekd.store.sqlite.textindex import Answers
from trekd.store.terms import BodyText

QUIET = 3.0
"""Seconds without new mail after which an account's is indexed."""
LONGEST = 30.0
"""Seconds after which it is indexed though more keeps coming."""
WHILE = 0.3
"""Seconds of work for who waits for it."""
AT_ONCE = 32
"""Messages of one transaction; other accounts have their turn between two."""


class Indexer:
    """
    Any thread may call anything but L{_serve}.

    @ivar is_on: whether text is indexed at all.
    """

    _log = Logger()

    def __init__(
        self, open_database: OpenDatabase, connections: Connections, reader: MessageReader, is_on: bool
    ) -> None:
        self.is_on = is_on
        self._open_database = open_database
        self._connections = connections
        self._reader = reader
        self._changed = Condition()
        self._waiting: dict[AccountFiles, tuple[float, float]] = {}
        self._turns: list[tuple[float, int, AccountFiles]] = []
        self._count = 0
        self._is_stopped = False
        self._thread: Thread | None = None

    def ask(self, files: AccountFiles, terms: list[BodyText]) -> Answers:
        """What an account's index knows; nothing when it cannot be used."""
        if not self.is_on:
            return Answers()
        try:
            return textindex.ask(self._open_database, files, terms, self._reader)
        except StoreCorrupt:
            self._discard(files)
        except TrekError:
            self._log.failure("the text index of {who} cannot be read", who=files.principal)
        return Answers()

    def touch(self, files: AccountFiles, soon: bool = False) -> None:
        """There are messages to be indexed, C{soon} or when the account is quiet."""
        if not self.is_on:
            return
        now = time.monotonic()
        with self._changed:
            waiting = self._waiting.get(files)
            first = waiting[0] if waiting is not None else now
            self._waiting[files] = first, now if soon else min(now + QUIET, first + LONGEST)
            if waiting is None or soon:
                self._push(files)
            if self._thread is None and not self._is_stopped:
                self._thread = Thread(target=self._serve, name="store indexer", daemon=True)
                self._thread.start()

    def add(self, files: AccountFiles, most: int = AT_ONCE) -> int:
        """
        Index the next messages of an account; in any thread that may wait.

        @return: how many.
        @raise TrekError: it cannot be done now.
        """
        with (
            textindex.opened(self._open_database, files) as index,
            self._connections.lent(files) as mail,
        ):
            if textindex.is_mostly_gone(index, mail):
                textindex.empty(index)
            added = textindex.add(index, mail, files, self._reader, most)
            upkeep.checkpoint(index)
        return added

    def work(self, files: AccountFiles) -> tuple[int, int]:
        """
        Index messages for a while.

        @return: as L{progress}.
        """
        end = time.monotonic() + WHILE
        try:
            while self.add(files) and time.monotonic() < end:
                pass
            return self.progress(files)
        except StoreCorrupt:
            self._discard(files)
            return 0, 1

    def progress(self, files: AccountFiles) -> tuple[int, int]:
        """How many messages of an account are indexed, and how many there are."""
        with textindex.opened(self._open_database, files) as index, self._connections.lent(files) as mail:
            return textindex.progress(index, mail)

    def empty(self, files: AccountFiles) -> None:
        """Forget all of an account's text."""
        try:
            with textindex.opened(self._open_database, files) as index:
                textindex.empty(index)
        except StoreCorrupt:
            self._discard(files)

    def stop(self) -> None:
        """End the thread, after the transaction that it is at."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    # --- In the thread --------------------------------------------------------------------------------

    def _serve(self) -> None:
        while (files := self._next()) is not None:
            try:
                if self.add(files):
                    self.touch(files, soon=True)
            except NoSuchMailbox:
                pass  # the account was removed
            except StoreCorrupt:
                self._discard(files)
                self.touch(files)
            except Exception:
                self._log.failure("the text of {who} could not be indexed", who=files.principal)

    def _next(self) -> AccountFiles | None:
        """The account whose turn has come; C{None} at the end."""
        with self._changed:
            while not self._is_stopped:
                if not self._turns:
                    self._changed.wait()
                    continue
                left = self._turns[0][0] - time.monotonic()
                if left > 0:
                    self._changed.wait(left)
                    continue
                _, _, files = heapq.heappop(self._turns)
                waiting = self._waiting.get(files)
                if waiting is None:
                    continue
                if waiting[1] > time.monotonic():
                    self._push(files)
                    continue
                del self._waiting[files]
                return files
        return None

    def _push(self, files: AccountFiles) -> None:
        self._count += 1
        heapq.heappush(self._turns, (self._waiting[files][1], self._count, files))
        self._changed.notify()

    def _discard(self, files: AccountFiles) -> None:
        self._log.error("the text index of {who} is damaged and is made anew", who=files.principal)
        textindex.discard(files)
