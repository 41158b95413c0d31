"""
An account's store in memory.
"""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from secrets import token_hex
from typing import Protocol

from zope.interface import implementer

from trekd.errors import LimitReached, NoSuchMessage, NotPermitted
from trekd.store.collections import ICollections
from trekd.store.feed import ChangeFeed
from trekd.store.interfaces import (
    NO_MAILBOX,
    Appended,
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
from trekd.store.matching import predicate
from trekd.store.memory.boxes import Account, Email, Mailbox, Message
from trekd.store.memory.collections import MemoryCollections
from trekd.store.memory.verification import complaints
from trekd.store.naming import listing_order, plan_renaming
from trekd.store.rendering import line, pieces
from trekd.store.sinks import whole_message
from trekd.store.terms import (
    Term,
)
from trekd.values import DELETED, INBOX, SEEN, UID, EmailId, Flag, MailboxId, MailboxName, ModSeq, PrincipalId


class Surroundings(Protocol):
    """What an account needs of its store."""

    reader: MessageReader
    feed: ChangeFeed
    seconds: Callable[[], float]

    def require_open(self) -> None: ...


@implementer(IAccountStore)
class MemoryAccount:
    """A holder of an account; all holders share its mailboxes."""

    def __init__(self, principal: PrincipalId, account: Account, store: Surroundings) -> None:
        self.principal = principal
        self._content = account
        self._store = store

    @property
    def quota(self) -> int:
        """Octets; 0 is no limit."""
        return self._content.quota

    def __conform__(self, interface: object) -> MemoryCollections | None:
        """The account's collections, when they are asked for."""
        if interface is not ICollections:
            return None
        return MemoryCollections(self.principal, self._account, self._store.seconds)

    # Mailboxes

    async def mailboxes(self) -> tuple[MailboxState, ...]:
        """All mailboxes, INBOX first."""
        names = sorted(self._account().by_name, key=listing_order)
        return tuple(self._state(self._account().by_name[name]) for name in names)

    async def mailbox(self, name: MailboxName) -> MailboxState:
        """One mailbox's counters."""
        return self._state(self._account().named(name))

    async def create(self, name: MailboxName, special_use: tuple[str, ...] = ()) -> MailboxState:
        """Make a mailbox and the superior ones that are missing."""
        mailbox = self._account().make(name, special_use, self._now())
        self._publish(mailbox)
        return self._state(mailbox)

    async def delete(self, name: MailboxName) -> None:
        """Remove a mailbox and its messages."""
        mailbox = self._account().named(name)
        if name.is_inbox:
            raise NotPermitted(name.text)
        self._account().drop(mailbox)
        self._store.feed.publish(self.principal, mailbox.id, self._account().modseq)

    async def rename(self, source: MailboxName, target: MailboxName) -> None:
        """Rename a mailbox and its inferior ones, or empty INBOX into the target."""
        account = self._account()
        plan = plan_renaming(source, target, account.by_name)
        account.require_room(len(plan.create))
        touched = [account.make(name, (), self._now()) for name in plan.create]
        for old, new in plan.moves:
            mailbox = account.by_name.pop(old)
            mailbox.name = new
            account.by_name[new] = mailbox
            touched.append(mailbox)
        for mailbox in touched:
            self._publish(mailbox)
        if source.is_inbox:
            account.named(target).annotations.update(account.named(INBOX).annotations.present(), account.modseq)
            self._transfer(account.named(INBOX), tuple(account.named(INBOX).messages.values()), account.named(target))

    async def subscribe(self, name: MailboxName) -> None:
        """Add a name to the subscriptions."""
        account = self._account()
        if name not in account.subscribed and len(account.subscribed) >= account.limits.mailboxes:
            raise LimitReached("subscriptions")
        account.subscribed.add(name)
        self._publish_name(name)

    async def unsubscribe(self, name: MailboxName) -> None:
        """Remove a name from the subscriptions."""
        self._account().subscribed.discard(name)
        self._publish_name(name)

    async def subscriptions(self) -> tuple[MailboxName, ...]:
        """Subscribed names, sorted."""
        return tuple(sorted(self._account().subscribed))

    # Annotations

    async def annotations(self, mailbox: MailboxId | None = None) -> Mapping[MailboxId, Mapping[str, bytes]]:
        """Values by mailbox and entry."""
        account = self._account()
        if mailbox:
            account.identified(mailbox)
        found = {each: kept.present() for each, kept in account.all_annotations().items() if mailbox in (None, each)}
        return {each: entries for each, entries in found.items() if entries}

    async def annotate(self, mailbox: MailboxId, values: Mapping[str, bytes | None]) -> None:
        """Set entries, or remove them."""
        account = self._account()
        account.require_room(0)
        account.annotate(mailbox, values)
        self._store.feed.publish(self.principal, NO_MAILBOX, account.modseq)

    async def annotated(self, since: ModSeq) -> tuple[ModSeq, Mapping[MailboxId, tuple[str, ...]]]:
        """Entries set or removed behind C{since}."""
        account = self._account()
        found = {each: kept.changed(since) for each, kept in account.all_annotations().items()}
        return account.modseq, {each: entries for each, entries in found.items() if entries}

    # Reading

    async def open(self, name: MailboxName) -> Selection:
        """What SELECT needs."""
        mailbox = self._account().named(name)
        seen = (SEEN in message.flags for message in mailbox.messages.values())
        first_unseen = next((seq for seq, was_seen in enumerate(seen, 1) if not was_seen), 0)
        return Selection(self._state(mailbox), mailbox.view(), first_unseen, mailbox.keywords())

    async def changes(self, mailbox: MailboxId, since: ModSeq) -> MailboxChanges:
        """What happened behind C{since}."""
        found = self._account().identified(mailbox)
        changed: Iterator[int] = iter(())
        if found.modseq > since:
            changed = (uid for uid, message in found.messages.items() if message.modseq > since)
        return MailboxChanges(found.view(), array("I", changed), found.keywords())

    async def vanished(self, mailbox: MailboxId, since: ModSeq) -> array[int] | None:
        """UIDs expunged behind C{since}."""
        found = self._account().identified(mailbox)
        return array("I", sorted(uid for uid, modseq in found.expunged.items() if modseq > since))

    async def claim_recent(self, mailbox: MailboxId) -> UID:
        """The first UID that no session was told of yet."""
        found = self._account().identified(mailbox)
        first, found.recent_from = found.recent_from, found.uid_next
        return UID(first)

    async def list_messages(
        self, view: MailboxView, positions: tuple[range, ...], template: LineTemplate
    ) -> AsyncIterator[Listing]:
        """Render one response per message, each when its piece is asked for."""
        for piece in pieces(self._lines(view, positions, template)):
            yield piece
            self._store.require_open()

    async def search(self, view: MailboxView, query: Term) -> array[int]:
        """UIDs of the messages in the view that match."""
        mailbox = self._account().by_id.get(view.mailbox)
        if mailbox is None:
            return array("I")
        matches = predicate(query, self._store.reader)
        everywhere = (range(len(view.uids)),)
        return array("I", (message.uid for _, message in mailbox.within(view, everywhere) if matches(message)))

    async def highest_modseq(self, mailbox: MailboxId, uids: array[int]) -> ModSeq:
        """The highest modification sequence among messages."""
        messages = self._account().identified(mailbox).messages
        return max((messages[uid].modseq for uid in uids if uid in messages), default=ModSeq(0))

    # Writing

    async def append(self, name: MailboxName, messages: Sequence[NewMessage]) -> Appended:
        """Add messages, all or none."""
        self._account().named(name)
        octets = [await whole_message(message) for message in messages]
        emails = [Email(whole, self._store.reader.scan(whole), EmailId(token_hex(16))) for whole in octets]
        account = self._account()
        mailbox = account.named(name)
        account.require_space(sum(email.size for email in emails))
        account.require_keywords(mailbox, _flags_of(messages))
        now = self._moment()
        uids = array("I")
        modseq = account.next_modseq() if emails else account.modseq
        for message, email in zip(messages, emails, strict=True):
            uids.append(mailbox.add(email, message.flags, message.internal_date or now, now, modseq))
        if emails:
            self._publish(mailbox)
        return Appended(mailbox.id, mailbox.uid_validity, uids)

    async def replace(self, mailbox: MailboxId, uid: UID, name: MailboxName, message: NewMessage) -> Appended:
        """Add a message and remove another in one step."""
        self._account().named(name)
        whole = await whole_message(message)
        account = self._account()
        target = account.named(name)
        source = account.by_id.get(mailbox)
        old = source.messages.get(uid) if source is not None else None
        if source is None or old is None:
            raise NoSuchMessage
        email = Email(whole, self._store.reader.scan(whole), EmailId(token_hex(16)))
        account.require_space(email.size - old.size)
        account.require_keywords(target, message.flags)
        now = self._moment()
        source.take((old,), account.next_modseq())
        added = target.add(email, message.flags, message.internal_date or now, now, account.next_modseq())
        for changed in {source, target}:
            self._publish(changed)
        return Appended(target.id, target.uid_validity, array("I", (added,)))

    async def copy(self, view: MailboxView, positions: tuple[range, ...], target: MailboxName) -> Copied:
        """Copy messages, all or none."""
        account = self._account()
        mailbox = account.named(target)
        messages = self._existing(view, positions)
        account.require_space(sum(message.size for message in messages))
        account.require_keywords(mailbox, _flags_of(messages))
        return self._duplicate(messages, mailbox, self._modseq_for(messages))

    async def move(self, view: MailboxView, positions: tuple[range, ...], target: MailboxName) -> Copied:
        """Move messages in one step."""
        mailbox = self._account().named(target)
        messages = self._existing(view, positions)
        source = self._account().by_id.get(view.mailbox)
        if source is None:
            return Copied(mailbox.uid_validity, array("I"), array("I"))
        return self._transfer(source, messages, mailbox)

    async def change_flags(
        self,
        view: MailboxView,
        positions: tuple[range, ...],
        operation: FlagOperation,
        flags: frozenset[Flag],
        unchanged_since: ModSeq | None = None,
    ) -> MailboxChanges:
        """Change flags, all in one modification sequence."""
        account = self._account()
        mailbox = account.identified(view.mailbox)
        previous = mailbox.modseq
        changes, refused = [], array("I")
        for _, message in mailbox.within(view, positions):
            after = _changed(message.flags, operation, flags)
            if after == message.flags and unchanged_since != 0:
                continue
            if unchanged_since is not None and message.modseq > unchanged_since:
                refused.append(message.uid)
            else:
                changes.append((message, after))
        if operation is not FlagOperation.REMOVE and changes:
            account.require_keywords(mailbox, flags)
        if changes:
            modseq = account.next_modseq()
            for message, after in changes:
                mailbox.flag(message, after, modseq)
            self._publish(mailbox)
        changed = array("I", (message.uid for message, _ in changes))
        return MailboxChanges(mailbox.view(), changed, mailbox.keywords(), previous, refused)

    async def expunge(self, mailbox: MailboxId, uids: array[int] | None = None) -> array[int]:
        """Remove the messages with C{\\Deleted}."""
        account = self._account()
        found = account.identified(mailbox)
        among = found.messages if uids is None else frozenset(uids)
        gone = [
            message for message in found.messages.values() if message.uid in among and DELETED in message.flags
        ]
        if gone:
            found.take(gone, account.next_modseq())
            self._publish(found)
        return array("I", (message.uid for message in gone))

    # Care

    async def usage(self) -> tuple[int, int]:
        """(octets, messages) in all mailboxes."""
        return self._account().usage()

    async def index_text(self, anew: bool = False) -> tuple[int, int]:
        """Nothing to do: messages are read."""
        messages = self._account().usage()[1]
        return messages, messages

    async def check(self) -> tuple[str, ...]:
        """One line for each invariant that does not hold."""
        return complaints(self._account())

    async def repair(self) -> tuple[str, ...]:
        """Nothing can be damaged."""
        return tuple(f"left: {line}" for line in complaints(self._account()))

    # How it is done

    def _account(self) -> Account:
        self._store.require_open()
        return self._content

    def _now(self) -> int:
        return int(self._store.seconds())

    def _state(self, mailbox: Mailbox) -> MailboxState:
        return mailbox.state(mailbox.name in self._content.subscribed)

    def _publish(self, mailbox: Mailbox) -> None:
        self._store.feed.publish(self.principal, mailbox.id, mailbox.modseq)

    def _publish_name(self, name: MailboxName) -> None:
        mailbox = self._content.by_name.get(name)
        feed, modseq = self._store.feed, self._content.modseq
        feed.publish(self.principal, NO_MAILBOX if mailbox is None else mailbox.id, modseq)

    def _lines(self, view: MailboxView, positions: tuple[range, ...], template: LineTemplate) -> Iterator[bytes]:
        mailbox = self._account().by_id.get(view.mailbox)
        for seq, message in mailbox.within(view, positions) if mailbox else ():
            yield line(template, message.uid, partial(message.column, seq=seq), message.source)

    def _existing(self, view: MailboxView, positions: tuple[range, ...]) -> tuple[Message, ...]:
        mailbox = self._account().by_id.get(view.mailbox)
        return tuple(message for _, message in mailbox.within(view, positions)) if mailbox else ()

    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self._store.seconds(), UTC)

    def _modseq_for(self, messages: tuple[Message, ...]) -> ModSeq:
        return self._content.next_modseq() if messages else self._content.modseq

    def _duplicate(self, messages: tuple[Message, ...], target: Mailbox, modseq: ModSeq) -> Copied:
        source = array("I", (message.uid for message in messages))
        now = self._moment()
        copies = (
            target.add(message.email, message.flags, message.internal_date, now, modseq) for message in messages
        )
        copied = Copied(target.uid_validity, source, array("I", copies))
        if messages:
            self._publish(target)
        return copied

    def _transfer(self, source: Mailbox, messages: tuple[Message, ...], target: Mailbox) -> Copied:
        self._content.require_keywords(target, _flags_of(messages))
        modseq = self._modseq_for(messages)
        moved = self._duplicate(messages, target, modseq)
        source.take(messages, modseq)
        if messages and source is not target:
            self._publish(source)
        return moved


def _flags_of(messages: Iterable[Message | NewMessage]) -> Iterator[Flag]:
    return (flag for message in messages for flag in message.flags)


def _changed(before: frozenset[Flag], operation: FlagOperation, flags: frozenset[Flag]) -> frozenset[Flag]:
    match operation:
        case FlagOperation.ADD:
            return before | flags
        case FlagOperation.REMOVE:
            return before - flags
        case FlagOperation.REPLACE:
            return flags
