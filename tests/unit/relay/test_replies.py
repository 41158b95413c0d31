"""L{trekd.relay.replies}: replies in every portion, and what is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.fakes.trickle import trickle, whole
from trekd.errors import LimitExceeded, SyntaxFault
from trekd.relay.replies import MAX_LINE, MAX_REPLY, RemoteReply, ReplyReader


def read(octets: bytes, portions: Callable[[bytes], Iterator[bytes]] = whole) -> list[RemoteReply]:
    reader = ReplyReader()
    found = []
    for portion in portions(octets):
        reader.feed(portion)
        while (reply := reader.next_reply()) is not None:
            found.append(reply)
    return found


@pytest.mark.parametrize("portions", [whole, trickle])
def test_replies_of_one_line_and_of_several(portions: Callable[[bytes], Iterator[bytes]]) -> None:
    """RFC 5321 §4.2.1."""
    octets = b"220 mx ESMTP\r\n250-mx\r\n250-SIZE 10\r\n250 OK\r\n354\r\n421 \n"
    assert read(octets, portions) == [
        RemoteReply(220, ("mx ESMTP",)),
        RemoteReply(250, ("mx", "SIZE 10", "OK")),
        RemoteReply(354, ("",)),
        RemoteReply(421, ("",)),
    ]


@pytest.mark.parametrize(
    "octets", [b"\r\n", b"hello\r\n", b"25 x\r\n", b"650 x\r\n", b"250x\r\n", b"250-a\r\n251 b\r\n", b"\x16\x03\x01\n"]
)
def test_what_is_no_reply(octets: bytes) -> None:
    with pytest.raises(SyntaxFault):
        read(octets)


def test_a_line_without_end_costs_no_memory() -> None:
    reader = ReplyReader()
    reader.feed(b"2" * MAX_LINE)
    with pytest.raises(LimitExceeded):
        reader.next_reply()


def test_a_reply_without_end_costs_no_memory() -> None:
    with pytest.raises(LimitExceeded):
        read(b"250-again and again\r\n" * (MAX_REPLY // 20 + 1))


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"550 5.1.1 nobody\r\n", "5.1.1"),
        (b"550 4.1.1 nobody\r\n", "5.0.0"),
        (b"450 nothing\r\n", "4.0.0"),
        (b"550 5.7.26\r\n", "5.7.26"),
        (b"550 5.7.26x\r\n", "5.0.0"),
        (b"250-2.1.0 a\r\n250 2.1.0 b\r\n", "2.1.0"),
    ],
)
def test_enhanced_status_codes(octets: bytes, status: str) -> None:
    """RFC 3463 §2: the class agrees with the reply code, or is not believed."""
    assert read(octets)[0].status == status


def test_the_text_is_one_printable_line() -> None:
    (reply,) = read(b"550-5.1.1 first\x1b[31m\r\n550-5.1.1  second\xe9\r\n550 5.1.1 " + b"x" * 900 + b"\r\n")
    assert reply.text.startswith("550 5.1.1 first?[31m second? xxx")
    assert len(reply.text) == 400 and reply.text.isascii() and reply.text.isprintable()


def test_clear_forgets_half_a_reply() -> None:
    reader = ReplyReader()
    reader.feed(b"250-a\r\n250-b\r\n25")
    assert reader.next_reply() is None
    reader.clear()
    assert reader.pending == 0
    reader.feed(b"220 new\r\n")
    assert reader.next_reply() == RemoteReply(220, ("new",))
