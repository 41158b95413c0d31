"""
What a client sends, as something a session can wait for.

The session takes lines or octets when it is ready for them; what comes earlier waits here, and when too much
waits, reading from the connection pauses (RFC 2920 §3.1: commands may come in groups).
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred

from trekd.smtp.grammar.reader import COMMAND_LIMIT, CommandReader

PAUSE_AT = 65536
"""Octets waiting for the session at which reading pauses."""


class ConnectionEnded(Exception):
    """The client is gone, or we have said goodbye; the session unwinds."""


class Tap(Protocol):
    """The connection's side that can stop the octets from coming."""

    def pauseProducing(self) -> object: ...

    def resumeProducing(self) -> object: ...


class InputStream:
    """
    The octets of one client, in order.

    @ivar waiting: whether the session waits for the client now.
    """

    def __init__(self, tap: Tap) -> None:
        self._tap = tap
        self._reader = CommandReader()
        self._paused = False
        self._ended = False
        self._more: Deferred[None] | None = None

    @property
    def waiting(self) -> bool:
        """Whether the session waits for the client now."""
        return self._more is not None

    @property
    def pending(self) -> int:
        """Octets that wait for the session."""
        return self._reader.pending

    @property
    def fatal(self) -> bool:
        """Whether the client sent a line without end, so that nothing more can be read."""
        return self._reader.fatal

    def received(self, octets: bytes) -> None:
        """The client sent something."""
        self._reader.feed(octets)
        self._wake()
        if self._reader.pending > PAUSE_AT and not self._paused and not self._ended:
            self._paused = True
            self._tap.pauseProducing()

    def end(self) -> None:
        """Nothing more will be read; whoever waits gets L{ConnectionEnded}."""
        self._ended = True
        self._reader.take_rest()
        if self._more is not None:
            more, self._more = self._more, None
            more.errback(ConnectionEnded())

    async def line(self, limit: int = COMMAND_LIMIT) -> bytes:
        """
        Wait for a line.

        @param limit: in octets, with its CRLF.
        @return: the line without its CRLF.
        @raise LimitExceeded: the line was too long and is skipped.
        @raise ConnectionEnded: there will be none.
        """
        self._reader.limit = limit
        while (line := self._reader.next_line()) is None:
            await self._wait()
        self._relieve()
        return line

    async def octets(self) -> bytes:
        """
        Wait for octets of whatever kind.

        @raise ConnectionEnded: there will be none.
        """
        while not self._reader.pending:
            await self._wait()
        octets = self._reader.take_rest()
        self._relieve()
        return octets

    def unread(self, octets: bytes) -> None:
        """Put octets back in front of everything that waits."""
        self._reader.feed(octets + self._reader.take_rest())

    def drop(self) -> None:
        """Forget everything that waits."""
        self._reader.take_rest()
        self._relieve()

    async def _wait(self) -> None:
        if self._ended:
            raise ConnectionEnded
        self._relieve()
        self._more = Deferred()
        await self._more

    def _wake(self) -> None:
        if self._more is not None:
            more, self._more = self._more, None
            more.callback(None)

    def _relieve(self) -> None:
        if self._paused and self._reader.pending <= PAUSE_AT // 2 and not self._ended:
            self._paused = False
            self._tap.resumeProducing()
