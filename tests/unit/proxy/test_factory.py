"""Who may tell another's address."""

from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from trekd.proxy.factory import HEADER_TIME, Balancers, ProxiedFactory

BALANCER = IPv4Address("TCP", "192.0.2.20", 5000)
STRANGER = IPv4Address("TCP", "203.0.113.7", 5000)
HEADER = b"PROXY TCP4 198.51.100.9 192.0.2.1 4096 993\r\n"


class Behind(Protocol):
    """Remembers what it saw."""

    peer: object = None
    octets = b""

    def connectionMade(self) -> None:
        self.peer = self.transport.getPeer()

    def dataReceived(self, data: bytes) -> None:
        self.octets += data


class BehindFactory(Factory):
    """Keeps what it made, and for whom."""

    noisy = False

    def __init__(self) -> None:
        self.made: list[tuple[object, Behind]] = []

    def buildProtocol(self, addr: object) -> Behind:
        self.made.append((addr, Behind()))
        return self.made[-1][1]


class Line:
    """One connection; gives octets to whoever the transport's protocol is, as the reactor does."""

    def __init__(self, peer: object, balancers: Balancers | None = None) -> None:
        self.clock = Clock()
        self.behind = BehindFactory()
        factory = ProxiedFactory(self.behind, balancers or Balancers(["192.0.2.16/28"]), self.clock)
        self.transport = StringTransport(peerAddress=peer)
        self.transport.protocol = factory.buildProtocol(peer)
        self.transport.protocol.makeConnection(self.transport)

    def send(self, octets: bytes) -> None:
        self.transport.protocol.dataReceived(octets)


def test_protocol_behind_starts_with_the_clients_address() -> None:
    line = Line(BALANCER)
    line.send(HEADER[:10])
    assert line.behind.made == []
    line.send(HEADER[10:] + b"hello ")
    line.send(b"world")
    ((address, protocol),) = line.behind.made
    client = IPv4Address("TCP", "198.51.100.9", 4096)
    assert (address, protocol.peer, protocol.octets) == (client, client, b"hello world")
    assert line.clock.getDelayedCalls() == []


def test_header_of_a_stranger_is_not_believed() -> None:
    line = Line(STRANGER)
    line.send(HEADER)
    ((address, protocol),) = line.behind.made
    assert (address, protocol.peer, protocol.octets) == (STRANGER, STRANGER, HEADER)


def test_balancers_own_connection_keeps_its_address() -> None:
    line = Line(BALANCER)
    line.send(b"PROXY UNKNOWN\r\n")
    assert line.behind.made[0][1].peer == BALANCER


@pytest.mark.parametrize("octets", [b"a NOOP\r\n", b"PROXY TCP4 x y 1 2\r\n"])
def test_balancer_without_a_header_is_dropped(octets: bytes) -> None:
    line = Line(BALANCER)
    line.send(octets)
    assert line.transport.disconnecting or line.transport.disconnected
    assert line.behind.made == []
    assert line.clock.getDelayedCalls() == []


def test_header_has_little_time() -> None:
    line = Line(BALANCER)
    line.send(HEADER[:-1])
    line.clock.advance(HEADER_TIME)
    assert line.transport.disconnecting or line.transport.disconnected


def test_networks() -> None:
    balancers = Balancers(["192.0.2.20/32", "2001:db8::/32"])
    assert BALANCER in balancers
    assert IPv6Address("TCP", "::ffff:192.0.2.20", 1) in balancers
    assert IPv6Address("TCP", "2001:db8::1", 1) in balancers
    assert STRANGER not in balancers
    assert UNIXAddress("/run/x") not in balancers
    assert None not in balancers
    balancers.replace(["203.0.113.0/24"])
    assert (BALANCER in balancers, STRANGER in balancers) == (False, True)
