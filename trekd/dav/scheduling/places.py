"""
Where messages arrive and leave: the scheduling inbox and outbox (RFC 6638 §2.1, §2.2), and the default calendar (§4.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from trekd.dav.errors import Fault
from trekd.dav.exchange import Exchange
from trekd.dav.nodes import COLLECTION, CollectionNode, HomeNode, Node
from trekd.dav.paths import Location, read_reference
from trekd.dav.tables import Kind
from trekd.dav.xml.names import caldav, dav
from trekd.dav.xml.reading import Element, elements, parse
from trekd.errors import CollectionExists, SyntaxFault
from trekd.store.collections import (
    CollectionKind,
    CollectionState,
    ICollections,
    ItemState,
    NewCollection,
    Properties,
)

INBOX, OUTBOX = "inbox", "outbox"
DEFAULT_CALENDAR = caldav("schedule-default-calendar-URL")


def _refuse(collection: CollectionNode, state: ItemState) -> None:
    raise Fault(403, text="Clients put nothing here.")


KIND = Kind(
    CollectionKind.INBOX,
    "calendars",
    (COLLECTION, caldav("schedule-inbox")),
    suffix=".ics",
    can_be_made=False,
    require_fit=_refuse,
)
"""Clients read and remove; messages come by themselves."""


@dataclass(frozen=True, slots=True)
class InboxNode(CollectionNode):
    """
    C{/dav/calendars/ADDRESS/inbox/}; C{is_home}, as it stays.

    @ivar calendars: those of the account.
    """

    calendars: Sequence[CollectionState] = field(kw_only=True, default=())

    @property
    def dead_properties(self) -> Properties:
        """As they are stored; a default calendar that is gone is none."""
        kept = self.state.properties
        if DEFAULT_CALENDAR not in kept or _named(kept, self.calendars) is not None:
            return kept
        return {name: value for name, value in kept.items() if name != DEFAULT_CALENDAR}

    def default(self) -> CollectionState | None:
        """The calendar that invitations go to."""
        return default_calendar(self.state.properties, self.calendars)


@dataclass(frozen=True, slots=True)
class OutboxNode(Node):
    """C{/dav/calendars/ADDRESS/outbox/}: nothing is kept in it; it takes questions about busy times."""

    def resource_type(self, exchange: Exchange) -> tuple[str, ...]:
        """RFC 6638 §2.1."""
        return (COLLECTION, caldav("schedule-outbox"))


async def in_home(exchange: Exchange, home: HomeNode, name: str | None) -> Sequence[Node]:
    """Inbox and outbox, in the own home of calendars."""
    if CollectionKind.CALENDAR not in home.kinds or name not in (None, INBOX, OUTBOX):
        return []
    found: list[Node] = [OutboxNode(home.location.child(OUTBOX), home.owner)]
    states = await exchange.collections(home.shelf)
    state = inbox_state(states)
    if state is None:
        state = await make_inbox(home.shelf)
        exchange.forget()
    calendars = calendars_of(states)
    return [InboxNode(home.location.child(INBOX), home.owner, home.shelf, state, True, calendars=calendars), *found]


def inbox_state(states: Sequence[CollectionState]) -> CollectionState | None:
    """An account's inbox; C{None}: it has none yet."""
    return next((each for each in states if each.kind is CollectionKind.INBOX and each.parent is None), None)


def calendars_of(states: Sequence[CollectionState]) -> list[CollectionState]:
    """An account's calendars."""
    return [each for each in states if each.kind is CollectionKind.CALENDAR and each.parent is None]


async def make_inbox(shelf: ICollections) -> CollectionState:
    """
    Make an account's inbox.

    @raise Unavailable: it cannot be made now.
    """
    try:
        made: CollectionState = await shelf.create_collection(NewCollection(INBOX, CollectionKind.INBOX))
    except CollectionExists:
        found = inbox_state(await shelf.collections())
        assert found is not None
        return found
    return made


# --- The default calendar -------------------------------------------------------------------------


def takes(state: CollectionState, component: str) -> bool:
    """Whether a calendar takes such entries."""
    return not state.components or component in state.components


def default_calendar(
    properties: Properties, calendars: Sequence[CollectionState], component: str = "VEVENT"
) -> CollectionState | None:
    """
    The calendar for what arrives: the one that was chosen, else C{calendar}, else the first that takes it.

    @param properties: of the inbox.
    """
    fitting = [each for each in calendars if takes(each, component)]
    chosen = _named(properties, fitting)
    if chosen is not None:
        return chosen
    return next((each for each in fitting if each.name == "calendar"), fitting[0] if fitting else None)


def _named(properties: Mapping[str, str], calendars: Sequence[CollectionState]) -> CollectionState | None:
    serialised = properties.get(DEFAULT_CALENDAR)
    location = None if serialised is None else _location(parse(serialised.encode()))
    if location is None:
        return None
    return next((each for each in calendars if each.name == location.name), None)


def _location(element: Element) -> Location | None:
    """Where the element's one href leads; C{None}: nowhere here."""
    hrefs = [each for each in elements(element) if each.tag == dav("href")]
    text = (hrefs[0].text or "").strip() if hrefs else ""
    # Programs write whole addresses, of which the path alone says what is meant.
    path = "/" + text.partition("://")[2].partition("/")[2] if "://" in text else text
    try:
        return read_reference(path, "")
    except SyntaxFault:
        return None


def check_default(node: Node, element: Element) -> None:
    """
    @raise Fault: it is no calendar of the account (RFC 6638 §4.3.1.2).
    """
    condition = caldav("valid-schedule-default-calendar-URL")
    if not isinstance(node, InboxNode):
        raise Fault(403, dav("cannot-modify-protected-property"), "The inbox has a default calendar.")
    location = _location(element)
    names = {each.name for each in node.calendars if takes(each, "VEVENT")}
    if location is None or location.parent != node.location.parent or location.name not in names:
        raise Fault(403, condition, "This is no calendar of yours that takes events.")
