"""
One question to one server: over UDP from a port of its own, over TCP when the answer does not fit.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.internet.protocol import DatagramProtocol, Factory, connectionDone
from twisted.protocols.basic import Int16StringReceiver
from twisted.python.failure import Failure

from trekd.dns.message import Question, Reading, Truncated, answers, query, read
from trekd.errors import SyntaxFault, Unavailable

MAX_FORGERIES = 100
"""Datagrams that are no answer to the question, after which a server is given up."""


class Silent(Unavailable):
    """A server could not be asked, or did not answer in time."""


@dataclass(frozen=True, slots=True)
class Server:
    """
    A name server.

    @ivar host: IP address.
    @ivar port: number.
    @ivar is_local: on this host, over loopback: the only one whose AD bit is worth anything (RFC 4035 §4.9.3).
    """

    host: str
    port: int = 53
    is_local: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.host if self.port == 53 else f"{host}:{self.port}"


class Exchange(Protocol):
    """Asks one server one question."""

    async def __call__(self, server: Server, question: Question, timeout: float) -> Reading:
        """
        @raise Silent: nothing came.
        @raise Unhelpful: what came is no verdict.
        @raise SyntaxFault: what came makes no sense.
        """


class NetworkExchange:
    """
    Asks over the network.

    @param reactor: C{IReactorUDP}, C{IReactorTCP} and C{IReactorTime}.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    async def __call__(self, server: Server, question: Question, timeout: float) -> Reading:
        """See L{Exchange}; TCP gets the time once more."""
        try:
            return read(await self._by_udp(server, question, timeout), question)
        except Truncated:
            pass
        try:
            return read(await self._by_tcp(server, question, timeout), question)
        except Truncated:
            raise SyntaxFault("answer over TCP that is whole") from None

    async def _by_udp(self, server: Server, question: Question, timeout: float) -> bytes:
        """Every question has its own socket, so its port is one that the kernel chose at random (RFC 5452 §9.2)."""
        identifier = secrets.randbelow(65536)
        protocol = _Datagrams(server, question, identifier)
        interface = "::" if ":" in server.host else ""
        try:
            port = self._reactor.listenUDP(0, protocol, interface=interface, maxPacketSize=65535)
        except OSError as fault:
            raise Silent(str(server)) from fault
        timer = self._reactor.callLater(timeout, protocol.give_up)
        try:
            return await protocol.answered
        finally:
            if timer.active():
                timer.cancel()
            port.stopListening()

    async def _by_tcp(self, server: Server, question: Question, timeout: float) -> bytes:
        identifier = secrets.randbelow(65536)
        endpoint = TCP6ClientEndpoint if ":" in server.host else TCP4ClientEndpoint
        protocol = _Stream(server, question, identifier)
        try:
            factory = Factory.forProtocol(lambda: protocol)
            factory.noisy = False
            await endpoint(self._reactor, server.host, server.port, timeout).connect(factory)
        except (ConnectError, ConnectionClosed, OSError) as fault:
            raise Silent(str(server)) from fault
        timer = self._reactor.callLater(timeout, protocol.give_up)
        try:
            return await protocol.answered
        finally:
            if timer.active():
                timer.cancel()
            protocol.leave()


class _Datagrams(DatagramProtocol):
    """
    A socket for one question.

    @ivar transport: a UDP port of Twisted's, whose C{write} needs no address once it is connected.
    @ivar answered: the octets of the answer; L{Silent} when there is none.
    """

    transport: Any

    def __init__(self, server: Server, question: Question, identifier: int) -> None:
        self.answered: Deferred[bytes] = Deferred()
        self._server = server
        self._question = question
        self._identifier = identifier
        self._forgeries = 0

    def startProtocol(self) -> None:
        """Connected, so that the kernel drops what comes from elsewhere and tells of a closed port."""
        try:
            self.transport.connect(self._server.host, self._server.port)
            self.transport.write(query(self._question, self._identifier))
        except OSError:
            self.give_up()

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Take the answer, pass over anything else (RFC 5452 §9.1)."""
        if answers(datagram, self._question, self._identifier):
            self._end(datagram)
            return
        self._forgeries += 1
        if self._forgeries > MAX_FORGERIES:
            self.give_up()

    def connectionRefused(self) -> None:
        """Nobody listens there."""
        self.give_up()

    def give_up(self) -> None:
        """The time is over."""
        self._end(Failure(Silent(str(self._server))))

    def _end(self, result: bytes | Failure) -> None:
        if not self.answered.called:
            self.answered.callback(result)


class _Stream(Int16StringReceiver):
    """
    A connection for one question (RFC 7766 §8: each message after its length).

    @ivar answered: as of L{_Datagrams}.
    """

    transport: Any

    def __init__(self, server: Server, question: Question, identifier: int) -> None:
        self.answered: Deferred[bytes] = Deferred()
        self._server = server
        self._question = question
        self._identifier = identifier

    def connectionMade(self) -> None:
        """Ask."""
        question = query(self._question, self._identifier)
        self.transport.write(len(question).to_bytes(2, "big") + question)

    def stringReceived(self, string: bytes) -> None:
        """The first message is the answer or there is none: a stream has no forgeries."""
        if answers(string, self._question, self._identifier):
            self._end(string)
        else:
            self.give_up()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Without an answer there is none."""
        self.give_up()

    def give_up(self) -> None:
        """The time is over, or the connection."""
        self._end(Failure(Silent(str(self._server))))

    def leave(self) -> None:
        """Close at once: everything that was wanted has come."""
        self.transport.abortConnection()

    def _end(self, result: bytes | Failure) -> None:
        if not self.answered.called:
            self.answered.callback(result)
