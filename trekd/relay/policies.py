"""
The MTA-STS policies in force: found, kept for their time, refreshed (RFC 8461 §3.3, §5.1).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from trekd.dns.interfaces import IResolver
from trekd.errors import NameServiceDown
from trekd.relay.fetching import Fetch, PolicyUnavailable
from trekd.relay.interfaces import TLSResult
from trekd.relay.remembered import KeptPolicy, Remembered
from trekd.relay.sts import STSPolicy, record_id

RETRY = 300.0
"""Seconds before a policy is fetched again that could not be had (RFC 8461 §3.3)."""
REFRESH = 86400.0
"""Seconds after which a policy in force is fetched again, so that it does not run out (RFC 8461 §3.3)."""
MAX_KNOWN = 10_000

_log = Logger()


@dataclass(slots=True)
class _Known:
    """
    What is known of a domain.

    @ivar tried: when the policy was last asked for, Unix seconds.
    @ivar fault: why it could not be had then.
    """

    kept: KeptPolicy | None
    tried: float = 0.0
    fault: TLSResult | None = None


class Policies:
    """
    Policies by domain.

    A policy once fetched holds for its time, whatever becomes of the TXT record or the page: that is what an attacker
    would have to take away.

    @param now: Unix seconds.
    """

    def __init__(
        self, resolver: IResolver, fetch: Fetch, remembered: Remembered, now: Callable[[], float]
    ) -> None:
        self._resolver = resolver
        self._fetch = fetch
        self._remembered = remembered
        self._now = now
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._flights: dict[str, list[Deferred[None]]] = {}

    async def of(self, domain: str) -> STSPolicy | None:
        """
        The policy in force; C{None} when there is none, or none can be had and none was known.
        """
        known = await self._recall(domain)
        identifier = await self._identifier(domain)
        kept, now = known.kept, self._now()
        if kept is not None and not kept.is_valid(now):
            kept = known.kept = None
        is_due = now - known.tried >= RETRY
        if kept is None:
            if identifier and (is_due or domain in self._flights):
                await self._fetched(domain, identifier)
        elif identifier and is_due and identifier != kept.identifier:
            await self._fetched(domain, identifier)
        elif identifier and is_due and now - kept.fetched >= REFRESH:
            # Nobody waits for what is the same in all likelihood.
            Deferred.fromCoroutine(self._fetched(domain, identifier)).addErrback(_tell)
        return known.kept.policy if known.kept is not None else None

    def fault(self, domain: str) -> TLSResult | None:
        """Why a policy that a domain announces cannot be had."""
        known = self._known.get(domain)
        return None if known is None or known.kept is not None else known.fault

    async def _recall(self, domain: str) -> _Known:
        known = self._known.get(domain)
        if known is None:
            kept = await self._remembered.load(domain)
            known = self._known.setdefault(domain, _Known(kept))
            while len(self._known) > MAX_KNOWN:
                self._known.popitem(last=False)
        if domain in self._known:
            self._known.move_to_end(domain)
        return known

    async def _identifier(self, domain: str) -> str:
        """C{""} also when nobody can tell now: then what is known holds."""
        try:
            return record_id((await self._resolver.texts(f"_mta-sts.{domain}")).records)
        except NameServiceDown:
            return ""

    async def _fetched(self, domain: str, identifier: str) -> None:
        """Fetch, together with whoever does so already; what is known changes when there is something new."""
        waiter: Deferred[None] = Deferred()
        flight = self._flights.setdefault(domain, [])
        flight.append(waiter)
        if len(flight) == 1:
            Deferred.fromCoroutine(self._try_fetch(domain, identifier)).addErrback(_tell).addBoth(
                lambda _: self._land(domain)
            )
        await waiter

    def _land(self, domain: str) -> None:
        for waiter in self._flights.pop(domain):
            if not waiter.called:
                waiter.callback(None)

    async def _try_fetch(self, domain: str, identifier: str) -> None:
        known = self._known.setdefault(domain, _Known(None))
        known.tried = self._now()
        try:
            policy = await self._fetch(domain)
        except PolicyUnavailable as fault:
            known.fault = fault.result
            _log.info("no MTA-STS policy of {domain}: {result}", domain=domain, result=fault.result.value)
            return
        known.fault = None
        known.kept = KeptPolicy(policy, identifier, self._now())
        await self._remembered.save(domain, known.kept)


def _tell(failure: Failure) -> None:
    _log.failure("an MTA-STS policy could not be looked after", failure)
