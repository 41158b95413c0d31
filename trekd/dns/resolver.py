"""
The resolver: cache, single flight, failover.

It validates nothing itself.  A sysadmin who wants DANE runs a validating resolver on the host; the word of any other
is not worth more than the network between (RFC 4035 §4.9.3).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import dns.exception
import dns.reversename
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.logger import Logger
from zope.interface import implementer

from trekd.dns.cache import Cache
from trekd.dns.exchange import Exchange, Silent
from trekd.dns.interfaces import TLSA, Answer, Exchanger, IResolver, Service
from trekd.dns.labels import a_name, name_text
from trekd.dns.message import MAX_ALIASES, MAX_TTL, Question, Reading, Unhelpful
from trekd.dns.servers import Servers
from trekd.errors import NameServiceDown, SyntaxFault

MAX_AT_ONCE = 200
"""Questions under way; more wait, so that nobody's mail can use up the host's ports."""

_log = Logger()

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """
    How long to ask.

    @ivar timeout: seconds for one server's answer.
    @ivar rounds: how often each is asked.
    """

    timeout: float = 3.0
    rounds: int = 2


@implementer(IResolver)
class Resolver:
    """
    Asks name servers.

    @param hosts: addresses of names that no server is asked for.
    """

    def __init__(
        self,
        servers: Servers,
        patience: Patience,
        hosts: Mapping[str, tuple[str, ...]],
        exchange: Exchange,
        cache: Cache,
    ) -> None:
        self._servers = servers
        self._exchange = exchange
        self._cache = cache
        self._patience = patience
        self._hosts = hosts
        self._slots = DeferredSemaphore(MAX_AT_ONCE)
        self._flights: dict[Question, list[Deferred[Reading]]] = {}

    def reconfigure(self, servers: Servers, patience: Patience, hosts: Mapping[str, tuple[str, ...]]) -> None:
        """Ask others from now on, and forget what these ones said."""
        self._servers, self._patience, self._hosts = servers, patience, hosts
        self._cache.clear()

    async def addresses(self, host: str) -> Answer[str]:
        """
        See L{IResolver}.  An IP address is its own, the host's own file goes before the servers, and one of the two
        types is enough when a server fails at the other.
        """
        try:
            return Answer((str(ipaddress.ip_address(host)),), ttl=MAX_TTL)
        except ValueError:
            pass
        try:
            name = a_name(host)
        except SyntaxFault:
            return Answer((), exists=False)
        if name in self._hosts:
            return Answer(self._hosts[name])
        if name.endswith(".localhost"):
            return Answer(self._hosts["localhost"])
        found = [await each for each in [self._started(Question(name, kind)) for kind in ("AAAA", "A")]]
        answers = [_typed(each, lambda record: str(record.address)) for each in found if each is not None]
        records = tuple(record for each in answers for record in each.records)
        if not records and len(answers) < len(found):
            raise NameServiceDown(name)
        return Answer(
            records,
            any(each.exists for each in answers),
            all(each.secure for each in answers),
            min(each.ttl for each in answers),
        )

    async def exchangers(self, domain: str) -> Answer[Exchanger]:
        """See L{IResolver}."""
        answer = await self._find(domain, "MX", lambda one: Exchanger(one.preference, name_text(one.exchange)))
        return replace(answer, records=tuple(sorted(answer.records, key=lambda one: one.preference)))

    async def texts(self, name: str) -> Answer[bytes]:
        """See L{IResolver}."""
        return await self._find(name, "TXT", lambda one: b"".join(one.strings))

    async def services(self, name: str) -> Answer[Service]:
        """See L{IResolver}; ordered by priority, the host is C{""} where there is decidedly no service (RFC 2782)."""
        answer = await self._find(
            name, "SRV", lambda one: Service(one.priority, one.weight, one.port, name_text(one.target))
        )
        return replace(answer, records=tuple(sorted(answer.records, key=lambda one: (one.priority, -one.weight))))

    async def certificates(self, name: str) -> Answer[TLSA]:
        """See L{IResolver}."""
        return await self._find(name, "TLSA", lambda one: TLSA(one.usage, one.selector, one.mtype, bytes(one.cert)))

    async def names(self, address: str) -> Answer[str]:
        """See L{IResolver}."""
        try:
            name = name_text(dns.reversename.from_address(address))
        except (dns.exception.DNSException, ValueError):
            return Answer((), exists=False)
        return await self._find(name, "PTR", lambda one: name_text(one.target))

    async def canonical(self, name: str) -> Answer[str]:
        """See L{IResolver}."""
        return await self._find(name, "CNAME", lambda one: name_text(one.target))

    async def _find(self, name: str, kind: str, make: Callable[[Any], T]) -> Answer[T]:
        try:
            question = Question(a_name(name), kind)
        except SyntaxFault:
            return Answer((), exists=False)
        return _typed(await self._read(question), make)

    def _started(self, question: Question) -> Deferred[Reading | None]:
        """Begin at once; a failure is C{None}."""

        async def read() -> Reading | None:
            try:
                return await self._read(question)
            except NameServiceDown:
                return None

        return Deferred.fromCoroutine(read())

    async def _read(self, question: Question) -> Reading:
        """The answer with aliases followed to their end, where the server left that to us."""
        reading = await self._ask(question)
        secure, ttl, passed = reading.secure, reading.ttl, {question.name}
        while reading.onward:
            if reading.onward in passed or len(passed) > MAX_ALIASES:
                raise NameServiceDown(question.name)
            passed.add(reading.onward)
            reading = await self._ask(Question(reading.onward, question.kind))
            secure, ttl = secure and reading.secure, min(ttl, reading.ttl)
        return replace(reading, secure=secure, ttl=ttl)

    async def _ask(self, question: Question) -> Reading:
        """From the cache, or together with whoever asks the same already, or from the servers."""
        known = self._cache.find(question)
        if known is not None:
            reading, left = known
            if reading is None:
                raise NameServiceDown(question.name)
            return replace(reading, ttl=left)
        waiter: Deferred[Reading] = Deferred()
        flight = self._flights.setdefault(question, [])
        flight.append(waiter)
        if len(flight) == 1:
            self._slots.run(lambda: Deferred.fromCoroutine(self._try_servers(question))).addBoth(self._land, question)
        return await waiter

    def _land(self, result: Any, question: Question) -> None:
        """Give everybody who waits the answer, or each a failure of its own."""
        reading = result if isinstance(result, Reading) else None
        if reading is None and result.check(NameServiceDown) is None:
            _log.failure("the resolver failed at {kind} {name}", result, kind=question.kind, name=question.name)
        self._cache.keep(question, reading)
        for waiter in self._flights.pop(question):
            if waiter.called:
                continue  # cancelled
            if reading is None:
                waiter.errback(NameServiceDown(question.name))
            else:
                waiter.callback(reading)

    async def _try_servers(self, question: Question) -> Reading:
        """
        Ask one server after the other.

        @raise NameServiceDown: none has a verdict.
        """
        servers, patience = self._servers, self._patience
        for _ in range(patience.rounds):
            for server in servers.in_order():
                try:
                    reading = await self._exchange(server, question, patience.timeout)
                except Silent:
                    servers.was_silent(server)
                except (Unhelpful, SyntaxFault) as fault:
                    servers.has_answered(server)
                    _log.debug("{server} on {name}: {fault}", server=str(server), name=question.name, fault=fault)
                else:
                    servers.has_answered(server)
                    # The word of a server elsewhere may have been changed on the way.
                    return replace(reading, secure=reading.secure and server.is_local)
        raise NameServiceDown(question.name)


def _typed(reading: Reading, make: Callable[[Any], T]) -> Answer[T]:
    """An answer of our own terms."""
    return Answer(tuple(map(make, reading.records)), reading.exists, reading.secure, reading.ttl)
