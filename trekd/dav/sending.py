"""
Answers on their way: whole when they are small, else in pieces as fast as the client takes them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.task import deferLater
from zope.interface import implementer

from trekd.dav.exchange import Answer

WHOLE = 64 * 1024
"""Octets up to which an answer is sent with its length."""
TURN = 0.003
"""Seconds of work after which the reactor has its turn."""

_WITHOUT_BODY = (204, 304)


@implementer(IPushProducer)
class _Valve:
    """Whether the client takes more now."""

    def __init__(self) -> None:
        self.is_gone = False
        self._is_paused = False
        self._waiting: Deferred[None] | None = None

    def pauseProducing(self) -> None:
        """See C{IPushProducer}."""
        self._is_paused = True

    def resumeProducing(self) -> None:
        """See C{IPushProducer}."""
        self._is_paused = False
        self._wake()

    def stopProducing(self) -> None:
        """See C{IPushProducer}: the connection is gone."""
        self.is_gone = True
        self._wake()

    async def opened(self) -> None:
        """Wait until more may be written, or nobody is there any more."""
        if self._is_paused and not self.is_gone:
            self._waiting = Deferred()
            await self._waiting

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)


class Sender:
    """Sends one answer to one request."""

    def __init__(self, request: Any, clock: IReactorTime) -> None:
        self._request = request
        self._clock = clock
        self._valve = _Valve()
        self._turn = clock.seconds()
        self.has_begun = False
        request.notifyFinish().addErrback(lambda _: self._valve.stopProducing())

    @property
    def is_gone(self) -> bool:
        """Whether the client is."""
        return self._valve.is_gone

    async def send(self, answer: Answer) -> None:
        """Send it; whatever making its pieces raises comes through, with nothing sent unless C{has_begun}."""
        if isinstance(answer.body, bytes):
            self._begin(answer, len(answer.body))
            self._end(answer.body)
        elif self._request.method == b"HEAD" or answer.status in _WITHOUT_BODY:
            self._begin(answer, answer.size)
            self._end(b"")
        else:
            await self._send_pieces(answer, answer.body)

    async def _send_pieces(self, answer: Answer, pieces: AsyncIterator[bytes]) -> None:
        kept: list[bytes] = []
        size = 0
        async for piece in pieces:
            if self.is_gone:
                return
            kept.append(piece)
            size += len(piece)
            if size >= WHOLE:
                if not self.has_begun:
                    self._begin(answer, answer.size)
                    self._request.registerProducer(self._valve, True)
                self._request.write(b"".join(kept))
                kept, size = [], 0
                await self._valve.opened()
            await self._give_way()
        if self.is_gone:
            return
        if self.has_begun:
            self._request.unregisterProducer()
        else:
            self._begin(answer, size)
        self._end(b"".join(kept))

    async def _give_way(self) -> None:
        if self._clock.seconds() - self._turn > TURN:
            await deferLater(self._clock, 0)
            self._turn = self._clock.seconds()

    def _begin(self, answer: Answer, size: int | None) -> None:
        self.has_begun = True
        if self.is_gone:
            return
        self._request.setResponseCode(answer.status)
        for name, value in answer.headers:
            self._request.setHeader(name, value)
        if size is not None and answer.status not in _WITHOUT_BODY:
            self._request.setHeader(b"content-length", b"%d" % size)

    def _end(self, octets: bytes) -> None:
        if self.is_gone:
            return
        if octets and self._request.method != b"HEAD":
            self._request.write(octets)
        self._request.finish()
