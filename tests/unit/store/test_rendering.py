"""
Rendering stored values.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from trekd.store.interfaces import Column, Extract, LineTemplate
from trekd.store.rendering import (
    PIECE_OCTETS,
    Source,
    extract,
    flag_list,
    internal_date,
    internal_day,
    line,
    literal,
    pieces,
    with_recent,
)
from trekd.values import Flag


@pytest.mark.parametrize(
    ("offset", "day", "expected"),
    [
        (-420, 17, b'"17-Jul-1996 02:44:25 -0700"'),
        (0, 7, b'" 7-Jul-1996 02:44:25 +0000"'),
        (345, 1, b'" 1-Jul-1996 02:44:25 +0545"'),
        (-30, 31, b'"31-Jul-1996 02:44:25 -0030"'),
        (14 * 60, 10, b'"10-Jul-1996 02:44:25 +1400"'),
    ],
)
def test_internal_date_is_fixed_width(offset: int, day: int, expected: bytes) -> None:
    """C{date-day-fixed} has a space or two digits (RFC 3501 §9)."""
    moment = datetime(1996, 7, day, 2, 44, 25, tzinfo=timezone(timedelta(minutes=offset)))
    assert internal_date(moment) == expected
    assert len(internal_date(moment)) == 28


def test_internal_date_of_early_years_and_odd_zones() -> None:
    """Four digits; seconds of a zone are rounded away; no zone is UTC."""
    zone = timezone(timedelta(hours=-1, minutes=-15, seconds=-20))
    assert internal_date(datetime(33, 4, 3, 15, 0, 0, tzinfo=zone)) == b'" 3-Apr-0033 15:00:00 -0115"'
    assert internal_date(datetime(2024, 1, 2, 3, 4, 5)) == b'" 2-Jan-2024 03:04:05 +0000"'


def test_day_disregards_the_zone() -> None:
    """The day as written."""
    day = datetime(2024, 3, 1, tzinfo=UTC).toordinal()
    for hour, offset in ((0, 14), (23, -12), (12, 0)):
        assert internal_day(datetime(2024, 3, 1, hour, tzinfo=timezone(timedelta(hours=offset)))) == day


def test_flags_have_one_order() -> None:
    """System flags first."""
    texts = ["zz", "\\Draft", "AA", "\\Seen", "\\Answered", "\\Deleted", "\\Flagged"]
    expected = b"(\\Answered \\Flagged \\Deleted \\Seen \\Draft AA zz)"
    assert flag_list(map(Flag, texts)) == expected
    assert flag_list(map(Flag, reversed(texts))) == expected
    assert flag_list(()) == b"()"


def test_recent_joins_the_flags() -> None:
    """With and without others."""
    assert with_recent(b"()") == b"(\\Recent)"
    assert with_recent(b"(\\Seen a)") == b"(\\Recent \\Seen a)"


def test_literal_counts_octets() -> None:
    """NUL and 8-bit octets too."""
    assert literal(b"") == b"{0}\r\n"
    assert literal(b"\x00\xff") == b"{2}\r\n\x00\xff"


def test_extract_needs_the_header_only() -> None:
    """The source's octets may end with the header."""
    source = Source(b"parts", 4, 1000, b"head")
    seen = []

    def locate(parts: bytes, header_length: int, size: int) -> tuple[int, int]:
        seen.append((parts, header_length, size))
        return 0, header_length

    assert extract(Extract(locate, lambda octets: octets.upper(), (1, 2)), source) == b"{2}\r\nEA"
    assert seen == [(b"parts", 4, 1000)]


def test_line_asks_only_for_what_it_shows() -> None:
    """The source is got once, for any number of extracts, and not without one."""
    asked: list[object] = []

    def value(column: Column) -> bytes:
        asked.append(column)
        return b"(\\Seen)" if column is Column.FLAGS else b"7"

    def source() -> Source:
        asked.append("source")
        return Source(b"", 0, 3, b"abc")

    assert line(LineTemplate((b"* ", Column.UID, b" ", Column.FLAGS), 8), 7, value, source) == b"* 7 (\\Seen)"
    assert line(LineTemplate((Column.FLAGS,), 7), 7, value, source) == b"(\\Recent \\Seen)"
    assert asked == [Column.UID, Column.FLAGS, Column.FLAGS]
    asked.clear()
    everything = Extract(lambda parts, header_length, size: (0, size))
    assert line(LineTemplate((everything, everything)), 7, value, source) == b"{3}\r\nabc{3}\r\nabc"
    assert asked == ["source"]


@pytest.mark.parametrize(
    "sizes",
    [
        [],
        [0],
        [0, 0, 0],
        [PIECE_OCTETS],
        [PIECE_OCTETS + 1],
        [1, PIECE_OCTETS, 1],
        [PIECE_OCTETS * 3, 5, PIECE_OCTETS * 2 + 1],
        [100] * 5000,
    ],
)
def test_pieces_are_bounded_and_complete(sizes: list[int]) -> None:
    """Every octet once, in order; every message counted once; no piece over the limit."""
    lines = [bytes([number % 251]) * size for number, size in enumerate(sizes)]
    cut = list(pieces(lines))
    assert b"".join(piece.octets for piece in cut) == b"".join(lines)
    assert sum(piece.messages for piece in cut) == len(sizes)
    assert all(len(piece.octets) <= PIECE_OCTETS for piece in cut)
    assert len(cut) <= 2 + 2 * sum(sizes) // PIECE_OCTETS + len([size for size in sizes if size > PIECE_OCTETS])
