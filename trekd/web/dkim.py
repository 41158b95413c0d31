"""
Operations on the keys that mail is signed with.
"""

from __future__ import annotations

from typing import Any

from trekd.errors import NotPermitted, SyntaxFault
from trekd.mailauth.interfaces import DomainKey
from trekd.web.bodies import object_of, text_of
from trekd.web.collaborators import Collaborators, Facts


class DKIMOperations:
    """Operations on signing keys; a change holds for the next message."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators

    async def list_all(self, domain: str | None) -> list[Facts]:
        """All keys, or those of a domain."""
        return [_facts(key) for key in await self._with.required_keys().listed(domain)]

    async def create(self, body: object) -> Facts:
        """Make a key, C{{"domain": ..., "selector": ..., "algorithm": "rsa" or "ed25519"}}."""
        fields = object_of(body, "domain", "selector", "algorithm")
        domain, selector, algorithm = (_needed(fields, name) for name in ("domain", "selector", "algorithm"))
        served = self._with.config().server.domains
        if domain.lower().removesuffix(".") not in served and "*" not in served:
            raise NotPermitted(f"{domain} is not one of [server] domains ({', '.join(served)})")
        return _facts(await self._with.required_keys().create(domain, selector, algorithm))

    async def use(self, domain: str, body: object) -> Facts:
        """Let a key sign, C{{"selector": ...}}."""
        selector = _needed(object_of(body, "selector"), "selector")
        return _facts(await self._with.required_keys().use(domain, selector))

    async def remove(self, domain: str, selector: str) -> Facts:
        """Remove a key."""
        return _facts(await self._with.required_keys().remove(domain, selector))


def _needed(fields: Any, name: str) -> str:
    value: str | None = text_of(fields, name, None)
    if value is None:
        raise SyntaxFault(name)
    return value


def _facts(key: DomainKey) -> Facts:
    return {
        "domain": key.domain,
        "selector": key.selector,
        "algorithm": key.algorithm,
        "signing": key.is_signing,
        "created": key.created,
        "name": key.name,
        "record": key.record,
    }
