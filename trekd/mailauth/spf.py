"""
SPF: may this client send for that domain (RFC 7208 §4, §5)?

The number of questions is bounded whatever records say: ten terms that ask, ten exchangers or names each, two answers
without records.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from trekd.dns.interfaces import IResolver
from trekd.errors import NameServiceDown, SyntaxFault
from trekd.mailauth.names import ascii_domain, is_within, looked_up
from trekd.mailauth.spfrecords import (
    MacroValues,
    Mechanism,
    Record,
    expand,
    is_record,
    needs_validated_name,
    parse_record,
)

MOST_LOOKUPS = 10
"""Terms that cause questions (RFC 7208 §4.6.4)."""

MOST_VOID = 2
"""Of them, those without an answer (RFC 7208 §4.6.4)."""

MOST_NAMES = 10
"""Exchangers of a domain, or names of an address (RFC 7208 §4.6.4)."""

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_INCLUDED = {"pass": True, "fail": False, "softfail": False, "neutral": False}


class _Over(Exception):
    """The check ends with C{temperror} or C{permerror}."""

    def __init__(self, result: str) -> None:
        super().__init__(result)
        self.result = result


@dataclass(frozen=True, slots=True)
class SPFResult:
    """
    @ivar result: of RFC 7208 §2.6.
    @ivar domain: the one that was asked, as A-labels where it is a domain.
    """

    result: str
    domain: str


def client_address(text: str) -> IPAddress | None:
    """
    A client's address, IPv4 in its own form (RFC 7208 §4.1); C{None} for what is none.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


async def check_host(
    resolver: IResolver, address: IPAddress, domain: str, sender: str, hello: str
) -> SPFResult:
    """
    C{check_host()} (RFC 7208 §4); never raises but for a fault of ours.

    @param sender: C{local@domain}; without local part it is postmaster's.
    @param hello: what the client called itself.
    """
    local, _, host = sender.rpartition("@")
    try:
        name = ascii_domain(domain)
    except SyntaxFault:
        return SPFResult("none", domain)
    values = MacroValues(f"{local or 'postmaster'}@{_ascii(host)}", address, _ascii(hello), name)
    try:
        return SPFResult(await _Check(resolver, values).run(name), name)
    except _Over as over:
        return SPFResult(over.result, name)


def _ascii(host: str) -> str:
    try:
        return ascii_domain(host)
    except SyntaxFault:
        return host


