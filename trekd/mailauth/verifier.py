"""
Verifying mail that comes in: SPF, DKIM and DMARC within a time, and one field that tells of it.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from trekd.dns.interfaces import TLSA, Answer, Exchanger, IResolver, Service
from trekd.errors import NameServiceDown, SyntaxFault, TrekError
from trekd.mailauth.digests import InThread, read_header
from trekd.mailauth.dmarc import DMARCCheck, DMARCResult, Evidence, strictest
from trekd.mailauth.interfaces import Authenticity, Disposition, IVerifier, Origin
from trekd.mailauth.names import ascii_domain
from trekd.mailauth.results import results_field
from trekd.mailauth.spf import SPFResult, check_host, client_address
from trekd.mailauth.verification import Finding, SignatureCheck
from trekd.mime.addresses import from_addresses
from trekd.store.interfaces import IMessageSource

log = Logger()

LOOKUP_TIME = 20.0
"""Seconds for all questions of SPF, and for those of DKIM at the same time (RFC 7208 §4.6.4 asks for 20 at least)."""

POLICY_TIME = 10.0
"""Seconds for the questions of DMARC after them."""

MOST_AT_ONCE = 50
"""Messages that are verified at the same time."""

MOST_AUTHORS = 5
"""Different domains in From; a message with more is refused (RFC 7489 §6.6.1)."""


@implementer(IResolver)
class Hurried:
    """
    A resolver for a limited time: afterwards there is no verdict, and no more is asked.

    One that a sender's name servers keep waiting thus costs its own check, and no other.
    """

    def __init__(self, resolver: IResolver, clock: IReactorTime, seconds: float) -> None:
        self._resolver = resolver
        self._clock = clock
        self._end = clock.seconds() + seconds

    async def _within(self, question: Callable[[str], Awaitable[Answer[Any]]], name: str) -> Answer[Any]:
        left = self._end - self._clock.seconds()
        if left <= 0:
            raise NameServiceDown(name)

        async def asked() -> Answer[Any]:
            return await question(name)

        try:
            answer: Answer[Any] = await Deferred.fromCoroutine(asked()).addTimeout(left, self._clock)
        except (DeferredTimeout, CancelledError):
            raise NameServiceDown(name) from None
        return answer

    async def addresses(self, host: str) -> Answer[str]:
        """See L{IResolver.addresses}."""
        return await self._within(self._resolver.addresses, host)

    async def exchangers(self, domain: str) -> Answer[Exchanger]:
        """See L{IResolver.exchangers}."""
        return await self._within(self._resolver.exchangers, domain)

    async def texts(self, name: str) -> Answer[bytes]:
        """See L{IResolver.texts}."""
        return await self._within(self._resolver.texts, name)

    async def services(self, name: str) -> Answer[Service]:
        """See L{IResolver.services}."""
        return await self._within(self._resolver.services, name)

    async def certificates(self, name: str) -> Answer[TLSA]:
        """See L{IResolver.certificates}."""
        return await self._within(self._resolver.certificates, name)

    async def names(self, address: str) -> Answer[str]:
        """See L{IResolver.names}."""
        return await self._within(self._resolver.names, address)

    async def canonical(self, name: str) -> Answer[str]:
        """See L{IResolver.canonical}."""
        return await self._within(self._resolver.canonical, name)


@implementer(IVerifier)
class Verifier:
    """
    See L{IVerifier}.

    @param hostname: who the results are from.
    @param in_thread: calls a function in a thread.
    @param chance: gives a number from 0 up to 1.
    """

    def __init__(
        self,
        resolver: IResolver,
        hostname: str,
        clock: IReactorTime,
        in_thread: InThread,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._resolver = resolver
        self._hostname = hostname
        self._clock = clock
        self._signatures = SignatureCheck(in_thread)
        self._chance = chance
        self._turns = DeferredSemaphore(MOST_AT_ONCE)

    async def verify(self, origin: Origin, message: IMessageSource) -> Authenticity:
        """See L{IVerifier.verify}."""
        await self._turns.acquire()
        try:
            return await self._verified(origin, message)
        finally:
            self._turns.release()

    async def _verified(self, origin: Origin, message: IMessageSource) -> Authenticity:
        asked = Deferred.fromCoroutine(self._spf(origin))
        findings = await self._dkim(message)
        spf = await asked
        dmarc = await self._dmarc(message, _evidence(spf, findings))
        deciding = strictest(dmarc)
        return Authenticity(
            results=results_field(self._hostname, origin, spf, findings, dmarc),
            disposition=deciding.disposition,
            spf=spf.result,
            dmarc=deciding.result,
            domain=deciding.domain,
        )

    def _hurried(self, seconds: float) -> Hurried:
        return Hurried(self._resolver, self._clock, seconds)

    async def _spf(self, origin: Origin) -> SPFResult:
        """SPF of the reverse-path, of the name in HELO for the null path (RFC 7208 §2.4)."""
        path = origin.reverse_path
        domain = path.domain if path is not None else origin.hello
        sender = f"{path.local if path is not None else 'postmaster'}@{domain}"
        address = client_address(origin.client)
        if address is None:
            return SPFResult("none", domain)
        try:
            return await check_host(self._hurried(LOOKUP_TIME), address, domain, sender, origin.hello)
        except Exception:
            log.failure("SPF of {domain} cannot be checked", domain=domain)
            return SPFResult("temperror", domain)

    async def _dkim(self, message: IMessageSource) -> tuple[Finding, ...]:
        try:
            now = self._clock.seconds()
            return await self._signatures.findings(message, self._hurried(LOOKUP_TIME), now)
        except TrekError as fault:
            log.warn("a message cannot be read for its signatures: {fault}", fault=str(fault))
        except Exception:
            log.failure("signatures cannot be verified")
        return (Finding("temperror", "internal error"),)

    async def _dmarc(self, message: IMessageSource, evidence: Evidence) -> list[DMARCResult]:
        """The results for the domains of all authors (RFC 7489 §6.6.1)."""
        try:
            domains = author_domains((await read_header(message))[0])
            if not domains:
                return [DMARCResult("", "permerror")]
            if len(domains) > MOST_AUTHORS:
                return [DMARCResult(domains[0], "permerror", disposition=Disposition.REJECT)]
            check = DMARCCheck(self._hurried(POLICY_TIME), self._chance)
            return [await check.evaluate(domain, evidence) for domain in domains]
        except TrekError as fault:
            log.warn("a message cannot be read for its author: {fault}", fault=str(fault))
        except Exception:
            log.failure("DMARC cannot be checked")
        return [DMARCResult("", "temperror")]


def author_domains(header: bytes) -> tuple[str, ...]:
    """
    The domains of all addresses of all From fields, each once, those that can be none left out.
    """
    domains: dict[str, None] = {}
    for address in from_addresses(header):
        try:
            domains[ascii_domain(address.rpartition("@")[2])] = None
        except SyntaxFault:
            continue
    return tuple(domains)


def _evidence(spf: SPFResult, findings: Sequence[Finding]) -> Evidence:
    def signed(result: str) -> tuple[str, ...]:
        return tuple(each.signature.domain for each in findings if each.signature and each.result == result)

    return Evidence(
        spf=spf.domain if spf.result == "pass" else "",
        dkim=signed("pass"),
        pending_spf=spf.domain if spf.result == "temperror" else "",
        pending_dkim=signed("temperror"),
    )
