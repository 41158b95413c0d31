"""
NOTIFY's arguments, octets to values (RFC 5465 §8).
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from trekd.errors import BadMailboxName, LimitExceeded
from trekd.imap.grammar.attributes import fetch_attributes
from trekd.imap.grammar.fetch import FetchAttribute
from trekd.imap.grammar.tokens import Cursor
from trekd.values import MailboxName


class NotifyEvent(enum.Enum):
    """What a client can be told of; the value is the event's name."""

    MESSAGE_NEW = "MessageNew"
    MESSAGE_EXPUNGE = "MessageExpunge"
    FLAG_CHANGE = "FlagChange"
    MAILBOX_NAME = "MailboxName"
    SUBSCRIPTION_CHANGE = "SubscriptionChange"
    MAILBOX_METADATA_CHANGE = "MailboxMetadataChange"
    SERVER_METADATA_CHANGE = "ServerMetadataChange"


class NotifyFilter(enum.Enum):
    """Which mailboxes events are wanted of; the value is the filter's name (RFC 5465 §6)."""

    SELECTED = "SELECTED"
    SELECTED_DELAYED = "SELECTED-DELAYED"
    INBOXES = "INBOXES"
    PERSONAL = "PERSONAL"
    SUBSCRIBED = "SUBSCRIBED"
    SUBTREE = "SUBTREE"
    MAILBOXES = "MAILBOXES"


MESSAGE_EVENTS = frozenset({NotifyEvent.MESSAGE_NEW, NotifyEvent.MESSAGE_EXPUNGE, NotifyEvent.FLAG_CHANGE})
"""Events of messages; the only ones that can be asked for of the selected mailbox."""

SELECTED_FILTERS = frozenset({NotifyFilter.SELECTED, NotifyFilter.SELECTED_DELAYED})
_NAMING_FILTERS = frozenset({NotifyFilter.SUBTREE, NotifyFilter.MAILBOXES})

_FILTERS = frozenset(each.value for each in NotifyFilter)
_EVENTS = {each.value.upper(): each for each in NotifyEvent}
_FORMS = frozenset({"SET", "NONE"})
_PAIR = frozenset({NotifyEvent.MESSAGE_NEW, NotifyEvent.MESSAGE_EXPUNGE})
_LIST = re.compile(rb" \(")
_STATUS = frozenset({"STATUS"})


@dataclass(frozen=True, slots=True)
class EventGroup:
    """
    Some mailboxes and what is wanted of them.

    @ivar names: of C{SUBTREE} and C{MAILBOXES}; empty else.
    @ivar events: empty for C{NONE}.
    @ivar attributes: what to tell of each new message in the selected mailbox.
    """

    mailboxes: NotifyFilter
    names: frozenset[MailboxName] = frozenset()
    events: frozenset[NotifyEvent] = frozenset()
    attributes: tuple[FetchAttribute, ...] = ()


@dataclass(frozen=True, slots=True)
class Wishes:
    """
    All that a client asks for.

    @ivar status: whether the mailboxes' counters are to be told at once.
    @ivar groups: none for C{NONE}.
    @ivar unsupported: whether an event is none of L{NotifyEvent}.
    """

    status: bool = False
    groups: tuple[EventGroup, ...] = ()
    unsupported: bool = False


def read_wishes(cursor: Cursor) -> Wishes:
    """notify = "NOTIFY" SP ("SET" [SP "STATUS"] SP event-groups / "NONE"), behind the command's name."""
    cursor.sp()
    if cursor.choice(_FORMS, "SET or NONE") == "NONE":
        return Wishes()
    cursor.sp()
    status = cursor.peek() != b"("
    if status:
        cursor.choice(_STATUS, "status-indicator")
        cursor.sp()
    reader = _GroupReader(cursor)
    groups = [reader.group()]
    while not cursor.at_end:
        cursor.sp()
        groups.append(reader.group())
    if len(groups) > cursor.options.max_items:
        raise LimitExceeded("event-groups")
    if sum(group.mailboxes in SELECTED_FILTERS for group in groups) > 1:
        cursor.fail("one filter-mailboxes-selected")
    return Wishes(status, tuple(groups), reader.unsupported)


class _GroupReader:
    """
    Reads event groups.

    @ivar unsupported: whether an event was met that is not known.
    """

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._found: dict[NotifyEvent, tuple[FetchAttribute, ...]] = {}
        self.unsupported = False

    def group(self) -> EventGroup:
        """event-group = "(" filter-mailboxes SP events ")" """
        cursor = self._cursor
        cursor.expect(b"(")
        kind = NotifyFilter(cursor.choice(_FILTERS, "filter-mailboxes"))
        cursor.sp()
        names: tuple[MailboxName | None, ...] = ()
        if kind in _NAMING_FILTERS:
            names = cursor.some_of(self._mailbox) if cursor.peek() == b"(" else (self._mailbox(),)
            cursor.sp()
        self._found = {}
        self._events()
        cursor.expect(b")")
        self._require_fitting(kind)
        attributes = self._found.get(NotifyEvent.MESSAGE_NEW, ())
        real = frozenset(name for name in names if name is not None)
        return EventGroup(kind, real, frozenset(self._found), attributes)

    def _mailbox(self) -> MailboxName | None:
        """mailbox; C{None} for what cannot be one: names without a mailbox are passed over (RFC 5465 §3.1)."""
        try:
            return self._cursor.mailbox()
        except BadMailboxName:
            return None

    def _events(self) -> None:
        """
        events = ("(" event *(SP event) ")") / "NONE"

        Taken without the parentheses as well, as the example in RFC 5465 §3.1 has them.
        """
        cursor = self._cursor
        if cursor.peek() == b"(":
            cursor.some_of(lambda: self._event(cursor.keyword()))
            return
        name = cursor.keyword()
        if name == "NONE":
            return
        self._event(name)
        while cursor.skip(b" "):
            self._event(cursor.keyword())

    def _event(self, name: str) -> None:
        """event = ("MessageNew" [SP "(" fetch-att *(SP fetch-att) ")"]) / atom"""
        event = _EVENTS.get(name)
        if event is None:
            self.unsupported = True
            return
        attributes: tuple[FetchAttribute, ...] = ()
        if event is NotifyEvent.MESSAGE_NEW and self._cursor.test(_LIST):
            self._cursor.sp()
            attributes = fetch_attributes(self._cursor)
        self._found[event] = attributes

    def _require_fitting(self, kind: NotifyFilter) -> None:
        """
        MessageNew and MessageExpunge belong together, and FlagChange to both (RFC 5465 §5); of the selected mailbox
        there are no other events, and attributes are told of no other mailbox (§6.1, §8).
        """
        events = self._found.keys()
        if events & MESSAGE_EVENTS and not events >= _PAIR:
            self._cursor.fail("MessageNew with MessageExpunge")
        if kind in SELECTED_FILTERS:
            if not events <= MESSAGE_EVENTS:
                self._cursor.fail("message-event")
        elif self._found.get(NotifyEvent.MESSAGE_NEW):
            self._cursor.fail("no fetch-att but for the selected mailbox")
