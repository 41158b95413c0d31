"""
One account's store: what IMAP asks, as reads in reader threads and changes in the account's queue.

What sessions ask most often (counters, whether anything changed) is answered from the counters of the last commit,
which are kept in the reactor's thread and change there only, in the order of the commits.
"""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from twisted.internet.defer import Deferred
from zope.interface import implementer

from trekd.errors import NoSuchMailbox, Unavailable
from trekd.store.collections import ICollections
from trekd.store.feed import ChangeFeed
from trekd.store.interfaces import (
    NO_MAILBOX,
    Appended,
    Column,
    Copied,
    FlagOperation,
    IAccountStore,
    LineTemplate,
    Listing,
    MailboxChanges,
    MailboxState,
    MailboxView,
    MessageReader,
    NewMessage,
    Selection,
)
from trekd.store.naming import listing_order
from trekd.store.sqlite import entries, hierarchy, mailboxes, previews, transfer
from trekd.store.sqlite.arrival import Arrivals
from trekd.store.sqlite.batches import Append, Committed, Operation
from trekd.store.sqlite.check import complaints
from trekd.store.sqlite.collections import Desk, SQLiteCollections
from trekd.store.sqlite.database import Database, reading
from trekd.store.sqlite.flagging import Wanted, change_flags
from trekd.store.sqlite.listing import Rendering
from trekd.store.sqlite.paths import AccountFiles
from trekd.store.sqlite.queue import Workshop, WriteQueue
from trekd.store.sqlite.repair import repair
from trekd.store.sqlite.search import Search
from trekd.store.sqlite.selecting import (
    Opened,
    changed_since,
    highest_modseq,
    keep_snapshot,
    open_mailbox,
    vanished_since,
)
from trekd.store.sqlite.states import States
from trekd.store.sqlite.threads import caught
from trekd.store.sqlite.transactions import Transaction
from trekd.store.sqlite.views import Known
from trekd.store.terms import (
    Term,
)
from trekd.values import UID, Flag, MailboxId, MailboxName, ModSeq, PrincipalId

T = TypeVar("T")

