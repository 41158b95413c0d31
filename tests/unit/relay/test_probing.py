"""L{trekd.relay.probing}: a profile is tried for real, and each step says what it found."""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from tests.fakes.remote import Remote
from tests.unit.relay.relaycase import RelayCase
from trekd.config.relay import RelayConfig
from trekd.relay.interfaces import IProbe, ProbeStep, TLSMode
from trekd.relay.probing import Probe
from trekd.relay.relay import Surroundings
from trekd.tls import ClientTLS


class Probing(RelayCase):
    """Steps."""

    def provider(self, **behaviour: Any) -> Remote:
        return self.tls_remote(extensions=(), secure_extensions=("AUTH PLAIN",), **behaviour)

    async def steps(
        self, networks: tuple[str, ...] = ("127.0.0.0/8",), tls: TLSMode = TLSMode.STARTTLS
    ) -> tuple[ProbeStep, ...]:
        self.profile(self.mx_port, tls=tls)
        config = RelayConfig(allowed_networks=networks, trusted=self.certificate, connect_timeout=5)
        around = Surroundings(
            self.HOSTNAME, self.resolver, self.demands, self.profiles, ClientTLS(self.certificate), self.reactor
        )
        probe = Probe(config, around)
        assert verifyObject(IProbe, probe)
        return await probe.probe(self.profiles.profiles["own"])

    def bad(self, steps: tuple[ProbeStep, ...]) -> tuple[str, str]:
        """The name and text of the step that failed, which is the last."""
        assert [step.is_good for step in steps] == [True] * (len(steps) - 1) + [False]
        return steps[-1].name, steps[-1].text

    async def test_all_is_well(self) -> None:
        remote = self.provider()
        steps = await self.steps()
        assert [(step.name, step.is_good) for step in steps] == [
            (name, True) for name in ("resolve", "connect", "tls", "hello", "login")
        ]
        assert steps[-1].text == "logged in as alice@provider.example"
        assert "MAIL" not in remote.verbs()

    async def test_implicit_tls(self) -> None:
        self.provider(implicit=True)
        steps = await self.steps(tls=TLSMode.IMPLICIT)
        assert steps[-1].name == "login" and steps[-1].is_good

    async def test_no_such_name(self) -> None:
        self.provider()
        self.resolver.hosts["localhost"] = []
        assert self.bad(await self.steps()) == ("resolve", "localhost: the name has no address")
        self.resolver.down.add("localhost")
        assert self.bad(await self.steps())[0] == "resolve"

    async def test_an_address_of_the_inner_network(self) -> None:
        remote = self.provider()
        assert self.bad(await self.steps(())) == ("resolve", "localhost: 127.0.0.1 is a loopback address")
        assert remote.connections == 0

    async def test_nobody_listens(self) -> None:
        remote = self.provider()
        await remote.close()
        name, text = self.bad(await self.steps())
        assert name == "connect" and text.endswith("Connection refused")

    async def test_no_tls(self) -> None:
        self.remote(extensions=())
        name, text = self.bad(await self.steps())
        assert name == "tls" and "does not offer STARTTLS" in text

    async def test_a_wrong_password(self) -> None:
        self.provider(answers={"AUTH": b"535 5.7.8 wrong s3cret-pass\r\n"})
        name, text = self.bad(await self.steps())
        assert name == "login" and text.endswith("535 5.7.8 wrong ***")

    async def test_a_server_that_turns_away(self) -> None:
        self.provider(answers={"greeting": b"554 5.7.1 blocked\r\n"})
        name, text = self.bad(await self.steps())
        assert name == "tls" and text.endswith("554 5.7.1 blocked")
