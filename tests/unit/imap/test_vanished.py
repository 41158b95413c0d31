"""Which messages are gone, as ranges."""

from __future__ import annotations

import itertools
from array import array

from hypothesis import given
from hypothesis import strategies as st

from trekd.imap.grammar.sequence import SequenceSet
from trekd.imap.selected import intersected
from trekd.imap.vanished import absent, among, known_up_to, runs, vanished

_UIDS = st.lists(st.integers(1, 60), unique=True, max_size=30).map(sorted)
_RANGES = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 8)), min_size=1, max_size=6)


def numbers(ranges: list[tuple[int, int]]) -> SequenceSet:
    """A set of (first, length) ranges."""
    return SequenceSet.parse(b",".join(b"%d:%d" % (first, first + length) for first, length in ranges))


def members(known: SequenceSet) -> set[int]:
    """The numbers in a set without C{*}."""
    return {number for low, high in known.ranges for number in range(low, high + 1)}


def flat(ranges: object) -> list[int]:
    """The numbers in ranges, in their order."""
    return [number for low, high in ranges for number in range(low, high + 1)]  # type: ignore[attr-defined]


@given(uids=_UIDS)
def test_runs_hold_the_same_numbers_and_are_as_long_as_can_be(uids: list[int]) -> None:
    found = list(runs(uids))
    assert flat(found) == uids
    assert all(high + 1 < low for (_, high), (low, _) in itertools.pairwise(found))


@given(known=_RANGES, present=_UIDS, expunged=_UIDS)
def test_gone_are_those_known_and_not_there(
    known: list[tuple[int, int]], present: list[int], expunged: list[int]
) -> None:
    """From the record of expunges, and without it."""
    client = numbers(known)
    here = array("I", present)
    recorded = [uid for uid in expunged if uid not in present]
    told = flat(among(client, 60, array("I", expunged), here))
    assert told == [uid for uid in recorded if uid in members(client)]
    assert flat(absent(client, 60, here)) == sorted(members(client) - set(present))


def test_star_is_the_largest_uid_ever() -> None:
    """So that messages expunged at the end of the mailbox are among C{1:*}."""
    everything = SequenceSet.parse(b"1:*")
    assert list(among(everything, 9, array("I", [3, 8, 9]), array("I", [1, 2]))) == [(3, 3), (8, 9)]
    assert list(absent(everything, 9, array("I", [1, 2, 5]))) == [(3, 4), (6, 9)]


def test_sample_ends_at_the_first_difference() -> None:
    """RFC 7162 §3.2.5.2, the example: 4 is UID 8, 12 is no longer UID 24."""
    present = array("I", [2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 25])
    sample = (SequenceSet.parse(b"4,12"), SequenceSet.parse(b"8,24"))
    assert known_up_to(sample, present) == 8
    assert known_up_to((SequenceSet.parse(b"1:3"), SequenceSet.parse(b"2,4,6")), present) == 6
    assert known_up_to((SequenceSet.parse(b"1"), SequenceSet.parse(b"1")), present) == 0
    assert known_up_to((SequenceSet.parse(b"1:4294967295"), SequenceSet.parse(b"1:4294967295")), array("I")) == 0


def test_responses_are_of_bounded_length() -> None:
    """Many ranges are several responses."""
    octets = vanished(((number, number) for number in range(1, 2002, 2)), earlier=True)
    lines = octets.split(b"\r\n")
    assert len(lines) == 4
    assert lines[0].startswith(b"* VANISHED (EARLIER) 1,3,5,")
    assert lines[2] == b"* VANISHED (EARLIER) 2001"
    assert vanished([], earlier=False) == b""
    assert vanished([(1, 3), (7, 7)], earlier=False) == b"* VANISHED 1:3,7\r\n"


@given(some=_RANGES, others=_RANGES)
def test_intersection(some: list[tuple[int, int]], others: list[tuple[int, int]]) -> None:
    """What is in both, as ascending ranges that do not touch each other's numbers."""
    first, second = numbers(some), numbers(others)
    both = intersected(
        tuple(range(low, high + 1) for low, high in first.ranges),
        tuple(range(low, high + 1) for low, high in second.ranges),
    )
    found = [place for span in both for place in span]
    assert found == sorted(members(first) & members(second))
    assert all(span for span in both)
