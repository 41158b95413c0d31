"""L{trekd.web.channel}: web connections in the ledger, and requests that drip in."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import ensureDeferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface.verify import verifyObject

from trekd.config.schema import PLANS, LimitsConfig
from trekd.directory.interfaces import Account
from trekd.portal.interfaces import IConnection
from trekd.portal.limits import ConnectionLedger
from trekd.portal.plans import Plans
from trekd.portal.prefixes import Prefixes
from trekd.values import Address
from trekd.web.channel import BODY_TIME, GRACE, HEADER_TIME, SiteChannel
from trekd.web.site import HTTPSite, public_site, redirect_site

GET = b"GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: DAVx5/4.3\r\n\r\n"


class Transport(StringTransport):
    """Loses its connection at once when it is told to."""

    is_gone = False
    protocol: Any = None

    def abortConnection(self) -> None:
        self.is_gone = True
        self.protocol.connectionLost(Failure(ConnectionDone()))

    def loseConnection(self) -> None:
        super().loseConnection()
        self.is_gone = True
        self.protocol.connectionLost(Failure(ConnectionDone()))

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass


class Host:
    """A site and its ledger, which lets two connections of an address wait."""

    def __init__(self) -> None:
        self.clock = Clock()
        limits = LimitsConfig(unauthenticated_per_ip=2)
        self.ledger = ConnectionLedger(Plans(PLANS), limits, Prefixes(), self.clock)
        self.site = public_site("mail.example.com", self.clock, bytes, self.ledger)

    def connect(self, site: HTTPSite | None = None, peer: str = "203.0.113.7") -> tuple[SiteChannel, Transport]:
        transport = Transport(peerAddress=IPv4Address("TCP", peer, 5000))
        channel: Any = (site or self.site).buildProtocol(None)
        transport.protocol = channel
        channel.makeConnection(transport)
        return channel, transport


@pytest.fixture
def host() -> Host:
    return Host()


def test_it_is_a_connection(host: Host) -> None:
    channel, _ = host.connect()
    verifyObject(IConnection, channel)
    assert [each.service for each in host.ledger.sessions()] == ["https"]


def test_connections_without_login_are_limited_by_address(host: Host) -> None:
    """Over HTTPS and HTTP alike, together with those of mail programs."""
    host.connect()
    _, second = host.connect(redirect_site("mail.example.com", host.clock, host.ledger))
    _, third = host.connect()
    assert third.is_gone and third.value() == b""
    assert host.ledger.refused == {"unauthenticated": 1}
    assert not host.connect(peer="198.51.100.1")[1].is_gone
    second.loseConnection()
    assert not host.connect()[1].is_gone


def test_connection_that_logged_in_counts_no_longer(host: Host) -> None:
    channels = [host.connect()[0] for _ in range(2)]
    for channel in channels:
        assert channel.lease is not None
        ensureDeferred(channel.lease.log_in(Account(Address("alice", "example.com"), "nano"), False))
    assert not host.connect()[1].is_gone
    assert [each.principal for each in host.ledger.sessions()] == ["alice@example.com"] * 2 + [None]
    assert host.ledger.usage() == ()


def test_what_trekctl_shows(host: Host) -> None:
    channel, transport = host.connect()
    channel.dataReceived(GET)
    host.clock.advance(3)
    (session,) = host.ledger.sessions()
    assert session.details == {
        "client": "DAVx5/4.3",
        "idle": 3,
        "octets_in": len(GET),
        "octets_out": len(transport.value()),
    }


def drip(host: Host, channel: SiteChannel, octets: bytes, seconds: float) -> None:
    for octet in octets:
        host.clock.advance(seconds)
        if not channel.transport.is_gone:
            channel.dataReceived(bytes((octet,)))


def test_connection_that_says_nothing_is_dropped(host: Host) -> None:
    _, transport = host.connect()
    host.clock.advance(HEADER_TIME)
    assert transport.is_gone
    assert host.ledger.sessions() == ()


def test_header_that_drips_in_is_dropped(host: Host) -> None:
    for start in (b"", GET):
        channel, transport = host.connect()
        channel.dataReceived(start)
        seconds = 0.0
        while not transport.is_gone:
            drip(host, channel, b"G", HEADER_TIME / 10)
            seconds += HEADER_TIME / 10
        assert seconds <= 1.2 * HEADER_TIME
        assert host.ledger.sessions() == ()


def test_body_that_drips_in_is_dropped(host: Host) -> None:
    channel, transport = host.connect()
    channel.dataReceived(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n")
    passed = 0.0
    while not transport.is_gone:
        drip(host, channel, b"x", 50)
        passed += 50
    assert HEADER_TIME < passed <= BODY_TIME


def test_requests_one_after_another_have_time_each(host: Host) -> None:
    channel, transport = host.connect()
    for _ in range(5):
        drip(host, channel, GET[:10], HEADER_TIME / 30)
        channel.dataReceived(GET[10:])
        host.clock.advance(HEADER_TIME / 2)
    assert not transport.is_gone and transport.value().count(b"HTTP/1.1 200") == 5


def test_goodbye_ends_an_idle_connection_at_once_and_a_busy_one_afterwards(host: Host) -> None:
    class Slow(Resource):
        isLeaf = True
        waiting: list[Any] = []

        def render(self, request: Any) -> int:
            self.waiting.append(request)
            return NOT_DONE_YET

    idle, _ = host.connect()
    assert idle.say_goodbye().called
    slow = Slow()
    busy, transport = host.connect(HTTPSite(slow, {}, host.clock, host.ledger))
    busy.dataReceived(GET)
    gone = busy.say_goodbye()
    assert not gone.called
    slow.waiting[0].finish()
    assert gone.called and b"HTTP/1.1 200" in transport.value()
    assert host.ledger.sessions() == ()
    assert host.clock.getDelayedCalls() == []


def test_goodbye_does_not_wait_for_a_client_that_takes_no_part(host: Host) -> None:
    channel, transport = host.connect()
    transport.loseConnection = lambda: None
    gone = channel.say_goodbye()
    assert not gone.called
    host.clock.advance(GRACE)
    assert gone.called and transport.is_gone
