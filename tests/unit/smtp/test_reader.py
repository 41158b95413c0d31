"""Command lines: limits, splits, and where reading ends."""

import pytest

from trekd.errors import LimitExceeded
from trekd.smtp.grammar.reader import CommandReader


def lines(reader: CommandReader) -> list[bytes | None]:
    """Everything that can be pulled now; C{None} marks a line that was too long."""
    found: list[bytes | None] = []
    while True:
        try:
            line = reader.next_line()
        except LimitExceeded:
            found.append(None)
            if reader.fatal:
                return found
            continue
        if line is None:
            return found
        found.append(line)


def test_lines_come_in_order_and_the_rest_stays() -> None:
    reader = CommandReader()
    reader.feed(b"EHLO a\r\nNOOP\r\n\r\nQUI")
    assert lines(reader) == [b"EHLO a", b"NOOP", b""]
    assert reader.pending == 3
    assert reader.take_rest() == b"QUI"
    assert reader.take_rest() == b""


@pytest.mark.parametrize("cut", range(1, 30))
def test_any_split_gives_the_same_lines(cut: int) -> None:
    octets = b"EHLO a\r\nX\ny\rz\r\r\nQUIT\r\n" + b"n" * 40 + b"\r\nNOOP\r\n"
    reader = CommandReader(limit=20)
    found: list[bytes | None] = []
    for start in range(0, len(octets), cut):
        reader.feed(octets[start : start + cut])
        found += lines(reader)
    assert found == [b"EHLO a", b"X\ny\rz\r", b"QUIT", None, b"NOOP"]


def test_a_lone_line_feed_ends_no_line() -> None:
    """RFC 5321 §2.3.8."""
    reader = CommandReader()
    reader.feed(b"NOOP\nQUIT\n")
    assert reader.next_line() is None


def test_the_longest_line_passes_and_one_octet_more_does_not() -> None:
    reader = CommandReader(limit=512)
    reader.feed(b"a" * 510 + b"\r\n" + b"b" * 511 + b"\r\nNOOP\r\n")
    assert lines(reader) == [b"a" * 510, None, b"NOOP"]


def test_an_endless_line_is_fatal_and_keeps_no_memory() -> None:
    reader = CommandReader(limit=512, swallow=65536)
    faults = 0
    for _ in range(200):
        reader.feed(b"x" * 4096)
        assert reader.pending <= 4096
        faults += lines(reader).count(None)
    assert reader.fatal
    assert faults == 1


def test_the_limit_can_grow_for_authentication() -> None:
    """RFC 4954 §4: 12,288 octets."""
    reader = CommandReader(limit=512)
    reader.limit = 12288
    reader.feed(b"A" * 12286 + b"\r\n")
    assert reader.next_line() == b"A" * 12286
