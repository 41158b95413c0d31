"""
What deliveries demand of TLS: DANE before MTA-STS, both before nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from OpenSSL import crypto
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from trekd.dns.interfaces import IResolver
from trekd.dns.labels import a_name
from trekd.errors import SyntaxFault
from trekd.relay.certificates import is_usable, verdict
from trekd.relay.interfaces import Demand, IDemands, ITLSCounts, Policy, Security, Session, TLSResult
from trekd.relay.policies import Policies
from trekd.relay.remembered import KEPT_DAYS, Remembered

MAX_ALIASES = 8
WRITE_INTERVAL = 60.0
"""Seconds between two writings of what was counted."""
MAX_UNWRITTEN = 10_000
"""Counts that wait to be written; more are not counted while the disk is too slow for them."""

_log = Logger()


@implementer(IDemands, ITLSCounts)
class Demands:
    """
    See L{IDemands}.

    @param authorities: whom a certificate must come from where no TLSA record says it.
    @param port: of the exchangers, for the name of their TLSA records.
    """

    def __init__(
        self,
        resolver: IResolver,
        policies: Policies,
        remembered: Remembered,
        authorities: crypto.X509Store,
        reactor: Any,
        port: int = 25,
    ) -> None:
        self._resolver = resolver
        self._policies = policies
        self._remembered = remembered
        self._authorities = authorities
        self._reactor = reactor
        self._port = port
        self._unwritten: Counter[Session] = Counter()
        self._timer: Any = None

    async def of(self, domain: str, exchanger: str, secure: bool) -> Demand:
        """See L{IDemands.of}."""
        try:
            domain, exchanger = a_name(domain), a_name(exchanger)
        except SyntaxFault:
            return Demand(server_name=exchanger)
        if secure:
            demand = await self._by_dane(domain, exchanger)
            if demand is not None:
                return demand
        policy = await self._policies.of(domain)
        if policy is None or policy.mode == "none":
            return Demand(server_name=exchanger)
        is_named, is_enforced = policy.names(exchanger), policy.mode == "enforce"
        return Demand(
            Security.VERIFIED if is_enforced else Security.OPPORTUNISTIC,
            Policy.STS,
            exchanger,
            (exchanger,) if is_named else (),
            testing=not is_enforced,
            excluded=is_enforced and not is_named,
        )

    async def _by_dane(self, domain: str, exchanger: str) -> Demand | None:
        """
        What TLSA records ask for; C{None} without secure ones.

        A host whose addresses are not signed is not asked for TLSA records at all (RFC 7672 §2.2.2).
        """
        addresses = await self._resolver.addresses(exchanger)
        if not addresses.secure:
            return None
        for base in await self._bases(exchanger):
            answer = await self._resolver.certificates(f"_{self._port}._tcp.{base}")
            if not answer.secure or not answer.records:
                continue
            usable = tuple(filter(is_usable, answer.records))
            if not usable:
                return Demand(Security.ENCRYPTED, Policy.TLSA, base)
            # RFC 7672 §3.2.2: the base domain, and the domain whose mail it is.
            names = tuple(dict.fromkeys((base, exchanger, domain)))
            return Demand(Security.DANE, Policy.TLSA, base, names, usable)
        return None

    async def _bases(self, exchanger: str) -> tuple[str, ...]:
        """Where TLSA records may be: at the end of the host's aliases, then at its own name (RFC 7672 §2.2.2)."""
        name = exchanger
        for _ in range(MAX_ALIASES):
            alias = await self._resolver.canonical(name)
            if not alias.records or not alias.secure:
                break
            name = alias.records[0]
        return tuple(dict.fromkeys((name, exchanger)))

    def verdict(self, demand: Demand, chain: Sequence[bytes]) -> TLSResult:
        """See L{IDemands.verdict}."""
        return verdict(demand, chain, self._authorities)

    def record(self, domain: str, exchanger: str, demand: Demand, result: TLSResult) -> None:
        """See L{IDemands.record}; a policy that could not be had is counted in place of a session's success."""
        try:
            domain = a_name(domain)
        except SyntaxFault:
            return
        policy = demand.policy
        fault = self._policies.fault(domain) if policy is Policy.NONE else None
        if fault is not None:
            policy, result = Policy.STS, fault
        session = Session(self._day(0), domain, policy.value, exchanger, result.value)
        if session in self._unwritten or len(self._unwritten) < MAX_UNWRITTEN:
            self._unwritten[session] += 1
        if self._timer is None:
            self._timer = self._reactor.callLater(WRITE_INTERVAL, self._write_later)

    async def counts(self, domain: str) -> Sequence[tuple[Session, int]]:
        """See L{ITLSCounts}."""
        await self._write()
        return await self._remembered.counts(domain)

    async def close(self) -> None:
        """Write what was counted."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self._write()
        await self._remembered.close()

    def _write_later(self) -> None:
        self._timer = None
        Deferred.fromCoroutine(self._write()).addErrback(
            lambda failure: _log.failure("TLS sessions could not be counted", failure)
        )

    async def _write(self) -> None:
        counts, self._unwritten = self._unwritten, Counter()
        if counts:
            await self._remembered.add(counts, self._day(KEPT_DAYS))

    def _day(self, back: int) -> str:
        now = datetime.fromtimestamp(self._reactor.seconds(), UTC)
        return (now - timedelta(days=back)).date().isoformat()


