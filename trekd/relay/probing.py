"""
The test of an own-SMTP profile, step by step, in words for whoever set it up.
"""

from __future__ import annotations

from zope.interface import implementer

from trekd.config.relay import RelayConfig
from trekd.errors import RemoteDeferred, RemoteRefused
from trekd.relay.addresses import AddressPolicy
from trekd.relay.dialing import Dialer, Hop
from trekd.relay.exchangers import Exchangers
from trekd.relay.interfaces import IProbe, ProbeStep, Profile, TLSMode
from trekd.relay.relay import Surroundings
from trekd.relay.session import Session


class _Stopped(Exception):
    """A step failed; the steps say which."""


@implementer(IProbe)
class Probe:
    """See L{IProbe}."""

    def __init__(self, config: RelayConfig, surroundings: Surroundings) -> None:
        self._around = surroundings
        self._policy = AddressPolicy(config.allowed_networks)
        self._names = Exchangers(surroundings.resolver, self._policy, surroundings.hostname)
        self._dialer = Dialer(
            config, surroundings.hostname, surroundings.tls, surroundings.demands, surroundings.reactor
        )

    async def probe(self, profile: Profile) -> tuple[ProbeStep, ...]:
        """See L{IProbe.probe}."""
        steps: list[ProbeStep] = []
        try:
            addresses = await self._resolve(profile, steps)
            session = await self._connect(profile, addresses, steps)
            try:
                await self._converse(session, profile, steps)
            finally:
                session.quit()
        except _Stopped:
            pass
        except (RemoteDeferred, RemoteRefused) as error:
            name = _STAGES[len(steps)]
            steps.append(ProbeStep(name, f"{error.host}: {error.reply}", is_good=False))
        return tuple(steps)

    async def _resolve(self, profile: Profile, steps: list[ProbeStep]) -> tuple[str, ...]:
        addresses = await self._names.look_up(profile.host)
        judged = self._policy.judge(addresses)
        if not judged.permitted:
            reason = judged.refusals[0] if judged.refusals else "the name has no address"
            steps.append(ProbeStep("resolve", f"{profile.host}: {reason}", is_good=False))
            raise _Stopped
        steps.append(ProbeStep("resolve", f"{profile.host} is {', '.join(judged.permitted)}"))
        return judged.permitted

    async def _connect(
        self, profile: Profile, addresses: tuple[str, ...], steps: list[ProbeStep]
    ) -> Session:
        """The first address that answers."""
        errors = []
        for address in addresses:
            hop = Hop(profile.host, address, profile.port)
            try:
                session = await self._dialer.connect(hop)
            except RemoteDeferred as error:
                errors.append(f"{error.host} port {profile.port}: {error.reply}")
                continue
            steps.append(ProbeStep("connect", f"connected to {address} port {profile.port}"))
            return session
        steps.append(ProbeStep("connect", "; ".join(errors), is_good=False))
        raise _Stopped

    async def _converse(self, session: Session, profile: Profile, steps: list[ProbeStep]) -> None:
        check = self._around.tls.verified(profile.host)
        hostname = self._around.hostname
        if profile.tls is TLSMode.IMPLICIT:
            await session.shake_hands(check)
            await session.greeting()
        else:
            await session.greeting()
            await session.hello(hostname)
            await session.start_tls(check)
        steps.append(ProbeStep("tls", f"TLS stands, and the certificate is for {profile.host}"))
        reply = await session.hello(hostname)
        steps.append(ProbeStep("hello", f"the server greets us: {reply.text}"))
        if profile.user:
            await session.log_in(profile.user, profile.secret)
            steps.append(ProbeStep("login", f"logged in as {profile.user}"))
        else:
            steps.append(ProbeStep("login", "no login is set, none was tried"))


_STAGES = ("resolve", "connect", "tls", "hello", "login", "login")
"""The step that fails when so many have not."""