class _Check:
    """
    One evaluation, with what it may still ask.
    """

    def __init__(self, resolver: IResolver, values: MacroValues) -> None:
        self._resolver = resolver
        self._values = values
        self._address = values.address
        self._lookups = 0
        self._void = 0
        self._mechanisms: dict[str, Callable[[Mechanism, MacroValues], Awaitable[bool]]] = {
            "all": self._all,
            "ip4": self._ip,
            "ip6": self._ip,
            "a": self._a,
            "mx": self._mx,
            "ptr": self._ptr,
            "exists": self._exists,
            "include": self._include,
        }

    async def run(self, domain: str) -> str:
        """
        The result for a domain.

        @raise _Over: there is no more to be found out.
        """
        record = await self._record(domain)
        if record is None:
            return "none"
        values = replace(self._values, domain=domain)
        for mechanism in record.mechanisms:
            if await self._mechanisms[mechanism.name](mechanism, values):
                return mechanism.result
        if not record.redirect:
            return "neutral"
        self._count()
        target = await self._target(record.redirect, values)
        # RFC 7208 §6.1: no record there is an error.
        result = await self.run(target) if target else "none"
        if result == "none":
            raise _Over("permerror")
        return result

    async def _record(self, domain: str) -> Record | None:
        """The one record of a domain (RFC 7208 §4.3 to §4.6)."""
        if "." not in domain:
            return None
        found = [text for text in await self._ask(self._resolver.texts, domain) if is_record(text)]
        if not found:
            return None
        if len(found) > 1:
            raise _Over("permerror")
        try:
            return parse_record(found[0])
        except SyntaxFault:
            raise _Over("permerror") from None

    # Mechanisms (RFC 7208 §5)

    async def _all(self, mechanism: Mechanism, values: MacroValues) -> bool:
        return True

    async def _ip(self, mechanism: Mechanism, values: MacroValues) -> bool:
        return mechanism.network is not None and self._address in mechanism.network

    async def _a(self, mechanism: Mechanism, values: MacroValues) -> bool:
        self._count()
        host = await self._target(mechanism.target, values)
        addresses = await self._addresses(host, self._address.version) if host else []
        self._check_void(addresses)
        return self._is_near(addresses, mechanism)

    async def _mx(self, mechanism: Mechanism, values: MacroValues) -> bool:
        self._count()
        domain = await self._target(mechanism.target, values)
        exchangers = await self._ask(self._resolver.exchangers, domain) if domain else ()
        self._check_void(exchangers)
        if len(exchangers) > MOST_NAMES:
            raise _Over("permerror")
        for exchanger in exchangers:
            host = exchanger.host
            if host and self._is_near(await self._addresses(host, self._address.version), mechanism):
                return True
        return False

    async def _ptr(self, mechanism: Mechanism, values: MacroValues) -> bool:
        self._count()
        domain = await self._target(mechanism.target, values)
        names = await self._validated(None)
        return any(is_within(name, domain) for name in names)

    async def _exists(self, mechanism: Mechanism, values: MacroValues) -> bool:
        self._count()
        host = await self._target(mechanism.target, values)
        # RFC 7208 §5.7: an A record, whatever the client's address is.
        found = await self._addresses(host, 4) if host else []
        self._check_void(found)
        return bool(found)

    async def _include(self, mechanism: Mechanism, values: MacroValues) -> bool:
        self._count()
        domain = await self._target(mechanism.target, values)
        result = await self.run(domain) if domain else "none"
        if result not in _INCLUDED:
            raise _Over("permerror")
        return _INCLUDED[result]

    # What they share

    def _count(self) -> None:
        self._lookups += 1
        if self._lookups > MOST_LOOKUPS:
            raise _Over("permerror")

    def _check_void(self, records: Iterable[object]) -> None:
        if not any(True for _ in records):
            self._void += 1
            if self._void > MOST_VOID:
                raise _Over("permerror")

    async def _target(self, spec: str, values: MacroValues) -> str:
        """The domain a mechanism means, C{""} when it cannot be one (RFC 7208 §4.8)."""
        if not spec:
            return values.domain
        if needs_validated_name(spec):
            names = await self._validated(values.domain)
            values = replace(values, validated=names[0] if names else "unknown")
        try:
            return looked_up(expand(spec, values))
        except SyntaxFault:
            return ""

    def _is_near(self, addresses: Iterable[str], mechanism: Mechanism) -> bool:
        """Whether one of the addresses has the client's first bits."""
        bits = mechanism.prefixes[0 if self._address.version == 4 else 1]
        network = ipaddress.ip_network((self._address, bits), strict=False)
        return any(parsed is not None and parsed in network for parsed in map(client_address, addresses))

    async def _addresses(self, host: str, version: int) -> list[str]:
        """A host's addresses of one kind; what is written as an address is no host (RFC 7208 §5.4)."""
        if client_address(host) is not None:
            return []
        found = await self._ask(self._resolver.addresses, host)
        return [each for each in found if (":" in each) == (version == 6)]

    async def _validated(self, preferred: str | None) -> list[str]:
        """
        The client's host names that lead back to it (RFC 7208 §5.5, §7.3); a name server that fails is no error here.

        @param preferred: this domain's name first, then those below it.
        """
        try:
            answer = await self._resolver.names(str(self._address))
        except NameServiceDown:
            return []
        names = []
        for name in answer.records[:MOST_NAMES]:
            try:
                host = ascii_domain(name)
                addresses = [client_address(each) for each in (await self._resolver.addresses(host)).records]
            except (NameServiceDown, SyntaxFault):
                continue
            if self._address in addresses:
                names.append(host)
        if preferred is not None:
            names.sort(key=lambda name: (name != preferred, not is_within(name, preferred)))
        return names

    async def _ask(self, question: Callable[[str], Awaitable[object]], name: str) -> tuple[Any, ...]:
        try:
            answer: Any = await question(name)
        except NameServiceDown:
            raise _Over("temperror") from None
        return tuple(answer.records)
