"""A resolver that answers from a dictionary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from zope.interface import implementer

from trekd.dns.interfaces import TLSA, Answer, Exchanger, IResolver, Service
from trekd.errors import NameServiceDown

DOWN = "down"
"""A record type's value when no name server answers."""


@implementer(IResolver)
class Names:
    """
    Knows what C{zone} says: name to record type (A, AAAA, MX, TXT, PTR...) to values.

    @ivar asked: C{type name} of each question, in order.
    """

    def __init__(self, zone: Mapping[str, Mapping[str, Any]]) -> None:
        self._zone = {name.lower().rstrip("."): records for name, records in zone.items()}
        self.asked: list[str] = []

    def _answer(self, name: str, *types: str) -> Answer[Any]:
        self.asked.append(f"{types[0]} {name}")
        records = self._zone.get(name.lower().rstrip("."))
        if records is None:
            below = "." + name.lower()
            return Answer((), exists=any(known.endswith(below) for known in self._zone))
        found: list[Any] = []
        for each in types:
            values = records.get(each, ())
            if values == DOWN or records.get("*") == DOWN:
                raise NameServiceDown(name)
            found += [values] if isinstance(values, (str, bytes)) else values
        return Answer(tuple(found))

    async def addresses(self, host: str) -> Answer[str]:
        """See L{IResolver.addresses}."""
        return self._answer(host, "AAAA", "A")

    async def exchangers(self, domain: str) -> Answer[Exchanger]:
        """See L{IResolver.exchangers}."""
        found = self._answer(domain, "MX")
        return Answer(tuple(sorted(Exchanger(*each) for each in found.records)), found.exists)

    async def texts(self, name: str) -> Answer[bytes]:
        """See L{IResolver.texts}."""
        found = self._answer(name, "TXT")
        return Answer(tuple(_octets(each) for each in found.records), found.exists)

    async def services(self, name: str) -> Answer[Service]:
        """See L{IResolver.services}."""
        return self._answer(name, "SRV")

    async def certificates(self, name: str) -> Answer[TLSA]:
        """See L{IResolver.certificates}."""
        return self._answer(name, "TLSA")

    async def names(self, address: str) -> Answer[str]:
        """See L{IResolver.names}."""
        return self._answer(address, "PTR")

    async def canonical(self, name: str) -> Answer[str]:
        """See L{IResolver.canonical}."""
        return self._answer(name, "CNAME")


def _octets(text: str | bytes | Iterable[str]) -> bytes:
    return text if isinstance(text, bytes) else "".join(text).encode()
