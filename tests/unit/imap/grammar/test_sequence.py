"""Sets of sequence numbers and UIDs."""

from __future__ import annotations

import time
from array import array

import pytest

from trekd.errors import SyntaxFault
from trekd.imap.grammar.sequence import SequenceSet, uid_set
from trekd.values import MAX_UID


@pytest.mark.parametrize(
    ("octets", "ranges", "open_from"),
    [
        (b"1", ((1, 1),), None),
        (b"2,4:7,9,12:15", ((2, 2), (4, 7), (9, 9), (12, 15)), None),
        (b"7:4", ((4, 7),), None),
        (b"3,1,2", ((1, 3),), None),
        (b"1:5,3:9,10", ((1, 10),), None),
        (b"1:5,2:3", ((1, 5),), None),
        (b"*", (), MAX_UID),
        (b"*:*", (), MAX_UID),
        (b"5:*", (), 5),
        (b"*:5,1", ((1, 1),), 5),
        (b"9:*,5:*,*", (), 5),
        (b"4294967295", ((MAX_UID, MAX_UID),), None),
    ],
)
def test_parse(octets: bytes, ranges: tuple[tuple[int, int], ...], open_from: int | None) -> None:
    """RFC 3501 §9, sequence-set."""
    parsed = SequenceSet.parse(octets)
    assert (parsed.ranges, parsed.open_from) == (ranges, open_from)
    assert SequenceSet.parse(bytes(parsed)) == parsed


@pytest.mark.parametrize(
    "octets",
    [b"", b"0", b"0:5", b"1:0", b"01", b"1,", b",1", b"1,,2", b"1:", b":1", b"1:2:3", b"-1", b"1 2", b"**",
     b"a", b"4294967296", b"1:4294967296", b"4294967296:*", b"9" * 5000, b"1\n", b"\xd9\xa1"],
)  # fmt: skip
def test_malformed_sets_are_refused(octets: bytes) -> None:
    with pytest.raises(SyntaxFault):
        SequenceSet.parse(octets)


def test_sequence_numbers_must_exist() -> None:
    """RFC 3501 §9, seq-number: BAD for a number beyond the mailbox, and for C{*} in an empty one."""
    assert SequenceSet.parse(b"2:4,9").seq_ranges(9) == ((2, 4), (9, 9))
    assert SequenceSet.parse(b"3:*").seq_ranges(5) == ((3, 5),)
    assert SequenceSet.parse(b"7:*").seq_ranges(5) == ((5, 5),)
    for octets, count in ((b"2:4,9", 8), (b"1", 0), (b"*", 0), (b"1:*", 0), (b"6,2:*", 5)):
        with pytest.raises(SyntaxFault):
            SequenceSet.parse(octets).seq_ranges(count)


def test_clipped_leaves_out_what_is_too_large() -> None:
    assert SequenceSet.parse(b"2:4,9").clipped(3) == ((2, 3),)
    assert SequenceSet.parse(b"2:4,9:*").clipped(6) == ((2, 4), (6, 6))
    assert SequenceSet.parse(b"1:*").clipped(0) == ()


UIDS = array("I", [3, 5, 6, 10, 4_000_000_000])


@pytest.mark.parametrize(
    ("octets", "at", "present"),
    [
        (b"1:4294967295", [(0, 5)], [3, 5, 6, 10, 4_000_000_000]),
        (b"1:*", [(0, 5)], [3, 5, 6, 10, 4_000_000_000]),
        (b"4:6", [(1, 3)], [5, 6]),
        (b"*", [(4, 5)], [4_000_000_000]),
        (b"4100000000:*", [(4, 5)], [4_000_000_000]),
        (b"1,2,4,7:9", [], []),
        (b"10,3", [(0, 1), (3, 4)], [3, 10]),
    ],
)
def test_uids_are_found_by_bisection(octets: bytes, at: list[tuple[int, int]], present: list[int]) -> None:
    uids = SequenceSet.parse(octets)
    assert uids.index_ranges(UIDS) == at
    assert list(uids.present_in(UIDS)) == present
    assert [uid for uid in UIDS if uids.contains(uid, UIDS[-1])] == present


def test_nothing_is_in_an_empty_mailbox() -> None:
    """UIDs that do not exist are no error (RFC 3501 §6.4.8)."""
    assert SequenceSet.parse(b"1:*").index_ranges(array("I")) == []


def test_large_sets_take_linear_time() -> None:
    """Stock Twisted needs two seconds for 14 KB."""
    sets = [
        b",".join(b"%d" % number for number in range(1, 24_000, 2)),
        b",".join(b"%d" % number for number in range(13_000, 0, -1)),
        b"1:4294967295," * 4600 + b"1",
        b"1:*," * 16_000 + b"*",
    ]
    every = array("I", range(1, 50_000))
    start = time.process_time()
    for octets in sets:
        assert 50_000 < len(octets) < 70_000
        SequenceSet.parse(octets).index_ranges(every)
    assert time.process_time() - start < 1


def test_uid_set_keeps_the_order() -> None:
    """COPYUID's two sets pair up in their order (RFC 4315 §3)."""
    assert uid_set([1, 2, 3, 7, 9, 10]) == b"1:3,7,9:10"
    assert uid_set([5, 4, 3]) == b"5,4,3"
    assert uid_set(array("I", [4_294_967_295])) == b"4294967295"
    assert uid_set(range(1, 100_001)) == b"1:100000"