_MANY = 100
"""A search that had to ask so many messages for their text has them indexed."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """
    What an account needs of its store.

    @ivar untold: by mailbox, the first UID that no session was told of; none when all were told.
    @ivar require_open: raises C{StoreBusy} when the store is closed.
    """

    shop: Workshop
    reader: MessageReader
    feed: ChangeFeed
    untold: dict[MailboxId, UID]
    require_open: Callable[[], None]


@implementer(IAccountStore)
class SQLiteAccount:
    """The store of one account; all holders share it."""

    def __init__(self, files: AccountFiles, surroundings: Surroundings) -> None:
        self.principal: PrincipalId = files.principal
        self._files = files
        self._around = surroundings
        self._shop = surroundings.shop
        self._queue = WriteQueue(files, surroundings.shop, self._committed)
        self._states: States | None = None
        self._latest = Committed(())
        self._has_previews = False
        desk = Desk(self._read_now, self._submit, surroundings.require_open)
        self._collections = SQLiteCollections(files, surroundings.shop, desk)

    def __conform__(self, interface: object) -> SQLiteCollections | None:
        """The account's collections, when they are asked for."""
        return self._collections if interface is ICollections else None

    @property
    def quota(self) -> int:
        """Octets; 0 is no limit."""
        return self._queue.quota

    def limit(self, quota: int) -> None:
        """Set the quota in octets; 0 is no limit."""
        self._queue.quota = quota

    def settled(self) -> Deferred[None]:
        """Fires when all that was asked before is done."""
        return self._write(lambda _: None)

    # Mailboxes

    async def mailboxes(self) -> tuple[MailboxState, ...]:
        """All mailboxes, INBOX first."""
        self._around.require_open()
        if self._files.removed:
            return ()
        states = await self._current_states()
        return tuple(sorted(states.by_id.values(), key=lambda state: listing_order(state.name)))

    async def mailbox(self, name: MailboxName) -> MailboxState:
        """One mailbox's counters."""
        self._around.require_open()
        return (await self._current_states()).named(name)

    def create(self, name: MailboxName, special_use: tuple[str, ...] = ()) -> Deferred[MailboxState]:
        """Make a mailbox and the superior ones that are missing."""
        return self._write(partial(hierarchy.create, name=name, special_use=special_use))

    def delete(self, name: MailboxName) -> Deferred[None]:
        """Remove a mailbox and its messages."""
        return self._write(partial(hierarchy.delete, name=name))

    def rename(self, source: MailboxName, target: MailboxName) -> Deferred[None]:
        """Rename a mailbox and its inferior ones, or empty INBOX into the target."""
        return self._write(partial(hierarchy.rename, source=source, target=target))

    def subscribe(self, name: MailboxName) -> Deferred[None]:
        """Add a name to the subscriptions."""
        return self._write(partial(hierarchy.subscribe, name=name))

    def unsubscribe(self, name: MailboxName) -> Deferred[None]:
        """Remove a name from the subscriptions."""
        return self._write(partial(hierarchy.unsubscribe, name=name))

    async def subscriptions(self) -> tuple[MailboxName, ...]:
        """Subscribed names, sorted."""
        self._around.require_open()
        return () if self._files.removed else await self._read(hierarchy.subscriptions)

    # Annotations

    async def annotations(self, mailbox: MailboxId | None = None) -> Mapping[MailboxId, Mapping[str, bytes]]:
        """Values by mailbox and entry."""
        self._around.require_open()
        return {} if self._files.removed else await self._read_at_once(partial(entries.read, mailbox=mailbox))

    def annotate(self, mailbox: MailboxId, values: Mapping[str, bytes | None]) -> Deferred[None]:
        """Set entries, or remove them."""
        return self._write(partial(entries.annotate, mailbox=mailbox, values=values))

    async def annotated(self, since: ModSeq) -> tuple[ModSeq, Mapping[MailboxId, tuple[str, ...]]]:
        """Entries set or removed behind C{since}."""
        self._around.require_open()
        if self._files.removed:
            return since, {}
        return await self._read_at_once(partial(entries.changed, since=since))

    # Reading

    async def open(self, name: MailboxName) -> Selection:
        """What SELECT needs."""
        self._around.require_open()
        opened: Opened = await self._read_at_once(partial(open_mailbox, name=name, views=self._shop.views))
        known = self._shared(opened.known)
        return Selection(opened.state, known.view, opened.first_unseen, known.keywords)

    async def changes(self, mailbox: MailboxId, since: ModSeq) -> MailboxChanges:
        """What happened behind C{since}; nothing is read when nothing did and its view is in use."""
        self._around.require_open()
        state = (await self._current_states()).identified(mailbox)
        if state.modseq <= since:
            same = self._shop.views.newest(mailbox, state.modseq)
            if same is not None and same.view.modseq == state.modseq:
                return MailboxChanges(same.view, array("I"), same.keywords)
        known, changed = await self._read_at_once(
            partial(changed_since, mailbox=mailbox, since=since, views=self._shop.views)
        )
        known = self._shared(known)
        return MailboxChanges(known.view, changed, known.keywords)

    async def vanished(self, mailbox: MailboxId, since: ModSeq) -> array[int] | None:
        """UIDs expunged behind C{since}, C{None} when that is no longer recorded."""
        self._around.require_open()
        if (await self._current_states()).identified(mailbox).modseq <= since:
            return array("I")
        return await self._read_at_once(partial(vanished_since, mailbox=mailbox, since=since))

    async def claim_recent(self, mailbox: MailboxId) -> UID:
        """The first UID that no session was told of yet."""
        self._around.require_open()
        state = (await self._current_states()).identified(mailbox)
        return self._around.untold.pop(mailbox, state.uid_next)

    async def list_messages(
        self, view: MailboxView, positions: tuple[range, ...], template: LineTemplate
    ) -> AsyncIterator[Listing]:
        """Render one response per message; while a piece is in use, the next ones are read."""
        self._around.require_open()
        if self._files.removed:
            return
        if Column.PREVIEW in template.items:
            await self._make_previews(view, positions)
        rendering = Rendering(view, positions, template, self._files)
        under_way: Deferred[tuple[list[Listing], bool]] | None = self._read(rendering.read)
        try:
            while under_way is not None:
                pieces, was_last = await under_way
                under_way = None if was_last else self._read(rendering.read)
                for piece in pieces:
                    yield piece
        finally:
            if under_way is None:
                rendering.close()
            else:
                under_way.addBoth(lambda _: rendering.close())

    async def _make_previews(self, view: MailboxView, positions: tuple[range, ...]) -> None:
        """Store the previews that are missing; where that is not possible there are none."""
        if self._has_previews:
            return
        self._has_previews = await self._read(previews.are_complete)
        if self._has_previews:
            return
        try:
            emails = await self._read(partial(previews.missing, view=view, positions=positions))
            while emails:
                some, emails = emails[: previews.AT_ONCE], emails[previews.AT_ONCE :]
                make = partial(previews.made, emails=some, reader=self._around.reader, files=self._files)
                await self._write(partial(previews.keep, previews=await self._read(make)))
        except (NoSuchMailbox, Unavailable):
            pass  # expunged, or the disk is full: the listing says which messages there are

    async def search(self, view: MailboxView, query: Term) -> array[int]:
        """UIDs of the messages in the view that match."""
        self._around.require_open()
        ask = partial(self._shop.indexer.ask, self._files)
        search = Search(view, query, self._around.reader, self._files, ask)
        while not self._files.removed and not await self._read(search.step):
            self._around.require_open()
        if search.asked_themselves > _MANY:
            self._shop.indexer.touch(self._files, soon=True)
        return search.found

    async def highest_modseq(self, mailbox: MailboxId, uids: array[int]) -> ModSeq:
        """The highest modification sequence among messages."""
        self._around.require_open()
        return ModSeq(await self._read_at_once(partial(highest_modseq, mailbox=mailbox, uids=uids)))

    # Writing

    def append(self, name: MailboxName, messages: Sequence[NewMessage]) -> Deferred[Appended]:
        """Add messages, all or none."""
        arrivals = Arrivals(name, self._files, self._around.reader, self._shop.threshold, self._shop.threads.write)
        return self._submit(Append(arrivals.add, messages, arrivals))

    def replace(self, mailbox: MailboxId, uid: UID, name: MailboxName, message: NewMessage) -> Deferred[Appended]:
        """Add a message and remove another in one step."""
        arrivals = Arrivals(name, self._files, self._around.reader, self._shop.threshold, self._shop.threads.write)

        def apply(transaction: Transaction) -> Appended:
            # The room of the old message is the new one's; without a commit it stays.
            transfer.remove(transaction, mailbox, uid)
            return arrivals.add(transaction)

        return self._submit(Append(apply, [message], arrivals))

    def copy(self, view: MailboxView, positions: tuple[range, ...], target: MailboxName) -> Deferred[Copied]:
        """Copy messages, all or none."""
        return self._write(partial(transfer.copy, view=view, positions=positions, target=target))

    def move(self, view: MailboxView, positions: tuple[range, ...], target: MailboxName) -> Deferred[Copied]:
        """Move messages in one step."""
        return self._write(partial(transfer.move, view=view, positions=positions, target=target))

    def change_flags(
        self,
        view: MailboxView,
        positions: tuple[range, ...],
        operation: FlagOperation,
        flags: frozenset[Flag],
        unchanged_since: ModSeq | None = None,
    ) -> Deferred[MailboxChanges]:
        """Change flags, all in one modification sequence."""
        wanted = Wanted(view, positions, operation, flags, unchanged_since)
        changing = self._write(partial(change_flags, wanted=wanted))
        return changing.addCallback(self._shared_changes)

    def expunge(self, mailbox: MailboxId, uids: array[int] | None = None) -> Deferred[array[int]]:
        """Remove the messages with C{\\Deleted}."""
        return self._write(partial(transfer.expunge, mailbox=mailbox, uids=uids))

    # Care

    async def usage(self) -> tuple[int, int]:
        """(octets, messages) counted against the quota."""
        self._around.require_open()
        if self._files.removed:
            return 0, 0
        octets, messages = (await self._read(_usage))[0]
        return octets, messages

    async def index_text(self, anew: bool = False) -> tuple[int, int]:
        """Work on the index of messages' text."""
        self._around.require_open()
        indexer = self._shop.indexer
        if self._files.removed or not indexer.is_on:
            messages = (await self.usage())[1]
            return messages, messages
        if anew:
            await self._shop.threads.read(lambda: indexer.empty(self._files))
        return await self._shop.threads.read(lambda: indexer.work(self._files))

    async def check(self) -> tuple[str, ...]:
        """One line for each invariant that does not hold; changes wait meanwhile."""
        self._around.require_open()
        if self._files.removed:
            return ()
        return await self._write(complaints)

    async def repair(self) -> tuple[str, ...]:
        """Mend what can be mended; changes wait meanwhile, and the index of text is made anew."""
        self._around.require_open()
        if self._files.removed:
            return ()
        told = await self._write(partial(repair, reader=self._around.reader))
        if told and self._shop.indexer.is_on:
            await self._shop.threads.read(lambda: self._shop.indexer.empty(self._files))
        return told

    # How it is done

    def _read(self, function: Callable[[Database], T]) -> Deferred[T]:
        """Call C{function} with a connection, in a reader thread."""

        def read() -> T:
            with self._shop.connections.lent(self._files) as database:
                return function(database)

        return self._shop.threads.read(read)

    def _read_at_once(self, function: Callable[[Database], T]) -> Deferred[T]:
        """As L{_read}, where all that C{function} reads is of one commit."""

        def read(database: Database) -> T:
            with reading(database):
                return function(database)

        return self._read(read)

    def _read_now(self, function: Callable[[Database], T]) -> Deferred[T]:
        """As L{_read_at_once}, while the store is open."""
        self._around.require_open()
        return self._read_at_once(function)

    def _write(self, apply: Callable[[Transaction], T]) -> Deferred[T]:
        return self._submit(Operation(apply))

    def _submit(self, operation: Operation[T]) -> Deferred[T]:
        try:
            self._around.require_open()
            if self._files.removed:
                raise NoSuchMailbox("the account was removed")
        except Exception:
            operation.done.errback(caught())
            return operation.done
        return self._queue.submit(operation)

    async def _current_states(self) -> States:
        """The counters of the last commit; they come through the queue, so that no commit is missed."""
        if self._states is None:
            loaded = await self._write(lambda transaction: mailboxes.states(transaction.database))
            if self._states is None:
                self._states = States(loaded)
                # Others of the same batch came behind what was read.
                self._update(self._states, self._latest)
        return self._states

    def _committed(self, committed: Committed) -> None:
        """Take over what a batch did, in the reactor's thread, before its results are delivered."""
        self._collections.committed(committed)
        for mailbox, first in committed.arrived:
            self._around.untold.setdefault(mailbox, UID(first))
        if committed.arrived:
            self._shop.indexer.touch(self._files)
        for mailbox, _ in committed.deleted:
            self._around.untold.pop(mailbox, None)
            self._shop.views.forget(mailbox)
        self._latest = committed
        if self._states is not None:
            self._update(self._states, committed)
        for mailbox, modseq in committed.deleted:
            self._around.feed.tell(self.principal, mailbox, ModSeq(modseq))
        for state in committed.states:
            self._around.feed.tell(self.principal, state.id, state.modseq)
        if committed.is_account_changed:
            self._around.feed.tell(self.principal, NO_MAILBOX, ModSeq(0))

    @staticmethod
    def _update(states: States, committed: Committed) -> None:
        states.update(committed.states, [mailbox for mailbox, _ in committed.deleted])

    def _shared(self, known: Known) -> Known:
        """Share a view; one that was dear to make is stored too, for the next time."""
        if known.was_dear:
            self._write(partial(keep_snapshot, view=known.view)).addErrback(lambda _: None)
        return self._shop.views.share(known)

    def _shared_changes(self, changes: MailboxChanges) -> MailboxChanges:
        known = self._shop.views.share(Known(changes.view, changes.keywords))
        return replace(changes, view=known.view, keywords=known.keywords)


def _usage(database: Database) -> list[tuple[int, int]]:
    return database.rows("SELECT octets, messages FROM account")
