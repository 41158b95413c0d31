"""The octets that go to other servers and come from them, cut in every way."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.trickle import split
from trekd.errors import SyntaxFault
from trekd.relay.replies import RemoteReply, ReplyReader
from trekd.relay.stuffing import DotStuffer
from trekd.smtp.grammar.data import DataReader, MessageLimits

LINES = st.lists(st.sampled_from([b"", b".", b"..", b".a", b"a.", b"a", b"\t.", b".\t."]), max_size=12)
CUTS = st.lists(st.integers(0, 200), max_size=12)


def stuffed(octets: bytes, cuts: list[int]) -> bytes:
    stuffer = DotStuffer()
    return b"".join([*(stuffer.feed(piece) for piece in split(octets, cuts)), stuffer.finish()])


def received(wire: bytes) -> tuple[bytes, bytes]:
    """What the server's side makes of it: the message, and what follows."""
    reader = DataReader(MessageLimits())
    return b"".join(reader.feed(wire)), reader.rest


@given(LINES, CUTS)
def test_stuffing_is_undone_by_the_server(lines: list[bytes], cuts: list[int]) -> None:
    """RFC 5321 §4.5.2; by our own reader, and by the rule itself."""
    octets = b"".join(line + b"\r\n" for line in lines)
    wire = stuffed(octets, cuts)
    assert received(wire + b"QUIT\r\n") == (octets, b"QUIT\r\n")
    expected = b"".join((b"." + line if line.startswith(b".") else line) + b"\r\n" for line in lines)
    assert wire == expected + b".\r\n"


@given(st.binary(max_size=60).map(lambda octets: octets.replace(b"\r", b"").replace(b"\n", b"\r\n.")), CUTS)
def test_nothing_but_the_end_looks_like_an_end(octets: bytes, cuts: list[int]) -> None:
    wire = b"\r\n" + stuffed(octets, cuts)
    assert wire.find(b"\r\n.\r\n") == len(wire) - 5


@pytest.mark.parametrize("at", [0, 1, 16383, 16384, 16385, 32767, 32768, 32769])
def test_a_dot_at_the_edge_of_a_piece(at: int) -> None:
    """Where a client that stuffs piece by piece forgets it."""
    filler = b"x" * (at - 2) + b"\r\n" if at >= 2 else b""
    octets = filler + b".\r\n..\r\nend\r\n"
    for cut in range(max(0, len(filler) - 3), len(filler) + 4):
        assert received(stuffed(octets, [cut])) == (octets, b"")


def test_every_pair_of_cuts() -> None:
    octets = b".\r\n\r\n..a\r\n.\r\n"
    whole = stuffed(octets, [])
    for first in range(len(octets) + 1):
        for second in range(first, len(octets) + 1):
            assert stuffed(octets, [first, second]) == whole


def test_a_last_line_without_end_gets_one() -> None:
    assert stuffed(b"a", []) == b"a\r\n.\r\n"
    assert stuffed(b"", []) == b".\r\n"


def replies(octets: bytes, cuts: list[int]) -> list[RemoteReply | str]:
    reader = ReplyReader()
    found: list[RemoteReply | str] = []
    places = sorted({cut % (len(octets) + 1) for cut in cuts} | {0, len(octets)})
    try:
        for start, stop in pairwise(places):
            reader.feed(octets[start:stop])
            while (reply := reader.next_reply()) is not None:
                found.append(reply)
    except SyntaxFault:
        found.append("fault")
    return found


REPLY_LINES = st.sampled_from(
    [b"250-a\r\n", b"250 b\r\n", b"550 5.1.1 c\n", b"250\r\n", b"x\r\n", b"\xff", b"354 \r\n"]
)


@given(st.lists(REPLY_LINES, max_size=8).map(b"".join), CUTS)
def test_any_split_gives_the_same_replies(octets: bytes, cuts: list[int]) -> None:
    assert replies(octets, cuts) == replies(octets, [])


@given(st.binary(max_size=300), CUTS)
def test_no_input_raises_anything_else(octets: bytes, cuts: list[int]) -> None:
    for reply in replies(octets, cuts):
        assert reply == "fault" or (isinstance(reply, RemoteReply) and reply.text.isascii())
