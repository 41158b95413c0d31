"""
What one client is told of all mailboxes (RFC 5465), between commands as well as with them.

The client's knowledge is kept as the counters last told, which the store shares among all who hold them; what
happened since is the difference to the counters now, so that any number of changes costs one line per mailbox when the
client reads slowly.  What the client did itself it is not told of (§5): commands say what they are about to cause, and
a difference that is exactly that is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from trekd.imap.enabled import Enabled
from trekd.imap.grammar.notify import MESSAGE_EVENTS, SELECTED_FILTERS, EventGroup, NotifyEvent, NotifyFilter
from trekd.imap.grammar.writing import list_response, metadata_changed, status_response
from trekd.imap.selected import Told
from trekd.imap.tree import Tree
from trekd.store.interfaces import NO_MAILBOX, IAccountStore, MailboxState
from trekd.values import MailboxId, MailboxName, ModSeq

MOST_LINES = 1000
"""More than that at once is an overflow (RFC 5465 §5.8)."""

OVERFLOW = b"* OK [NOTIFICATIONOVERFLOW] Too much happened at once; no further notifications\r\n"

_METADATA = frozenset({NotifyEvent.MAILBOX_METADATA_CHANGE, NotifyEvent.SERVER_METADATA_CHANGE})
_NAMES = frozenset({NotifyEvent.MAILBOX_NAME, NotifyEvent.SUBSCRIPTION_CHANGE})


@dataclass(frozen=True, slots=True)
class Caused:
    """
    What the client's own command does to a mailbox's counters.

    @ivar arrived: new messages.
    @ivar gone: messages expunged.
    """

    arrived: int = 0
    gone: int = 0

    def explains(self, before: MailboxState, now: MailboxState) -> bool:
        """Whether that is all that happened."""
        fresh = now.uid_next - before.uid_next
        return fresh == self.arrived and now.total - before.total == self.arrived - self.gone


class Notifications:
    """
    What a client asked for, and what it knows of each mailbox.

    @ivar selected: what it wants to know of the selected mailbox, C{None} for nothing.
    @ivar delays_expunges: EXPUNGE responses wait for a command that permits them (RFC 5465 §6.1.2).
    """

    __slots__ = (
        "_annotated",
        "_caused",
        "_changed_entries",
        "_changed_names",
        "_groups",
        "_is_resting",
        "_is_stale",
        "_known",
        "_subscribed",
        "_subscriptions",
        "delays_expunges",
        "selected",
    )

    def __init__(self, groups: Iterable[EventGroup], selected: Told | None = None) -> None:
        groups = tuple(group for group in groups if group.events)
        here = next((group for group in groups if group.mailboxes in SELECTED_FILTERS), None)
        self.selected = selected
        self.delays_expunges = here is not None and here.mailboxes is NotifyFilter.SELECTED_DELAYED
        self._groups = tuple(group for group in groups if group is not here)
        self._known: dict[MailboxId, MailboxState] = {}
        self._subscribed: frozenset[MailboxName] = frozenset()
        self._is_stale = False
        self._is_resting = False
        self._subscriptions = False
        self._caused: dict[MailboxName, Caused] = {}
        self._changed_names: set[MailboxName] = set()
        self._changed_entries: set[tuple[MailboxId, str]] = set()
        self._annotated = ModSeq(0)

    @property
    def is_stale(self) -> bool:
        """Whether L{news} may have something to say."""
        return self._is_stale

    @property
    def is_resting(self) -> bool:
        """Whether the store could not be read, and is asked with the next hint or command."""
        return self._is_resting

    def rest(self) -> None:
        """The store cannot be read now."""
        self._is_resting = True
        self._is_stale = bool(self._groups)

    async def start(self, store: IAccountStore) -> None:
        """Take what is there as known."""
        if self._groups:
            self._known = {state.id: state for state in await store.mailboxes()}
            self._subscribed = frozenset(await store.subscriptions())
        if self._wants(_METADATA):
            self._annotated, _ = await store.annotated(ModSeq(0))

    def hint(self, mailbox: MailboxId) -> bool:
        """The store committed something; whether it may be news to the client."""
        self._is_resting = False
        self._is_stale = bool(self._groups)
        self._subscriptions = self._subscriptions or mailbox == NO_MAILBOX
        return self._is_stale

    def cause_counters(self, name: MailboxName, arrived: int = 0, gone: int = 0) -> None:
        """The client's command changed a mailbox's counters so."""
        if self._groups:
            self._caused[name] = Caused(arrived, gone)

    def cause_names(self, *names: MailboxName) -> None:
        """The client's command made, removed, renamed, subscribed or unsubscribed these names."""
        if self._groups:
            self._changed_names.update(names)

    def cause_entries(self, mailbox: MailboxId, entries: Iterable[str]) -> None:
        """The client's command set or removed these annotations."""
        if self._wants(_METADATA):
            self._changed_entries.update((mailbox, entry) for entry in entries)

    def status_now(self, selected: MailboxId | None) -> bytes:
        """The counters of all mailboxes whose messages are watched (RFC 5465 §3.1, STATUS)."""
        return b"".join(self._statuses(selected))

    def _statuses(self, selected: MailboxId | None) -> Iterator[bytes]:
        for state in self._known.values():
            events = self._events(state.name) & MESSAGE_EVENTS
            if events and state.id != selected:
                values = {"MESSAGES": state.total, "UIDNEXT": state.uid_next, "UIDVALIDITY": state.uid_validity}
                if NotifyEvent.FLAG_CHANGE in events:
                    values["HIGHESTMODSEQ"] = state.modseq
                yield status_response(state.name, values)

    async def news(self, store: IAccountStore, selected: MailboxId | None, enabled: Enabled) -> bytes | None:
        """
        What happened since the client was told last.

        @param selected: the selected mailbox, whose messages are told of elsewhere.
        @return: responses; C{None} when they are too many.
        """
        self._is_stale = False
        try:
            states = {state.id: state for state in await store.mailboxes()}
            subscribed = _subscriptions(self._subscribed, states.values())
            metadata: Mapping[MailboxId, tuple[str, ...]] = {}
            if self._subscriptions:
                self._subscriptions = False
                subscribed = frozenset(await store.subscriptions())
                if self._wants(_METADATA):
                    self._annotated, metadata = await store.annotated(self._annotated)
        except Exception:
            self._is_stale = self._subscriptions = True
            raise
        known, self._known = self._known, states
        before, self._subscribed = self._subscribed, subscribed
        caused, self._caused = self._caused, {}
        own, self._changed_names = self._changed_names, set()
        lines = list(self._metadata_lines(states, metadata))
        if self._wants(_NAMES):
            lines += self._name_lines(known, states, before ^ subscribed, own)
        for mailbox, state in states.items():
            old = known.get(mailbox)
            if old is None or old is state or mailbox == selected:
                continue
            mine = caused.get(state.name)
            if mine is None or not mine.explains(old, state):
                line = self._counters(old, state, enabled)
                if line:
                    lines.append(line)
        return b"".join(lines) if len(lines) <= MOST_LINES else None

    # --- Which events are wanted --------------------------------------------------------------------

    def _wants(self, events: frozenset[NotifyEvent]) -> bool:
        return any(group.events & events for group in self._groups)

    def _events(self, name: MailboxName) -> frozenset[NotifyEvent]:
        """What is wanted of a mailbox that is not selected: of all groups together (RFC 5465 §6)."""
        wanted: frozenset[NotifyEvent] = frozenset()
        for group in self._groups:
            if self._covers(group, name):
                wanted |= group.events
        return wanted

    def _covers(self, group: EventGroup, name: MailboxName) -> bool:
        """
        Whether a filter is about a name.

        Any mailbox may get deliveries, by filters, so INBOXES is PERSONAL (RFC 5465 §6.3).
        """
        match group.mailboxes:
            case NotifyFilter.SUBSCRIBED:
                return name in self._subscribed
            case NotifyFilter.MAILBOXES:
                return name in group.names
            case NotifyFilter.SUBTREE:
                return any(name == top or name.is_inferior_to(top) for top in group.names)
            case _:
                return True

    # --- What is told -------------------------------------------------------------------------------

    def _counters(self, old: MailboxState, now: MailboxState, enabled: Enabled) -> bytes:
        """STATUS of a mailbox whose messages changed (RFC 5465 §5.1 to §5.3); nothing when that is not wanted."""
        events = self._events(now.name)
        flags = NotifyEvent.FLAG_CHANGE in events
        values: dict[str, int] = {}
        if (now.uid_next, now.total) != (old.uid_next, old.total) and NotifyEvent.MESSAGE_NEW in events:
            values = {"UIDNEXT": now.uid_next, "MESSAGES": now.total}
        elif not flags or now.modseq == old.modseq:
            return b""
        if flags and now.unseen != old.unseen:
            values["UNSEEN"] = now.unseen
        if enabled.condstore:
            values["HIGHESTMODSEQ"] = now.modseq
            if flags:
                values["UIDVALIDITY"] = now.uid_validity
        return status_response(now.name, values) if values else b""

    def _metadata_lines(
        self, states: Mapping[MailboxId, MailboxState], changed: Mapping[MailboxId, tuple[str, ...]]
    ) -> Iterator[bytes]:
        """METADATA with the names of entries that others changed (RFC 5465 §5.6, §5.7)."""
        own, self._changed_entries = self._changed_entries, set()
        for mailbox, entries in changed.items():
            news = [entry for entry in entries if (mailbox, entry) not in own]
            state = states.get(mailbox)
            if mailbox == NO_MAILBOX:
                wanted = self._wants(frozenset({NotifyEvent.SERVER_METADATA_CHANGE}))
            else:
                wanted = state is not None and NotifyEvent.MAILBOX_METADATA_CHANGE in self._events(state.name)
            if news and wanted:
                yield metadata_changed(state.name if state is not None else None, news)

    def _name_lines(
        self,
        known: dict[MailboxId, MailboxState],
        states: dict[MailboxId, MailboxState],
        resubscribed: frozenset[MailboxName],
        own: set[MailboxName],
    ) -> list[bytes]:
        """LIST of every name that came, went, or was subscribed or not (RFC 5465 §5.4, §5.5)."""
        old_names = _renamed(known, states)
        born = {states[each].name for each in states.keys() - known.keys()}
        dead = {known[each].name for each in known.keys() - states.keys()}
        touched = {name for name in born | dead if name not in own}
        touched |= {name.parent for name in touched if name.parent is not None}
        touched |= {name for name in old_names if name not in own}
        tree = Tree.of(states.values(), self._subscribed)
        lines = []
        for name in sorted(touched | (resubscribed - own)):
            events = self._events(name) | (self._events(old_names[name]) if name in old_names else frozenset())
            if (name in touched and NotifyEvent.MAILBOX_NAME in events) or (
                name in resubscribed and NotifyEvent.SUBSCRIPTION_CHANGE in events
            ):
                attributes = tree.attributes(name, ("\\NonExistent",))
                if name in tree.subscribed:
                    attributes.append("\\Subscribed")
                lines.append(list_response(attributes, name, old_name=old_names.get(name)))
        return lines


def _renamed(
    known: dict[MailboxId, MailboxState], states: dict[MailboxId, MailboxState]
) -> dict[MailboxName, MailboxName]:
    """Old names by new ones, without those of mailboxes that only followed a superior one (RFC 5465 §5.4)."""
    moved = {
        state.name: known[each].name
        for each, state in states.items()
        if each in known and known[each].name != state.name
    }
    return {new: old for new, old in moved.items() if not _followed(new, old, moved)}


def _followed(new: MailboxName, old: MailboxName, moved: dict[MailboxName, MailboxName]) -> bool:
    """Whether a superior mailbox was renamed, and this one with it."""
    above = new.parent
    while above is not None:
        source = moved.get(above)
        if source is not None and old.is_inferior_to(source):
            return True
        above = above.parent
    return False


def _subscriptions(before: frozenset[MailboxName], states: Iterable[MailboxState]) -> frozenset[MailboxName]:
    """The subscriptions now, when none changed of a name without mailbox."""
    present = {state.name: state.subscribed for state in states}
    return frozenset(
        [name for name in before if name not in present] + [name for name, subscribed in present.items() if subscribed]
    )
