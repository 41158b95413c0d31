"""
Which messages are gone, as ranges of UIDs (RFC 7162 §3.2.10).

All that is told of many messages is told in ranges: the work costs what the ranges cost.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from trekd.imap.grammar.sequence import SequenceSet, range_octets

Range = tuple[int, int]
"""First and last UID, inclusive."""

_AT_ONCE = 500
"""Ranges in one response: lines stay of a length that every client reads."""


def runs(uids: Iterable[int]) -> Iterator[Range]:
    """Ascending UIDs as ranges."""
    first = last = 0
    for uid in uids:
        if uid != last + 1 or not first:
            if first:
                yield first, last
            first = uid
        last = uid
    if first:
        yield first, last


def among(known: SequenceSet, top: int, uids: array[int], present: array[int]) -> Iterator[Range]:
    """
    Those of C{uids} that are in a set and not in a mailbox.

    @param top: what C{*} means.
    @param uids: ascending.
    @param present: the mailbox's UIDs, ascending.
    """
    for low, high in known.clipped(top):
        some = uids[bisect_left(uids, low) : bisect_right(uids, high)]
        yield from runs(uid for uid in some if not _is_in(present, uid))


def absent(known: SequenceSet, top: int, present: array[int]) -> Iterator[Range]:
    """
    All members of a set up to C{top} that are not in a mailbox: the answer where nothing is recorded.

    @param present: the mailbox's UIDs, ascending.
    """
    for low, high in known.clipped(top):
        expected = low
        for uid in present[bisect_left(present, low) : bisect_right(present, high)]:
            if uid > expected:
                yield expected, uid - 1
            expected = uid + 1
        if expected <= high:
            yield expected, high


def known_up_to(sample: tuple[SequenceSet, SequenceSet], present: array[int]) -> int:
    """
    The highest UID up to which a client knows of every expunge, 0 for none (RFC 7162 §3.2.5.2).

    @param sample: sequence numbers and the UIDs that they had.
    """
    known = 0
    sequence_numbers, uids = sample
    pairs = zip(_members(sequence_numbers, len(present)), _members(uids, present[-1] if present else 0), strict=False)
    for seq, uid in pairs:
        if present[seq - 1] != uid:
            break
        known = uid
    return known


def vanished(ranges: Iterable[Range], earlier: bool) -> bytes:
    """
    VANISHED responses, none for no message.

    @param earlier: whether they tell of what happened before the client looked (RFC 7162 §3.2.10.1).
    """
    pieces = [range_octets(first, last) for first, last in ranges]
    start = b"* VANISHED (EARLIER) " if earlier else b"* VANISHED "
    parts = (pieces[at : at + _AT_ONCE] for at in range(0, len(pieces), _AT_ONCE))
    return b"".join(start + b",".join(part) + b"\r\n" for part in parts)


def _is_in(uids: array[int], uid: int) -> bool:
    place = bisect_left(uids, uid)
    return place < len(uids) and uids[place] == uid


def _members(numbers: SequenceSet, largest: int) -> Iterator[int]:
    for low, high in numbers.clipped(largest):
        yield from range(low, high + 1)
