"""A resolver, a book of demands and a store of profiles, all in memory."""

from __future__ import annotations

from collections.abc import Sequence

from zope.interface import implementer

from trekd.dns.interfaces import TLSA, Answer, Exchanger, IResolver, Service
from trekd.errors import LaneClosed, NameServiceDown
from trekd.relay.interfaces import Demand, IDemands, IProfileStore, Profile, TLSResult

NOBODY: Answer[str] = Answer((), exists=False)


@implementer(IResolver)
class FakeResolver:
    """
    Answers from dictionaries; a name that is in none does not exist.

    @ivar mx: domain to (preference, host).
    @ivar hosts: host to addresses.
    @ivar down: names for which no name server answers.
    @ivar secure: names that DNSSEC vouches for.
    @ivar asked: names, in order.
    """

    def __init__(
        self, mx: dict[str, list[tuple[int, str]]] | None = None, hosts: dict[str, list[str]] | None = None
    ) -> None:
        self.mx = mx or {}
        self.hosts = hosts or {}
        self.down: set[str] = set()
        self.secure: set[str] = set()
        self.asked: list[str] = []

    def _ask(self, name: str) -> None:
        self.asked.append(name)
        if name in self.down:
            raise NameServiceDown

    async def addresses(self, host: str) -> Answer[str]:
        """See L{IResolver.addresses}."""
        self._ask(host)
        found = self.hosts.get(host)
        return Answer(tuple(found or ()), exists=found is not None, secure=host in self.secure)

    async def exchangers(self, domain: str) -> Answer[Exchanger]:
        """See L{IResolver.exchangers}."""
        self._ask(domain)
        exists = domain in self.mx or domain in self.hosts
        records = tuple(sorted(Exchanger(*each) for each in self.mx.get(domain, ())))
        return Answer(records, exists=exists, secure=domain in self.secure)

    async def texts(self, name: str) -> Answer[bytes]:
        """See L{IResolver.texts}."""
        return Answer((), exists=False)

    async def services(self, name: str) -> Answer[Service]:
        """See L{IResolver.services}."""
        return Answer((), exists=False)

    async def certificates(self, name: str) -> Answer[TLSA]:
        """See L{IResolver.certificates}."""
        return Answer((), exists=False)

    async def names(self, address: str) -> Answer[str]:
        """See L{IResolver.names}."""
        return NOBODY

    async def canonical(self, name: str) -> Answer[str]:
        """See L{IResolver.canonical}."""
        return NOBODY


@implementer(IDemands)
class FakeDemands:
    """
    Demands from a dictionary, exchanger to demand.

    @ivar result: the verdict on every certificate.
    @ivar records: (domain, exchanger, result), in order.
    @ivar chains: what L{verdict} was shown.
    """

    def __init__(self, demands: dict[str, Demand] | None = None, result: TLSResult = TLSResult.SUCCESS) -> None:
        self.demands = demands or {}
        self.result = result
        self.down: set[str] = set()
        self.records: list[tuple[str, str, TLSResult]] = []
        self.chains: list[tuple[Demand, tuple[bytes, ...]]] = []

    async def of(self, domain: str, exchanger: str, secure: bool) -> Demand:
        """See L{IDemands.of}."""
        if exchanger in self.down:
            raise NameServiceDown
        return self.demands.get(exchanger, Demand())

    def verdict(self, demand: Demand, chain: Sequence[bytes]) -> TLSResult:
        """See L{IDemands.verdict}."""
        self.chains.append((demand, tuple(chain)))
        return self.result

    def record(self, domain: str, exchanger: str, demand: Demand, result: TLSResult) -> None:
        """See L{IDemands.record}."""
        self.records.append((domain, exchanger, result))


@implementer(IProfileStore)
class FakeProfiles:
    """Profiles from a dictionary."""

    def __init__(self, *profiles: Profile) -> None:
        self.profiles = {each.name: each for each in profiles}

    async def open(self, name: str) -> Profile:
        """See L{IProfileStore.open}."""
        if name not in self.profiles:
            raise LaneClosed("", f"there is no profile {name}", "4.7.0")
        return self.profiles[name]
