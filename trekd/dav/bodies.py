"""
A request's body as it arrives: bounded, little of it in memory, nothing of it kept for strangers.

What fits into memory waits there.  Past that the connection pauses until its client has logged in; then a body that
is to be stored goes into a sink of the store, and any other one stays in memory up to its bound.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred

from trekd.errors import LimitExceeded
from trekd.store.interfaces import IMessageSink

MEMORY = 64 * 1024
"""Octets that are taken before anybody has logged in."""
MAX_SWALLOWED = 1024 * 1024
"""Octets past a bound that are read and dropped, so that the client sees the answer."""


class Body:
    """
    One body.

    @ivar size: octets so far.
    @ivar is_refused: who sends it could not log in; nothing of it is kept.
    """

    def __init__(
        self,
        limit: int,
        transport: Any,
        admit: Callable[[], Awaitable[bool]],
        open_sink: Callable[[], IMessageSink] | None = None,
        announced: int | None = None,
    ) -> None:
        """
        @param limit: octets that are taken.
        @param transport: paused while there is something to wait for, aborted when far too much comes.
        @param admit: whether the client has logged in; asked before more than L{MEMORY} is kept.
        @param open_sink: where large bodies go; C{None} keeps them in memory.
        @param announced: octets that are to come; C{None}: nobody knows.
        """
        self.size = 0
        self.is_refused = False
        self._limit = limit
        self._transport = transport
        self._admit = admit
        self._is_admitted = False
        self._open_sink = open_sink
        self._announced = announced
        self._sink: IMessageSink | None = None
        self._pieces: list[bytes] = []
        self._is_busy = False
        self._waiting: list[Deferred[None]] = []

    @property
    def is_too_large(self) -> bool:
        """Whether more came than is taken."""
        return self.size > self._limit

    # What the request calls

    def write(self, octets: bytes) -> None:
        """Take the next octets."""
        self.size += len(octets)
        if self.is_too_large or self.is_refused:
            self.discard()
            if self.size > min(self._limit, MEMORY if self.is_refused else self._limit) + MAX_SWALLOWED:
                self._transport.abortConnection()
            return
        self._pieces.append(octets)
        if not self._is_busy and (self._sink is not None or (self.size > MEMORY and not self._is_settled)):
            self._is_busy = True
            self._transport.pauseProducing()
            Deferred.fromCoroutine(self._move()).addBoth(lambda _: self._moved())

    def discard(self) -> None:
        """Free memory and file; a second call does nothing."""
        self._pieces.clear()
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.discard()

    def invite(self, go_on: Callable[[], None], answer_now: Callable[[], None]) -> None:
        """Ask for the body only when its sender has logged in and it is not too long."""
        self._is_busy = True
        self._transport.pauseProducing()

        async def judge() -> None:
            await self._ask_admission()
            if not self.is_refused and self._announced is not None and self._announced > self._limit:
                self.size = self._announced
            (answer_now if self.is_refused or self.is_too_large else go_on)()

        Deferred.fromCoroutine(judge()).addBoth(lambda _: self._moved())

    # What methods call

    async def complete(self) -> None:
        """Wait until all that arrived is where it belongs."""
        while self._is_busy:
            waiter: Deferred[None] = Deferred()
            self._waiting.append(waiter)
            await waiter

    async def octets(self, limit: int) -> bytes:
        """
        The whole body.

        @raise LimitExceeded: it is longer.
        """
        self.require(limit)
        if self._sink is not None:
            return await self._sink.octets()
        return b"".join(self._pieces)

    async def content(self) -> bytes | IMessageSink:
        """
        The body as the store takes it; it is discarded with the request.

        @raise LimitExceeded: it is longer than anything may be.
        """
        self.require(self._limit)
        return b"".join(self._pieces) if self._sink is None else self._sink

    def require(self, limit: int) -> None:
        """
        @raise LimitExceeded: it is longer.
        """
        if self.size > min(limit, self._limit):
            raise LimitExceeded(f"at most {min(limit, self._limit)} octets")

    # How it is done

    @property
    def _is_settled(self) -> bool:
        """Whether it stays in memory for good."""
        return self._is_admitted and self._open_sink is None

    async def _move(self) -> None:
        await self._ask_admission()
        if self.is_refused or self.is_too_large:
            self.discard()
        elif self._open_sink is not None:
            if self._sink is None:
                self._sink = self._open_sink()
            while self._pieces and self._sink is not None:
                pieces, self._pieces = self._pieces, []
                pending = self._sink.write(b"".join(pieces))
                if pending is not None:
                    await pending

    async def _ask_admission(self) -> None:
        if not self._is_admitted:
            self._is_admitted = await self._admit()
            self.is_refused = not self._is_admitted

    def _moved(self) -> None:
        self._is_busy = False
        self._transport.resumeProducing()
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(None)
