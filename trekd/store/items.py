"""
What every provider of collections decides alike: etags, conditions, order, sync tokens, times and texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b

from trekd.errors import ConditionFailed, SyncTokenExpired
from trekd.store.collections import (
    CollectionId,
    CollectionState,
    Condition,
    ItemState,
    Match,
    NewItem,
    Properties,
    Window,
)

FLOATING_MARGIN = 14 * 3600
"""Seconds by which a time in no zone may lie elsewhere than where it is kept (UTC-12 to UTC+14)."""

REMOVED_KEPT = 20_000
"""Names of removed items that a collection remembers; when there are more, the older half is forgotten."""

_FARTHEST = 1 << 50


class EtagMaker:
    """Digests an item's octets piece by piece."""

    def __init__(self) -> None:
        self._digest = blake2b(digest_size=12)

    def feed(self, octets: bytes) -> None:
        """The next octets."""
        self._digest.update(octets)

    def etag(self) -> str:
        """The etag of all octets so far: 24 hexadecimal digits."""
        return self._digest.hexdigest()


def etag_of(octets: bytes) -> str:
    """The etag of an item."""
    maker = EtagMaker()
    maker.feed(octets)
    return maker.etag()


def judge(condition: Condition, found: ItemState | None, is_collection: bool) -> None:
    """
    See whether a change may happen.

    @param found: the item that has the name.
    @param is_collection: a collection has it.
    @raise ConditionFailed: it may not.
    """
    holds = not (condition.is_absent and (found is not None or is_collection))
    holds = holds and not (condition.is_present and found is None)
    if condition.etags is not None:
        holds = holds and found is not None and found.etag in condition.etags
    if condition.schedule_tag is not None:
        holds = holds and found is not None and found.schedule_tag == condition.schedule_tag
    if not holds:
        raise ConditionFailed("" if found is None else found.name)


def in_order(states: Iterable[CollectionState]) -> tuple[CollectionState, ...]:
    """Superior collections first, then by name."""
    by_id = {state.id: state for state in states}
    depths: dict[CollectionId, int] = {}
    for state in by_id.values():
        path = [state]
        while path[-1].id not in depths and path[-1].parent is not None:
            path.append(by_id[path[-1].parent])
        for each in reversed(path):
            depths.setdefault(each.id, 0 if each.parent is None else depths[each.parent] + 1)
    return tuple(sorted(by_id.values(), key=lambda state: (depths[state.id], state.name, state.kind.value)))


def require_known(since: int, floor: int, modseq: int) -> None:
    """
    @param floor: removals up to here are forgotten, and nobody was told of anything before the collection was made.
    @raise SyncTokenExpired: what happened behind C{since} cannot be told.
    """
    if since and not floor <= since <= modseq:
        raise SyncTokenExpired(str(since))


def with_changes(old: Properties, values: Properties, removed: Iterable[str]) -> dict[str, str]:
    """Properties after a change."""
    gone = frozenset(removed)
    return {**{name: value for name, value in old.items() if name not in gone}, **values}


def kept_properties(new: NewItem, old: ItemState | None) -> Properties:
    """Properties of an item that takes the place of C{old}."""
    if new.properties is not None:
        return new.properties
    return {} if old is None else old.properties


def kept_schedule_tag(new: NewItem, old: ItemState | None) -> str:
    """Schedule tag of an item that takes the place of C{old}."""
    if new.schedule_tag is not None:
        return new.schedule_tag
    return "" if old is None else old.schedule_tag


def bounds(window: Window) -> tuple[int, int]:
    """The window in numbers."""
    start = -_FARTHEST if window.start is None else within_bounds(window.start)
    return start, _FARTHEST if window.end is None else within_bounds(window.end)


def within_bounds(second: int) -> int:
    """A time that a provider can calculate with."""
    return max(-_FARTHEST, min(_FARTHEST, second))


def overlaps(start: int, end: int, window: tuple[int, int]) -> bool:
    """Whether a span takes place in the window; an instant does where the window begins, not where it ends."""
    return start < window[1] and (end > window[0] or start == end == window[0])


def finder(text: str, match: Match) -> Callable[[str], bool]:
    """Whether a value has the text."""
    tests: Mapping[Match, Callable[[str], bool]] = {
        Match.EQUALS: lambda value: value == text,
        Match.CONTAINS: lambda value: text in value,
        Match.STARTS_WITH: lambda value: value.startswith(text),
        Match.ENDS_WITH: lambda value: value.endswith(text),
    }
    return tests[match]


def storable(text: str) -> str:
    """C{text} without what a database cannot hold: lone surrogates and NUL."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
