"""
One connection to another server: replies to wait for, octets to send, TLS.

Everything that is waited for has a deadline.  What a server sends unasked waits here, bounded: when too much waits,
reading pauses.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IHandshakeListener, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from trekd.relay.interfaces import ITLSCheck
from trekd.relay.replies import RemoteReply, ReplyReader

PAUSE_AT = 65536
"""Octets waiting to be pulled at which reading pauses."""

LINGER = 10.0
"""Seconds in which a server can read our last words before the connection is dropped."""


class Silence(Exception):
    """The other side did nothing for too long."""


class Lost(Exception):
    """
    The connection is gone.

    @ivar reason: why, as Twisted says.
    """

    def __init__(self, reason: Failure | None) -> None:
        super().__init__()
        self.reason = reason


@implementer(IHandshakeListener, IPushProducer)
class Wire(Protocol):
    """
    See the module.  One coroutine at a time waits.

    @ivar gone: the connection is lost.
    """

    noisy = False
    transport: Any

    def __init__(self, clock: IReactorTime) -> None:
        self.gone = False
        self._clock = clock
        self._reader = ReplyReader()
        self._reason: Failure | None = None
        self._event: Deferred[None] | None = None
        self._shut = False
        self._paused = False
        self._shaken = False
        self._linger: IDelayedCall | None = None

    # --- What Twisted calls -----------------------------------------------------------------------

    def connectionMade(self) -> None:
        """Connected."""
        self.transport.setTcpNoDelay(True)
        self.transport.setTcpKeepAlive(True)

    def dataReceived(self, data: bytes) -> None:
        """The server sent something."""
        self._reader.feed(data)
        if self._reader.pending > PAUSE_AT and not self._paused:
            self._paused = True
            self.transport.pauseProducing()
        self._wake()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self.gone, self._reason = True, reason
        if self._linger is not None and self._linger.active():
            self._linger.cancel()
        self._wake()

    def handshakeCompleted(self) -> None:
        """TLS stands."""
        self._shaken = True
        self._wake()

    def pauseProducing(self) -> None:
        """Enough waits to be sent."""
        self._shut = True

    def resumeProducing(self) -> None:
        """The server has read."""
        self._shut = False
        self._wake()

    def stopProducing(self) -> None:
        """The connection is lost; L{connectionLost} follows."""
        self._shut = False

    # --- What the session calls -------------------------------------------------------------------

    @property
    def has_spoken(self) -> bool:
        """Whether the server sent something that was not pulled, or hung up."""
        return self.gone or self._reader.pending > 0

    def write(self, octets: bytes) -> None:
        """Send, when the connection still stands."""
        if not self.gone:
            self.transport.write(octets)

    async def reply(self, seconds: float) -> RemoteReply:
        """
        Wait for the next reply.

        @raise Silence: none came within C{seconds}.
        @raise Lost: none will come.
        @raise SyntaxFault: what came is none.
        """
        deadline = self._clock.seconds() + seconds
        while (reply := self._reader.next_reply()) is None:
            if self.gone:
                raise Lost(self._reason)
            self._resume()
            await self._wait(deadline)
        self._resume()
        return reply

    def begin_body(self) -> None:
        """Much will be sent: L{drained} tells when there is room."""
        self._shut = False
        if not self.gone:
            self.transport.registerProducer(self, True)

    def end_body(self) -> None:
        """The much is sent."""
        if not self.gone:
            self.transport.unregisterProducer()

    async def drained(self, seconds: float) -> None:
        """
        Wait until there is room for more; returns early when the server speaks.

        @raise Silence: the server did not read for C{seconds}.
        @raise Lost: nobody will read.
        """
        deadline = self._clock.seconds() + seconds
        while self._shut and not self.has_spoken:
            await self._wait(deadline)
        if self.gone and not self._reader.pending:
            raise Lost(self._reason)

    async def start_tls(self, check: ITLSCheck, seconds: float) -> None:
        """
        Switch to TLS; everything that came before it is forgotten (RFC 3207 §4.2).

        @raise Silence: no handshake within C{seconds}.
        @raise Lost: no handshake.
        """
        self.forget()
        self._shaken = False
        deadline = self._clock.seconds() + seconds
        self.transport.startTLS(check)
        while not self._shaken:
            if self.gone:
                raise Lost(self._reason)
            await self._wait(deadline)

    def tls_connection(self) -> Any:
        """The C{OpenSSL.SSL.Connection} of a connection that switched."""
        return self.transport.getHandle()

    def forget(self) -> None:
        """Drop what was received."""
        self._reader.clear()
        self._resume()

    def close(self) -> None:
        """Close when everything is sent, at once when the server does not read that."""
        if not self.gone:
            self.transport.loseConnection()
            self._linger = self._clock.callLater(LINGER, self.abort)

    def abort(self) -> None:
        """Close at once; what is not sent yet is not sent."""
        if not self.gone:
            self.transport.abortConnection()

    # --- Waiting ----------------------------------------------------------------------------------

    def _resume(self) -> None:
        if self._paused and self._reader.pending <= PAUSE_AT // 2 and not self.gone:
            self._paused = False
            self.transport.resumeProducing()

    async def _wait(self, deadline: float) -> None:
        """Wait for anything to happen."""
        event: Deferred[None] = Deferred()
        self._event = event
        timer = self._clock.callLater(max(0.0, deadline - self._clock.seconds()), self._expire)
        try:
            await event
        finally:
            if timer.active():
                timer.cancel()

    def _wake(self) -> None:
        event, self._event = self._event, None
        if event is not None:
            event.callback(None)

    def _expire(self) -> None:
        event, self._event = self._event, None
        if event is not None:
            event.errback(Silence())
