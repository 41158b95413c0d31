"""
Which stored cards fulfil a filter: the index tells most, the rest is looked at in a thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trekd.calendar.vcard import LONG, read_card
from trekd.calendar.vcardfilters import CardFilter, CardProp, index_questions, matches
from trekd.dav.contacts.books import contents_of
from trekd.dav.exchange import Exchange
from trekd.dav.nodes import CollectionNode
from trekd.store.collections import ItemState, Match

SLICE = 500
"""Cards that are judged before it is seen whether there are enough."""

_Named = dict[str, ItemState]


@dataclass(frozen=True, slots=True)
class _Found:
    """
    What the index says.

    @ivar sure: cards that fulfil the condition.
    @ivar possible: those, and those that may.
    """

    sure: _Named
    possible: _Named


async def search(
    exchange: Exchange, book: CollectionNode, wanted: CardFilter, limit: int | None
) -> tuple[list[ItemState], bool]:
    """
    The cards of a book that fulfil a filter, by name, and whether there are more than C{limit} of them.
    """
    found = await _of_filter(book, wanted)
    ordered = [found.possible[name] for name in sorted(found.possible)]
    hits: list[ItemState] = []
    for start in range(0, len(ordered), SLICE):
        part = ordered[start : start + SLICE]
        unsure = [state for state in part if state.name not in found.sure]
        known = await verified(exchange, book, unsure, wanted) if unsure else frozenset()
        hits += [state for state in part if state.name in found.sure or state.name in known]
        if limit is not None and len(hits) > limit:
            return hits[:limit], True
    return hits, False


async def verified(
    exchange: Exchange, book: CollectionNode, states: Sequence[ItemState], wanted: CardFilter
) -> frozenset[str]:
    """The names of those of some cards that fulfil a filter, by their octets."""
    found: set[str] = set()
    async for cards in contents_of(book.shelf, book, states):
        found |= await exchange.site.off_reactor(_matching, cards, wanted)
    return frozenset(found)


def _matching(cards: Sequence[tuple[ItemState, bytes]], wanted: CardFilter) -> set[str]:
    return {state.name for state, octets in cards if matches(wanted, read_card(octets).tree)}


async def _of_filter(book: CollectionNode, wanted: CardFilter) -> _Found:
    if not wanted.props:
        every = await _every(book)
        return _Found(every, every)
    each = [await _of_prop(book, prop) for prop in wanted.props]
    whole = each[0]
    for other in each[1:]:
        if wanted.is_all:
            whole = _Found(_in_both(whole.sure, other.sure), _in_both(whole.possible, other.possible))
        else:
            whole = _Found(whole.sure | other.sure, whole.possible | other.possible)
    return whole


async def _of_prop(book: CollectionNode, wanted: CardProp) -> _Found:
    name = wanted.name.name
    beyond = await _containing(book, (LONG + name, LONG), "", "contains")
    if wanted.is_not_defined:
        defined = await _containing(book, (name,), "", "contains")
        every = await _every(book)
        lacking = _without(every, defined | beyond)
        # One in another group, or in none, is not the one.
        return _Found(lacking, every if wanted.name.group else _without(every, defined))
    sure: _Named = {}
    possible = beyond
    for question in index_questions(wanted):
        found = await _containing(book, (question.name,), question.text, question.how)
        possible = possible | found
        if question.is_exact:
            sure |= found
    return _Found(sure, possible)


async def _containing(book: CollectionNode, names: tuple[str, ...], text: str, how: str) -> _Named:
    found = await book.shelf.containing(book.state.id, names, text, Match(how))
    return {state.name: state for state in found}


async def _every(book: CollectionNode) -> _Named:
    return {state.name: state for state in await book.shelf.items(book.state.id)}


def _in_both(one: _Named, other: _Named) -> _Named:
    return {name: state for name, state in one.items() if name in other}


def _without(one: _Named, other: _Named) -> _Named:
    return {name: state for name, state in one.items() if name not in other}
