"""A relay between a real reactor's loopback and servers that do as they are told."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.fakes.certificates import make_certificate
from tests.fakes.coroutines import CoroutineTestCase
from tests.fakes.names import FakeDemands, FakeProfiles, FakeResolver
from tests.fakes.remote import Remote, server_context
from trekd.config.relay import RelayConfig
from trekd.queue.interfaces import Attempt, MailTransaction, Recipient, Route, RouteKind
from trekd.relay.interfaces import Profile, TLSMode
from trekd.relay.relay import Relay, Surroundings
from trekd.store.contents import InMemory
from trekd.tls import ClientTLS
from trekd.values import Address

RELAY = Route(RouteKind.RELAY)
MESSAGE = b"From: a@example.com\r\nSubject: x\r\n\r\nbody\r\n"
SENDER = Address("a", "example.com")


def to(*addresses: str, route: Route = RELAY) -> tuple[Recipient, ...]:
    """Recipients."""
    return tuple(Recipient(Address.parse(address), route) for address in addresses)


class RelayCase(CoroutineTestCase):
    """Tests of the relay over sockets of this host; nothing leaves it."""

    HOSTNAME = "mail.example.com"

    def setUp(self) -> None:
        """Names that lead to this host."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.resolver = FakeResolver({"remote.example": [(10, "mx.remote.example")]})
        self.resolver.hosts["mx.remote.example"] = ["127.0.0.1"]
        self.demands = FakeDemands()
        self.profiles = FakeProfiles()
        self.certificate, self.key = make_certificate(self.directory, "mx.remote.example", "localhost")

    @property
    def directory(self) -> Path:
        """For files of the test."""
        made = TemporaryDirectory()
        self.addCleanup(made.cleanup)
        return Path(made.name)

    def remote(self, interface: str = "127.0.0.1", port: int = 0, **behaviour: Any) -> Remote:
        """A server of the test's."""
        remote = Remote(**behaviour)
        self.mx_port = remote.listen(self.reactor, interface, port)
        self.close_later(remote.close)
        return remote

    def tls_remote(self, **behaviour: Any) -> Remote:
        """A server that offers STARTTLS with a certificate for mx.remote.example."""
        extensions = behaviour.pop("extensions", Remote().extensions)
        return self.remote(
            context=server_context(self.certificate, self.key), extensions=(*extensions, "STARTTLS"), **behaviour
        )

    def relay(self, password: str = "", **settings: Any) -> Relay:
        """The relay, for which this host's addresses are as good as others."""
        settings.setdefault("allowed_networks", ("127.0.0.0/8", "::1/128"))
        config = RelayConfig(**{"mx_port": self.mx_port, "trusted": self.certificate, "connect_timeout": 5, **settings})
        around = Surroundings(
            self.HOSTNAME, self.resolver, self.demands, self.profiles, ClientTLS(config.trusted), self.reactor
        )
        relay = Relay(config, password, around)
        self.addCleanup(relay.close)
        return relay

    def profile(self, port: int, host: str = "localhost", tls: TLSMode = TLSMode.STARTTLS) -> Route:
        """A profile with a login at a port of this host, and the route by it."""
        profile = Profile("own", host, port, tls, "alice@provider.example", "s3cret-pass")
        self.profiles.profiles["own"] = profile
        self.resolver.hosts.setdefault(host, ["127.0.0.1"])
        return Route(RouteKind.OWN_SMTP, "own")

    async def send(
        self, relay: Relay, *addresses: str, octets: bytes = MESSAGE, route: Route = RELAY, **facts: Any
    ) -> tuple[Attempt, ...]:
        """Send a message."""
        facts.setdefault("reverse_path", SENDER)
        recipients = facts.pop("recipients", None) or to(*(addresses or ("b@remote.example",)), route=route)
        return await relay.send(MailTransaction(recipients=recipients, **facts), InMemory(octets))
