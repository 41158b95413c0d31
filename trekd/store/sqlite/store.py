"""
All accounts on SQLite.

The files under the data directory::

    store.lock                  held while the store is open: one process at a time
    incoming/                   messages that are arriving
    accounts/ADDRESS/mail.db    one account's database, with its write-ahead log beside it
    accounts/ADDRESS/bodies/    one file for each large message
    accounts/ADDRESS/text.db    index of the messages' text, which can be made again
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from twisted.internet.defer import Deferred, DeferredLock
from zope.interface import implementer

from trekd.errors import ConfigFault, StoreBusy, StoreFull, TrekError
from trekd.store.feed import ChangeFeed
from trekd.store.interfaces import ChangeListener, IMessageSink, IStore, MessageReader
from trekd.store.sinks import FileSink, remove_leftovers
from trekd.store.sqlite.account import SQLiteAccount, Surroundings
from trekd.store.sqlite.connections import Connections
from trekd.store.sqlite.database import library, value
from trekd.store.sqlite.indexing import Indexer
from trekd.store.sqlite.opening import make_ready
from trekd.store.sqlite.paths import AccountFiles, principal_of, sync_directory
from trekd.store.sqlite.queue import Workshop
from trekd.store.sqlite.threads import Threads
from trekd.store.sqlite.transactions import Limits
from trekd.store.sqlite.views import KnownViews
from trekd.values import UID, MailboxId, PrincipalId


@dataclass(frozen=True, slots=True)
class Settings:
    """
    How the store works (the configuration's C{[store]}).

    @ivar data_dir: the directory for all of it.
    @ivar engine: C{apsw}, C{sqlite3} or C{auto}.
    @ivar open_databases: idle connections kept.
    @ivar body_file_threshold: octets; larger messages get files.
    @ivar text_index: whether the text of messages is indexed.
    """

    data_dir: Path
    engine: str = "auto"
    open_databases: int = 200
    reader_threads: int = 4
    writer_threads: int = 4
    body_file_threshold: int = 64 * 1024
    limits: Limits = field(default_factory=Limits)
    text_index: bool = True


def _pass(moment: str) -> None:
    """The failpoint of every day: nothing happens."""


@implementer(IStore)
class SQLiteStore:
    """
    The accounts of one data directory.

    @ivar is_closed: L{close} was called.
    """

    def __init__(
        self, settings: Settings, reader: MessageReader, reactor: Any, failpoint: Callable[[str], None] = _pass
    ) -> None:
        """
        @param reactor: C{callFromThread}, and C{seconds} for dates and UIDVALIDITY.
        @param failpoint: called in the store's threads with the names of moments at which tests kill the process.
        @raise ConfigFault: another process has the store open, or its files cannot be made.
        """
        self._accounts_directory = settings.data_dir / "accounts"
        self._incoming = settings.data_dir / "incoming"
        self._threshold = settings.body_file_threshold
        self._open_database = library(settings.engine)
        self._lock = self._locked(settings.data_dir)
        self._threads = Threads(reactor, settings.reader_threads, settings.writer_threads)
        self._connections = Connections(self._open_database, settings.open_databases)
        self._feed = ChangeFeed(reactor.callFromThread)
        self._untold: dict[MailboxId, UID] = {}
        shop = Workshop(
            self._threads,
            self._connections,
            KnownViews(),
            settings.limits,
            reactor.seconds,
            reactor.callFromThread,
            settings.body_file_threshold,
            failpoint,
            Indexer(self._open_database, self._connections, reader, settings.text_index),
        )
        self._shop = shop
        self._surroundings = Surroundings(shop, reader, self._feed, self._untold, self._require_open)
        self._ready: dict[PrincipalId, AccountFiles] = {}
        self._accounts: WeakValueDictionary[PrincipalId, SQLiteAccount] = WeakValueDictionary()
        self._locks: WeakValueDictionary[PrincipalId, DeferredLock] = WeakValueDictionary()
        self._validities: dict[PrincipalId, int] = {}
        self.is_closed = False

    async def open(self, principal: PrincipalId, quota: int = 0) -> SQLiteAccount:
        """The account's store, made when it does not exist."""
        self._require_open()
        account = self._accounts.get(principal)
        if account is None:
            account = await self._one_at_a_time(principal, self._opened)
        account.limit(quota)
        return account

    async def accounts(self) -> tuple[PrincipalId, ...]:
        """The accounts that have a store, sorted."""
        self._require_open()
        return await self._threads.read(self._stored_accounts)

    async def remove(self, principal: PrincipalId) -> None:
        """Remove an account's store; for whoever holds it, it has no mailboxes."""
        self._require_open()
        await self._one_at_a_time(principal, self._removed)

    def receive(self) -> IMessageSink:
        """A sink that becomes a file when the message is large."""
        self._require_open()
        sink: IMessageSink = FileSink(self._incoming, self._threads.write, self._threshold)
        return sink

    def subscribe(self, principal: PrincipalId, listener: ChangeListener) -> Callable[[], None]:
        """Hints after each commit that changed the account."""
        return self._feed.subscribe(principal, listener)

    async def close(self) -> None:
        """Finish what was accepted, then close everything."""
        if self.is_closed:
            return
        self.is_closed = True
        await self._threads.idle()
        self._shop.indexer.stop()
        await self._threads.write(self._connections.close)
        self._threads.stop()
        os.close(self._lock)

    # How it is done

    def _require_open(self) -> None:
        if self.is_closed:
            raise StoreBusy("the store is closed")

    def _locked(self, directory: Path) -> int:
        """Make the directories and take the lock."""
        try:
            for path in (directory, self._accounts_directory, self._incoming):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(directory / "store.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigFault(f"{directory}: {error.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise ConfigFault(f"{directory}: another process has this store open") from None
        remove_leftovers(self._incoming)
        return lock

    async def _one_at_a_time(self, principal: PrincipalId, function: Any) -> Any:
        """Opening and removing of one account never overlap."""
        lock = self._locks.setdefault(principal, DeferredLock())
        await lock.acquire()
        try:
            return await function(principal)
        finally:
            lock.release()

    async def _opened(self, principal: PrincipalId) -> SQLiteAccount:
        account = self._accounts.get(principal)
        if account is not None:
            return account
        files = self._ready.get(principal)
        if files is None:
            files = AccountFiles(self._accounts_directory, principal)
            await self._make_ready(files)
            self._ready[principal] = files
        account = self._accounts[principal] = SQLiteAccount(files, self._surroundings)
        return account

    def _make_ready(self, files: AccountFiles) -> Deferred[None]:
        shop = self._shop
        validity = self._validities.get(files.principal, 0)
        return self._threads.write(lambda: make_ready(files, shop.connections, shop.views, shop.seconds(), validity))

    async def _removed(self, principal: PrincipalId) -> None:
        account = self._accounts.pop(principal, None)
        files = self._ready.pop(principal, None) or AccountFiles(self._accounts_directory, principal)
        if account is not None:
            await account.settled()
        files.removed = True
        validity = await self._threads.write(lambda: self._remove_files(files))
        self._validities[principal] = max(validity, self._validities.get(principal, 0))

    def _remove_files(self, files: AccountFiles) -> int:
        """
        Remove the directory.

        @return: the last UIDVALIDITY that the account gave, 0 if it is not known.
        """
        validity = self._last_validity(files)
        self._connections.forget(files)
        grave = self._accounts_directory / f".{secrets.token_hex(12)}"
        try:
            os.rename(files.directory, grave)
        except FileNotFoundError:
            return validity
        except OSError as error:
            raise StoreFull(f"{files.directory}: {error.strerror}") from None
        sync_directory(self._accounts_directory)
        shutil.rmtree(grave, ignore_errors=True)
        return validity

    def _last_validity(self, files: AccountFiles) -> int:
        try:
            with self._connections.lent(AccountFiles(self._accounts_directory, files.principal)) as database:
                return int(value(database, "SELECT uid_validity FROM account") or 0)
        except TrekError:
            return 0

    def _stored_accounts(self) -> tuple[PrincipalId, ...]:
        found = []
        for name in os.listdir(self._accounts_directory):
            if not name.startswith("."):
                principal = principal_of(name) or self._owner(name)
                if principal is not None:
                    found.append(principal)
        return tuple(sorted(found))

    def _owner(self, name: str) -> PrincipalId | None:
        """The principal that the database in a directory names."""
        database = self._open_database(self._accounts_directory / name / "mail.db")
        try:
            return PrincipalId(value(database, "SELECT principal FROM account"))
        finally:
            database.close()
