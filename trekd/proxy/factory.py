"""
Before a listener's factory: connections from listed balancers begin with a PROXY header, all others with what the
protocol says.

The protocol behind is made only when the header is complete, on the transport itself, whose peer is the client from
then on: TLS, STARTTLS and TCP_INFO work as on any other connection.  Twisted's own wrapper does not do here: it
believes everybody, starts the protocol with the balancer's address, and fails on a header that comes in pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocol, IProtocolFactory, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from trekd.errors import SyntaxFault
from trekd.proxy.header import Header, HeaderReader

HEADER_TIME = 10.0
"""Seconds for the header, which comes with the first packet or not at all."""


class Balancers:
    """The networks whose connections begin with a header; shared by all listeners."""

    def __init__(self, networks: Sequence[str] = ()) -> None:
        self.replace(networks)

    def replace(self, networks: Sequence[str]) -> None:
        """Take over other networks, for connections that come."""
        self._networks = tuple(ip_network(network) for network in networks)

    def __contains__(self, address: object) -> bool:
        """Whether an address of Twisted's is one of them."""
        if not self._networks:
            return False
        try:
            found = ip_address(getattr(address, "host", "").partition("%")[0])
        except ValueError:
            return False
        plain = getattr(found, "ipv4_mapped", None) or found
        return any(plain in network for network in self._networks)


@implementer(IProtocolFactory)
class ProxiedFactory:
    """A listener's factory for direct and for handed-on connections."""

    noisy = False

    def __init__(self, factory: IProtocolFactory, balancers: Balancers, clock: IReactorTime) -> None:
        self.factory = factory
        self.clock = clock
        self._balancers = balancers

    def buildProtocol(self, addr: IAddress | None) -> IProtocol | None:
        """See C{IProtocolFactory}."""
        if addr in self._balancers:
            return HeaderProtocol(self)
        return self.factory.buildProtocol(addr)  # type: ignore[arg-type]

    def doStart(self) -> None:
        """See C{IProtocolFactory}."""
        self.factory.doStart()

    def doStop(self) -> None:
        """See C{IProtocolFactory}."""
        self.factory.doStop()


class HeaderProtocol(Protocol):
    """Reads the header of one connection, then gives way to the protocol behind."""

    log = Logger()
    transport: Any

    def __init__(self, factory: ProxiedFactory) -> None:
        self._behind = factory
        self._reader = HeaderReader()
        self._deadline: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Wait for the header, not for long."""
        self._deadline = self._behind.clock.callLater(HEADER_TIME, self._drop, "no PROXY header came")

    def dataReceived(self, data: bytes) -> None:
        """Take octets of the header, or its end."""
        try:
            header = self._reader.feed(data)
        except SyntaxFault:
            self._drop("it begins with no PROXY header")
            return
        if header is not None:
            self._wait_no_more()
            self._give_way(header)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Nothing was behind it yet."""
        self._wait_no_more()

    def _give_way(self, header: Header) -> None:
        transport = self.transport
        peer = transport.getPeer() if header.source is None else _address(*header.source)
        protocol = self._behind.factory.buildProtocol(peer)
        if protocol is None:
            transport.abortConnection()
            return
        transport.getPeer = lambda: peer
        transport.protocol = protocol
        protocol.makeConnection(transport)
        if header.rest and transport.protocol is not None:
            protocol.dataReceived(header.rest)

    def _drop(self, reason: str) -> None:
        self._wait_no_more()
        self.log.warn(
            "dropped a connection from the proxy {peer}: {reason}",
            peer=getattr(self.transport.getPeer(), "host", ""),
            reason=reason,
        )
        self.transport.abortConnection()

    def _wait_no_more(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()


def _address(host: str, port: int) -> IAddress:
    kind = IPv6Address if ":" in host else IPv4Address
    return kind("TCP", host, port)
