"""Large messages go from the sink to their file in pieces."""

from __future__ import annotations

import tracemalloc

import pytest
from zope.interface import implementer

from tests.contract.storecase import uids_in
from tests.unit.store.sqlite.conftest import Site
from trekd.errors import StoreFull
from trekd.mime.reader import MimeReader
from trekd.store.interfaces import IMessageSource, NewMessage
from trekd.store.sqlite.arrival import PIECE
from trekd.values import INBOX

MB = 1024 * 1024
HEADER = b"Subject: large\r\nContent-Type: text/plain\r\n\r\n"


@implementer(IMessageSource)
class Repeated:
    """A message that is nowhere whole; C{fails_at} is an offset that cannot be read."""

    def __init__(self, size: int, fails_at: int = -1) -> None:
        self.size = size
        self._fails_at = fails_at

    async def read(self, offset: int, length: int) -> bytes:
        length = min(length, self.size - offset)
        if offset <= self._fails_at < offset + length:
            raise StoreFull("the sink could not be written")
        start = offset % 64
        line = b"x" * 62 + b"\r\n"
        piece = (line * (length // 64 + 2))[start : start + length]
        return HEADER[offset:] + piece[len(HEADER) - offset :] if offset < len(HEADER) else piece

    async def octets(self) -> bytes:
        raise AssertionError("nobody may want all of it")


def test_fifty_megabytes_take_little_memory(site: Site) -> None:
    """Neither copying nor reading them has much of them in memory."""
    object.__setattr__(site.alice._around, "reader", MimeReader())
    site.reactor.run(site.alice.append(INBOX, [NewMessage(b"small")]))
    tracemalloc.start()
    try:
        site.reactor.run(site.alice.append(INBOX, [NewMessage(Repeated(50 * MB), b"Return-Path: <>\r\n")]))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * MB
    [state] = [state for state in site.reactor.run(site.alice.mailboxes()) if state.name == INBOX]
    assert state.octets == 50 * MB + len(b"Return-Path: <>\r\n") + len(b"small")


def test_the_pieces_are_the_message(site: Site) -> None:
    """With its prefix, read back octet for octet."""
    source = Repeated(2 * PIECE + 17)
    site.reactor.run(site.alice.append(INBOX, [NewMessage(source, b"Return-Path: <>\r\n")]))
    expected = b"Return-Path: <>\r\n" + site.reactor.run(source.read(0, source.size))
    [path] = (site.files / "bodies").iterdir()
    assert path.read_bytes() == expected


def test_a_sink_that_fails_leaves_nothing(site: Site) -> None:
    """Whatever was in files by then."""
    messages = [NewMessage(Repeated(PIECE)), NewMessage(Repeated(3 * PIECE, fails_at=2 * PIECE + 5))]
    with pytest.raises(StoreFull):
        site.reactor.run(site.alice.append(INBOX, messages))
    assert list((site.files / "bodies").iterdir()) == []
    assert site.reactor.run(uids_in(site.alice)) == []
