"""L{trekd.relay.letters}: what is seen before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest
from zope.interface import implementer

from tests.fakes.coroutines import CoroutineTestCase
from trekd.errors import RemoteDeferred, RemoteRefused, StoreFull
from trekd.relay.letters import PIECE, look_through
from trekd.store.contents import InMemory
from trekd.store.interfaces import IMessageSource

HEADER = b"Subject: x\r\n\r\n"


@implementer(IMessageSource)
class Unreadable:
    """A message whose disk is full."""

    size = 10

    async def read(self, offset: int, length: int) -> bytes:
        """See L{IMessageSource}."""
        raise StoreFull

    async def octets(self) -> bytes:
        """See L{IMessageSource}."""
        raise StoreFull


class Letters(CoroutineTestCase):
    """Looking through."""

    async def seen(self, octets: bytes) -> Any:
        return await look_through(InMemory(octets))

    async def test_text_beyond_ascii_in_header_and_body(self) -> None:
        plain = await self.seen(HEADER + b"x\r\n")
        assert (plain.eight_bit, plain.utf8_header) == (False, False)
        body = await self.seen(HEADER + b"\xc3\xa9\r\n")
        assert (body.eight_bit, body.utf8_header) == (True, False)
        header = await self.seen(b"Subject: \xc3\xa9\r\n\r\nx\r\n")
        assert (header.eight_bit, header.utf8_header) == (True, True)

    async def test_the_header_ends_wherever_a_piece_does(self) -> None:
        for shift in range(-5, 5):
            octets = b"X: " + b"a" * (PIECE + shift - 3) + b"\r\n\r\n\xc3\xa9\r\n"
            letter = await self.seen(octets)
            assert (letter.eight_bit, letter.utf8_header) == (True, False)

    async def test_line_ends_wherever_a_piece_does(self) -> None:
        for shift in range(-3, 3):
            good = b"a" * (PIECE + shift) + b"\r\n" + b"b\r\n"
            letter = await self.seen(good)
            assert letter.size == len(good)
            for bad in (b"\r", b"\n", b"\0", b"\n\r"):
                with pytest.raises(RemoteRefused) as caught:
                    await self.seen(b"a" * (PIECE + shift) + bad + b"b\r\n")
                assert caught.value.status == "5.6.0"

    async def test_a_cr_at_the_very_end(self) -> None:
        with pytest.raises(RemoteRefused):
            await self.seen(HEADER + b"x\r")

    async def test_the_last_line_is_ended(self) -> None:
        letter = await self.seen(HEADER + b"x")
        assert letter.size == len(HEADER) + 3
        assert b"".join([piece async for piece in letter.pieces()]) == HEADER + b"x\r\n"

    async def test_a_message_that_cannot_be_read_waits(self) -> None:
        with pytest.raises(RemoteDeferred):
            await look_through(Unreadable())
