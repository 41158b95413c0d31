"""
A connection's output: collected into few writes, and held back while the client does not read.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from trekd.imap.compression import Deflation
from trekd.imap.wire import Hangup

_COLLECT = 16_384
"""Octets worth a write of their own (one TLS record)."""


class OutputListener(Protocol):
    """Whoever wants to know whether the client reads."""

    def output_paused(self) -> None:
        """The client is behind."""

    def output_resumed(self) -> None:
        """The client has caught up."""


@implementer(IPushProducer)
class Output:
    """
    The producer registered with the transport.

    @ivar octets: how many were written in all, compressed where compression is on.
    @ivar is_closed: whether writes are dropped.
    @ivar is_paused: whether the transport has as much as it wants to hold.
    """

    __slots__ = (
        "_collected",
        "_deflation",
        "_drained",
        "_listener",
        "_pieces",
        "_transport",
        "is_closed",
        "is_paused",
        "octets",
    )

    def __init__(self, transport: Any, listener: OutputListener) -> None:
        self.octets = 0
        self.is_paused = False
        self.is_closed = False
        self._transport = transport
        self._listener = listener
        self._pieces: list[bytes] = []
        self._collected = 0
        self._drained: Deferred[None] | None = None
        self._deflation: Deflation | None = None
        transport.registerProducer(self, True)

    def write(self, octets: bytes) -> None:
        """Collect octets; what is much is written at once."""
        if self.is_closed:
            return
        self._pieces.append(octets)
        self._collected += len(octets)
        if self._collected >= _COLLECT:
            self.flush()

    def flush(self) -> None:
        """Write what was collected."""
        if self._pieces and not self.is_closed:
            octets = b"".join(self._pieces)
            self._pieces.clear()
            self._collected = 0
            if self._deflation is not None:
                octets = self._deflation.deflated(octets)
            self.octets += len(octets)
            self._transport.write(octets)

    @property
    def is_compressed(self) -> bool:
        """Whether octets leave compressed."""
        return self._deflation is not None

    def compress(self) -> None:
        """Write what was collected; what follows leaves compressed (RFC 4978 §3)."""
        self.flush()
        self._deflation = Deflation()

    def drained(self) -> Awaitable[None] | None:
        """Flush; what to await before more is written, C{None} for nothing."""
        self.flush()
        if self.is_closed:
            return fail(Hangup())
        if not self.is_paused:
            return None
        self._drained = Deferred()
        return self._drained

    def finish(self) -> None:
        """Write what was collected, and nothing after it."""
        self.flush()
        if not self.is_closed:
            self.close()
            self._transport.unregisterProducer()

    def close(self) -> None:
        """Drop all output from now on; who waits for it to drain gets L{Hangup}."""
        self.is_closed = True
        self.is_paused = False
        self._pieces.clear()
        drained, self._drained = self._drained, None
        if drained is not None:
            drained.errback(Hangup())

    # --- IPushProducer --------------------------------------------------------------------------------

    def pauseProducing(self) -> None:
        """The transport has enough."""
        if not self.is_closed:
            self.is_paused = True
            self._listener.output_paused()

    def resumeProducing(self) -> None:
        """The transport has sent what it had."""
        if self.is_paused:
            self.is_paused = False
            drained, self._drained = self._drained, None
            if drained is not None:
                drained.callback(None)
            self._listener.output_resumed()

    def stopProducing(self) -> None:
        """The connection is gone."""
        self.close()
