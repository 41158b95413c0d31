"""A resolver that knows what it is told."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from trekd.dns.interfaces import TLSA, Answer, Exchanger, IResolver, Service
from trekd.errors import NameServiceDown


@implementer(IResolver)
class ToldResolver:
    """
    See L{IResolver}.

    @ivar known: (method's name, name) to records; what is not in it does not exist.
    @ivar secure: names whose answers are validated; C{None} is all of them.
    @ivar down: (method's name, name) that no server answers.
    @ivar asked: what was asked for, in order.
    """

    def __init__(self, known: dict[tuple[str, str], tuple[Any, ...]] | None = None) -> None:
        self.known = dict(known or {})
        self.secure: set[str] | None = set()
        self.down: set[tuple[str, str]] = set()
        self.asked: list[tuple[str, str]] = []

    def _answer(self, method: str, name: str) -> Answer[Any]:
        self.asked.append((method, name))
        if (method, name) in self.down:
            raise NameServiceDown(name)
        exists = any(each == name for _, each in self.known)
        is_secure = self.secure is None or name in self.secure
        return Answer(tuple(self.known.get((method, name), ())), exists, is_secure, 300)

    async def addresses(self, host: str) -> Answer[str]:
        """See L{IResolver}."""
        return self._answer("addresses", host)

    async def exchangers(self, domain: str) -> Answer[Exchanger]:
        """See L{IResolver}."""
        return self._answer("exchangers", domain)

    async def texts(self, name: str) -> Answer[bytes]:
        """See L{IResolver}."""
        return self._answer("texts", name)

    async def services(self, name: str) -> Answer[Service]:
        """See L{IResolver}."""
        return self._answer("services", name)

    async def certificates(self, name: str) -> Answer[TLSA]:
        """See L{IResolver}."""
        return self._answer("certificates", name)

    async def names(self, address: str) -> Answer[str]:
        """See L{IResolver}."""
        return self._answer("names", address)

    async def canonical(self, name: str) -> Answer[str]:
        """See L{IResolver}."""
        return self._answer("canonical", name)
