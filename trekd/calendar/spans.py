"""
Arithmetic of spans of time: cut, merged, taken from each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trekd.calendar.times import EARLIEST, LATEST, Window

Span = tuple[int, int, str]
"""Start and end in Unix seconds, half-open, and the busy letter (L{trekd.calendar.facts.ObjectFacts})."""


def clipped(spans: Iterable[Span], window: Window) -> list[Span]:
    """What of spans lies in a window; those of no length are left out."""
    first = EARLIEST if window.start is None else window.start
    last = LATEST if window.end is None else window.end
    cut = ((max(start, first), min(end, last), letter) for start, end, letter in spans)
    return [each for each in cut if each[0] < each[1]]


def merged(spans: Iterable[Span]) -> list[Span]:
    """Spans of the same letter that overlap or follow each other made one; by start."""
    latest: dict[str, Span] = {}
    result: list[Span] = []
    for start, end, letter in sorted(spans):
        open_span = latest.get(letter)
        if open_span is not None and start <= open_span[1]:
            latest[letter] = (open_span[0], max(end, open_span[1]), letter)
            continue
        if open_span is not None:
            result.append(open_span)
        latest[letter] = (start, end, letter)
    return sorted([*result, *latest.values()])


def without(spans: Iterable[Span], holes: Iterable[Span]) -> Iterator[Span]:
    """What is left of spans where there are no holes, whatever their letters; by start."""
    gaps = merged((start, end, "") for start, end, _ in holes)
    first = 0
    for start, end, letter in sorted(spans):
        while first < len(gaps) and gaps[first][1] <= start:
            first += 1
        at = first
        while at < len(gaps) and gaps[at][0] < end:
            if start < gaps[at][0]:
                yield start, gaps[at][0], letter
            start = max(start, gaps[at][1])
            at += 1
        if start < end:
            yield start, end, letter
