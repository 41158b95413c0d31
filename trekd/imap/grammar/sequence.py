"""
Sets of sequence numbers or UIDs (RFC 3501 §9, sequence-set; RFC 4315 §4, uid-set).

A set is kept as merged ranges, so that work with it costs what the ranges cost, never what the numbers
between them would.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from trekd.errors import SyntaxFault
from trekd.values import MAX_UID

_SEQUENCE_SET = re.compile(rb"(?:[1-9][0-9]{0,9}|\*)(?::(?:[1-9][0-9]{0,9}|\*))?"
                           rb"(?:,(?:[1-9][0-9]{0,9}|\*)(?::(?:[1-9][0-9]{0,9}|\*))?)*+")


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """
    Sequence numbers or UIDs that a client named, C{*} still open.

    @ivar ranges: (first, last) inclusive, ascending, neither overlapping nor adjacent.
    @ivar open_from: the smallest C{n} of all C{n:*}; C{MAX_UID} for C{*} alone; C{None} without C{*}.  C{n:*}
        always holds the largest number in use, also when C{n} is larger (RFC 3501 §9, seq-range).
    """

    ranges: tuple[tuple[int, int], ...]
    open_from: int | None = None

    @property
    def is_saved(self) -> bool:
        """Whether it is C{$}, the messages that the last SEARCH saved (RFC 5182 §2.1)."""
        return not self.ranges and self.open_from is None

    @classmethod
    def parse(cls, octets: bytes) -> SequenceSet:
        """
        Read a whole sequence-set, in time linear in its length (but for sorting its ranges).

        @raise SyntaxFault: it is none, or a number is 0 or above 2**32-1.
        """
        if not _SEQUENCE_SET.fullmatch(octets):
            raise SyntaxFault("sequence-set")
        ranges: list[tuple[int, int]] = []
        open_from = None
        for piece in octets.split(b","):
            first, colon, last = piece.partition(b":")
            if b"*" in piece:
                numeric = min((int(end) for end in (first, last) if end not in (b"*", b"")), default=MAX_UID)
                open_from = numeric if open_from is None else min(open_from, numeric)
            else:
                low = int(first)
                high = int(last) if colon else low
                ranges.append((low, high) if low <= high else (high, low))
        if any(high > MAX_UID for _, high in ranges) or (open_from or 0) > MAX_UID:
            raise SyntaxFault("nz-number below 2**32")
        return cls(_merged(ranges), open_from)

    def seq_ranges(self, count: int) -> tuple[tuple[int, int], ...]:
        """
        The sequence numbers meant in a mailbox of C{count} messages, as merged ranges.

        @raise SyntaxFault: one is larger than C{count}, or C{*} in an empty mailbox: answered C{BAD}
            (RFC 3501 §9, seq-number).
        """
        if count == 0 or (self.ranges and self.ranges[-1][1] > count):
            raise SyntaxFault("sequence number of an existing message")
        return self.ranges if self.open_from is None else self.clipped(count)

    def clipped(self, largest: int) -> tuple[tuple[int, int], ...]:
        """The members from 1 to C{largest}, as merged ranges; C{*} is C{largest}."""
        ranges = [(low, min(high, largest)) for low, high in self.ranges if low <= largest]
        if self.open_from is not None and largest > 0:
            ranges.append((min(self.open_from, largest), largest))
            return _merged(ranges)
        return tuple(ranges)

    def contains(self, number: int, largest: int) -> bool:
        """Whether C{number} is meant when C{largest} is the largest in use."""
        if self.open_from is not None and (number == largest or self.open_from <= number < largest):
            return True
        at = bisect_right(self.ranges, (number, MAX_UID + 1)) - 1
        return at >= 0 and self.ranges[at][1] >= number

    def index_ranges(self, uids: array[int]) -> list[tuple[int, int]]:
        """
        Where the members are in a sorted array, by bisection.

        @param uids: ascending; the last one is C{*}.
        @return: half-open C{(start, stop)} index ranges, ascending, none empty.
        """
        found = []
        for low, high in self.clipped(uids[-1]) if uids else ():
            start = bisect_left(uids, low)
            stop = bisect_right(uids, high, start)
            if start < stop:
                found.append((start, stop))
        return found

    def present_in(self, uids: array[int]) -> array[int]:
        """The members of a sorted array, ascending; those not in it are skipped."""
        present: array[int] = array(uids.typecode)
        for start, stop in self.index_ranges(uids):
            present.extend(uids[start:stop])
        return present

    def __bytes__(self) -> bytes:
        pieces = [range_octets(low, high) for low, high in self.ranges]
        if self.open_from is not None:
            pieces.append(b"*" if self.open_from == MAX_UID else b"%d:*" % self.open_from)
        return b",".join(pieces)


SAVED = SequenceSet(())
"""C{$} (RFC 5182 §2.1); a set that a client spells out is never empty."""


def uid_set(numbers: Iterable[int]) -> bytes:
    """
    Write numbers as a uid-set with ranges, in the order given (COPYUID pairs depend on it, RFC 4315 §3).

    @param numbers: one or more; ascending runs become ranges.
    """
    pieces = []
    first = last = -1
    for number in numbers:
        if number != last + 1 or first < 0:
            if first > 0:
                pieces.append(range_octets(first, last))
            first = number
        last = number
    pieces.append(range_octets(first, last))
    return b",".join(pieces)


def range_octets(first: int, last: int) -> bytes:
    """seq-range, or the number alone."""
    return b"%d" % first if first == last else b"%d:%d" % (first, last)


def _merged(ranges: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Sorted, with overlapping and adjacent ranges joined."""
    ranges.sort()
    merged: list[tuple[int, int]] = []
    for low, high in ranges:
        if merged and low <= merged[-1][1] + 1:
            if high > merged[-1][1]:
                merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return tuple(merged)
