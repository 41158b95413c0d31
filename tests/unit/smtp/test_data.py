"""DATA and BDAT: where a message ends, what it may hold, and that splits change nothing."""

import pytest

from tests.fakes.vectors import VECTORS
from trekd.errors import LimitExceeded, MessageTooLarge, SyntaxFault
from trekd.smtp.grammar.data import ChunkReader, DataReader, MessageLimits

LIMITS = MessageLimits()


def read(octets: bytes, cut: int, limits: MessageLimits = LIMITS) -> tuple[DataReader, bytes]:
    """Feed C{octets} in pieces of C{cut}; what follows the end is collected in the reader's C{rest}."""
    reader = DataReader(limits)
    message = b""
    for start in range(0, len(octets), cut):
        if reader.done:
            reader.rest += octets[start : start + cut]
        else:
            message += b"".join(reader.feed(octets[start : start + cut]))
    return reader, message


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5, 6, 7, 1000])
@pytest.mark.parametrize(
    ("wire", "message"),
    [
        (b".\r\n", b""),
        (b"a\r\n.\r\n", b"a\r\n"),
        (b"\r\n.\r\n", b"\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"..a\r\n...\r\na.\r\n.\r\n", b".a\r\n..\r\na.\r\n"),
        (b".a\r\n.\r\n", b"a\r\n"),
        (b"a\r\n..\r\n\r\n..\r\n.\r\n", b"a\r\n.\r\n\r\n.\r\n"),
        (b"Subject: x\r\n\r\n" + b"y" * 998 + b"\r\n.\r\n", b"Subject: x\r\n\r\n" + b"y" * 998 + b"\r\n"),
    ],
)
def test_message_ends_at_the_dot_and_loses_its_stuffing(wire: bytes, message: bytes, cut: int) -> None:
    """RFC 5321 §4.5.2."""
    reader, found = read(wire + b"QUIT\r\n", cut)
    assert reader.done
    assert reader.fault is None
    assert found == message
    assert reader.size == len(message)
    assert reader.rest == b"QUIT\r\n"


@pytest.mark.parametrize("vector", VECTORS)
def test_no_false_end_of_data_ends_the_message(vector: bytes) -> None:
    """The message after the false end is swallowed with the first, at any split ."""
    smuggled = b"MAIL FROM:<evil@x>\r\nRCPT TO:<b@x>\r\nDATA\r\nevil\r\n"
    wire = b"Subject: a\r\n\r\nbody" + vector + smuggled + b".\r\n"
    for cut in range(1, len(wire) + 1):
        reader, _ = read(wire + b"NOOP\r\n", cut)
        assert reader.done
        assert reader.rest == b"NOOP\r\n"
        assert isinstance(reader.fault, SyntaxFault)


def test_nothing_comes_out_after_a_fault() -> None:
    reader = DataReader(LIMITS)
    assert reader.feed(b"good\r\n" * 10)
    assert reader.feed(b"bad\nline\r\n") == []
    assert reader.feed(b"good again\r\n.\r\n") == []
    assert reader.done


@pytest.mark.parametrize("cut", [1, 2, 3, 64, 4096, 100_000])
def test_the_longest_line_passes_and_one_octet_more_does_not(cut: int) -> None:
    limits = MessageLimits(line=1000)
    fits = b"a" * 1000 + b"\r\n" + b"b" * 1000 + b"\r\n"
    reader, message = read(fits * 20 + b".\r\n", cut, limits)
    assert reader.fault is None
    assert message == fits * 20
    reader, _ = read(fits * 3 + b"c" * 1001 + b"\r\n" + fits + b".\r\nQUIT\r\n", cut, limits)
    assert isinstance(reader.fault, LimitExceeded)
    assert reader.rest == b"QUIT\r\n"


@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_a_message_over_the_limit_is_read_to_its_end(cut: int) -> None:
    limits = MessageLimits(octets=100)
    reader, _ = read(b"a" * 98 + b"\r\n.\r\n", cut, limits)
    assert reader.fault is None
    reader, _ = read(b"a" * 99 + b"\r\n.\r\nQUIT\r\n", cut, limits)
    assert isinstance(reader.fault, MessageTooLarge)
    assert reader.rest == b"QUIT\r\n"


@pytest.mark.parametrize("offset", range(65530, 65540))
def test_dots_at_the_edges_of_large_pieces_survive(offset: int) -> None:
    line = b"x" * 77 + b"\r\n"
    head = (line * 1000)[: offset - 2].rpartition(b"\r\n")[0]
    head += b"\r\n" + b"y" * (offset - len(head) - 4) + b"\r\n"
    assert len(head) == offset
    wire = head + b"..dot\r\n" + line
    reader, message = read(wire + b".\r\n", 65536)
    assert reader.done and reader.fault is None
    assert message == head + b".dot\r\n" + line


def chunks(sizes: list[int], octets: bytes, cut: int) -> tuple[ChunkReader, bytes]:
    reader, message = ChunkReader(LIMITS), b""
    for size in sizes:
        reader.expect(size)
        while not reader.done:
            message += b"".join(reader.feed(octets[:cut]))
            octets = reader.rest + octets[cut:]
    message += b"".join(reader.finish())
    assert octets == b"NOOP\r\n"
    return reader, message


@pytest.mark.parametrize("cut", [1, 2, 3, 50])
def test_chunks_are_counted_not_searched(cut: int) -> None:
    """RFC 3030 §2: a dot on a line of its own is text."""
    text = b"Subject: x\r\n\r\n.\r\n..\r\nQUIT\r\n"
    for size in range(len(text) + 1):
        reader, message = chunks([size, len(text) - size, 0], text + b"NOOP\r\n", cut)
        assert reader.fault is None
        assert message == text


def test_a_last_chunk_without_line_end_gets_one() -> None:
    reader, message = chunks([3], b"abcNOOP\r\n", 100)
    assert message == b"abc\r\n"
    assert reader.size == 5


@pytest.mark.parametrize("text", [b"a\nb\r\n", b"a\rb\r\n", b"a\0b\r\n", b"ab\r"])
def test_chunks_obey_the_rules_of_data(text: bytes) -> None:
    for size in range(len(text) + 1):
        reader, _ = chunks([size, len(text) - size], text + b"NOOP\r\n", 100)
        assert isinstance(reader.fault, SyntaxFault)
