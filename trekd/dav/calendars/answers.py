"""
C{DAV:response} of calendar objects, with CALDAV:calendar-data as it is wanted (RFC 4791 §9.6).

Octets are read in batches.  Those that are wanted whole are escaped where they are; those that have to be understood
first, for a filter or for parts of them, are understood in a thread.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from trekd.calendar.filters import CompFilter, matches
from trekd.calendar.objects import CalendarObject, read_calendar_object
from trekd.calendar.selection import Selection, select
from trekd.calendar.times import Zone
from trekd.dav.calendars.limits import BATCH, BATCH_OCTETS, SMALL, expansion_bounds
from trekd.dav.calendars.requests import CALENDAR_OCTETS, ItemsWanted
from trekd.dav.errors import ErrorAnswer
from trekd.dav.exchange import Exchange
from trekd.dav.multistatus import propstat, propstat_response
from trekd.dav.nodes import CollectionNode
from trekd.dav.properties import Selection as PropertySelection
from trekd.dav.xml.names import dav
from trekd.dav.xml.writing import element, escape
from trekd.errors import CollectionRefused, TooManyInstances
from trekd.store.collections import ItemState

_MOST_REMEMBERED = 1000
"""Objects, of some ten kilobytes each in memory."""

_TOO_LARGE = ErrorAnswer(507, dav("number-of-matches-within-limits"))

Pair = tuple[ItemState, bytes]
"""An item with its octets."""


@dataclass(frozen=True, slots=True)
class Judged:
    """
    An item that belongs into an answer.

    @ivar shown: its calendar-data element, empty for none; C{None}: it would become too large.
    """

    state: ItemState
    shown: bytes | None = b""


def shown_element(octets: bytes) -> bytes:
    """CALDAV:calendar-data."""
    return element(CALENDAR_OCTETS, escape(octets.decode("utf-8", "replace")))


def understood(octets: bytes) -> CalendarObject | None:
    """A stored object; C{None}: it was stored when other rules held."""
    return _remembered(octets) if len(octets) <= SMALL else _understood(octets)


@lru_cache(_MOST_REMEMBERED)
def _remembered(octets: bytes) -> CalendarObject | None:
    """Objects that recur are asked about again and again."""
    return _understood(octets)


def _understood(octets: bytes) -> CalendarObject | None:
    try:
        return read_calendar_object(octets)
    except CollectionRefused:
        return None


def judged(
    pairs: Sequence[Pair], portion: Selection | None, zone: Zone, wanted: Callable[[ItemState], CompFilter | None]
) -> list[Judged]:
    """
    Which items fulfil what is asked of them, and what is shown of them.

    @param wanted: what an item has to fulfil still; C{None}: nothing.
    """
    found = []
    for state, octets in pairs:
        condition = wanted(state)
        if condition is None and (portion is None or portion.is_whole):
            found.append(Judged(state, b"" if portion is None else shown_element(octets)))
            continue
        read = understood(octets)
        if condition is not None and (read is None or not matches(condition, read, zone)):
            continue
        found.append(Judged(state, _shown(octets, read, portion, zone)))
    return found


def _shown(octets: bytes, read: CalendarObject | None, portion: Selection | None, zone: Zone) -> bytes | None:
    if portion is None:
        return b""
    if portion.is_whole or read is None:
        return shown_element(octets)
    try:
        return shown_element(select(portion, read, zone, expansion_bounds(len(octets))))
    except TooManyInstances:
        return None


def batches(states: Iterable[ItemState]) -> Iterator[list[ItemState]]:
    """Items whose octets may be in memory together."""
    batch: list[ItemState] = []
    octets = 0
    for state in states:
        if batch and (len(batch) == BATCH or octets + state.size > BATCH_OCTETS):
            yield batch
            batch, octets = [], 0
        batch.append(state)
        octets += state.size
    if batch:
        yield batch


class Answers:
    """The responses of one report."""

    def __init__(self, exchange: Exchange, wanted: ItemsWanted) -> None:
        self._exchange = exchange
        self._wanted = wanted
        self._properties = PropertySelection(exchange, wanted.properties)

    @property
    def needs_octets(self) -> bool:
        """Whether what is wanted of items takes more than their rows."""
        return self._wanted.portion is not None

    async def read(
        self,
        collection: CollectionNode,
        states: Sequence[ItemState],
        zone: Zone,
        wanted: Callable[[ItemState], CompFilter | None] = lambda state: None,
    ) -> list[Judged]:
        """
        L{judged} items of one collection; those that went away meanwhile are left out.

        @param states: a batch.
        """
        pairs = await collection.shelf.contents(collection.state.id, [state.name for state in states])
        portion = self._wanted.portion
        if (portion is None or portion.is_whole) and all(wanted(state) is None for state, _ in pairs):
            return judged(pairs, portion, zone, wanted)
        found: list[Judged] = await self._exchange.site.off_reactor(judged, pairs, portion, zone, wanted)
        return found

    def bare(self, states: Sequence[ItemState]) -> list[Judged]:
        """Items that are all wanted, and no octets of them."""
        return [Judged(state) for state in states]

    async def written(self, collection: CollectionNode, found: Sequence[Judged]) -> AsyncIterator[bytes]:
        """Responses, in pieces."""
        good = [(each.state, each.shown) for each in found if each.shown is not None]
        more = [shown for _, shown in good] if self.needs_octets else []
        async for piece in self._properties.of_items(collection, [state for state, _ in good], more):
            yield piece
        for each in found:
            if each.shown is None:
                yield await self._failed(collection, each.state)

    async def _failed(self, collection: CollectionNode, state: ItemState) -> bytes:
        node = collection.item(state)
        properties, _ = await self._properties.sorted_out(node)
        stats = [propstat(200, properties)] if properties else []
        return propstat_response(node.path, *stats, propstat(507, element(CALENDAR_OCTETS), _TOO_LARGE))
