"""
The calendar-query report (RFC 4791 §7.8).

Indexes answer what they can: a kind of component, a time range, a text.  What they leave open is put to the objects
themselves.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from trekd.calendar.filters import CompFilter, index_hint, index_question, index_text
from trekd.dav.calendars.answers import Answers, batches
from trekd.dav.calendars.limits import MOST_MATCHES, MOST_SECONDS
from trekd.dav.calendars.requests import QueryWanted, calendar_query, read_large
from trekd.dav.calendars.timezones import zone_of
from trekd.dav.errors import ErrorAnswer
from trekd.dav.exchange import Answer, Exchange, xml_answer
from trekd.dav.methods.propfind import PREFER, applied
from trekd.dav.multistatus import status_response, streamed
from trekd.dav.nodes import CollectionNode, HomeNode, ItemNode, Node
from trekd.dav.xml.names import dav
from trekd.dav.xml.reading import Element
from trekd.store.collections import CollectionKind, ItemState, Match, Window

KINDS = (CollectionKind.CALENDAR, CollectionKind.INBOX)
"""What holds calendar objects (RFC 4791 §4.2, RFC 6638 §2.2)."""

_TRUNCATED = ErrorAnswer(507, dav("number-of-matches-within-limits"))


def holds_objects(node: Node) -> bool:
    """Whether it is a collection of calendar objects."""
    return isinstance(node, CollectionNode) and node.state.kind in KINDS


def applies(exchange: Exchange, node: Node) -> bool:
    """Whether objects can be asked for there."""
    if isinstance(node, ItemNode):
        return holds_objects(node.collection)
    return holds_objects(node) or (isinstance(node, HomeNode) and CollectionKind.CALENDAR in node.kinds)


@dataclass(frozen=True, slots=True)
class Candidates:
    """
    Items that may fulfil a filter.

    @ivar certain: names of those that do for sure.
    """

    states: tuple[ItemState, ...]
    certain: frozenset[str] = frozenset()


async def perform(exchange: Exchange, node: Node, root: Element) -> Answer:
    """
    Give the objects that fulfil a filter.

    @raise Fault: the request breaks a precondition.
    """
    wanted = await read_large(exchange, calendar_query, root)
    scope = await _scope(exchange, node)
    pieces = _pieces(exchange, node, scope, wanted)
    return xml_answer(207, streamed(pieces), PREFER, *applied(exchange))


async def _scope(exchange: Exchange, node: Node) -> list[tuple[CollectionNode, str | None]]:
    """
    Collections, and the one item of each that is asked about (RFC 4791 §7.2, §7.8).

    Without Depth it is 0, and then only the resource itself is asked about, which a collection never answers.
    """
    if isinstance(node, ItemNode):
        return [(node.collection, node.state.name)]
    depth = exchange.depth or "0"
    if isinstance(node, CollectionNode):
        return [] if depth == "0" else [(node, None)]
    if depth != "infinity":
        return []
    return [(each, None) for each in await calendars(exchange, node)]


async def calendars(exchange: Exchange, node: Node) -> list[CollectionNode]:
    """The calendars in a home that one may read, those of others that are shown there too."""
    members = await node.members(exchange)
    return [
        each
        for each in members
        if isinstance(each, CollectionNode) and each.state.kind is CollectionKind.CALENDAR
    ]


async def _pieces(
    exchange: Exchange, node: Node, scope: Sequence[tuple[CollectionNode, str | None]], wanted: QueryWanted
) -> AsyncIterator[bytes]:
    left = min(wanted.limit or MOST_MATCHES, MOST_MATCHES)
    answers = Answers(exchange, wanted.items)
    seconds = 0.0
    for collection, name in scope:
        zone = wanted.zone or zone_of(collection)
        found = await _candidates(collection, wanted.filter, name)
        open_filter = _open_filter(wanted.filter, found.certain)
        for batch in batches(found.states):
            if answers.needs_octets or any(open_filter(state) for state in batch):
                began = exchange.site.clock.seconds()
                kept = await answers.read(collection, batch, zone, open_filter)
                seconds += exchange.site.clock.seconds() - began
            else:
                kept = answers.bare(batch)
            async for piece in answers.written(collection, kept[:left]):
                yield piece
            left -= len(kept)
            if left < 0 or seconds > MOST_SECONDS:
                # RFC 4791 §7.8, number-of-matches-within-limits
                yield status_response(node.path, 507, _TRUNCATED)
                return


def _open_filter(wanted: CompFilter, certain: frozenset[str]) -> Callable[[ItemState], CompFilter | None]:
    """What is still to be asked of an item."""
    return lambda state: None if state.name in certain else wanted


async def _candidates(collection: CollectionNode, wanted: CompFilter, name: str | None) -> Candidates:
    """
    What indexes know of a filter's answer.

    @param name: only of this item.
    """
    shelf, where = collection.shelf, collection.state.id
    if name is not None:
        return Candidates(await shelf.items(where, (name,)))
    question = index_question(wanted)
    component, hint = question or index_hint(wanted)
    window = Window(hint.start, hint.end)
    is_bounded = window != Window()
    if question is not None and is_bounded:
        overlapping = await shelf.overlapping(where, window, component)
        sure = frozenset(each.state.name for each in overlapping if each.is_certain)
        return Candidates(tuple(each.state for each in overlapping), sure)
    text = index_text(wanted)
    if text is not None:
        states = await shelf.containing(where, text[:1], text[1], Match.CONTAINS)
    elif is_bounded:
        states = tuple(each.state for each in await shelf.overlapping(where, window, component))
    else:
        states = await shelf.items(where)
    fitting = tuple(state for state in states if component in ("", state.component))
    if question is not None:
        return Candidates(fitting, frozenset(state.name for state in fitting))
    return Candidates(fitting)
