"""
A host that knows no users' own servers.
"""

from __future__ import annotations

from zope.interface import implementer

from trekd.errors import LaneClosed
from trekd.relay.interfaces import IProfileStore, Profile


@implementer(IProfileStore)
class NoProfiles:
    """Has none; see L{IProfileStore}."""

    async def open(self, name: str) -> Profile:
        """See L{IProfileStore.open}."""
        raise LaneClosed("", f"there is no profile {name}", "4.7.0")
