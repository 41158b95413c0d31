"""
A host that knows no policies and no users' own servers: every exchanger is as good as it offers to be.
"""

from __future__ import annotations

from collections.abc import Sequence

from zope.interface import implementer

from trekd.errors import LaneClosed
from trekd.relay.interfaces import Demand, IDemands, IProfileStore, Profile, TLSResult


@implementer(IDemands)
class Undemanding:
    """Demands nothing, vouches for nobody, counts nothing; see L{IDemands}."""

    async def of(self, domain: str, exchanger: str, secure: bool) -> Demand:
        """See L{IDemands.of}."""
        return Demand(server_name=exchanger)

    def verdict(self, demand: Demand, chain: Sequence[bytes]) -> TLSResult:
        """See L{IDemands.verdict}."""
        return TLSResult.NOT_TRUSTED

    def record(self, domain: str, exchanger: str, demand: Demand, result: TLSResult) -> None:
        """See L{IDemands.record}."""


@implementer(IProfileStore)
class NoProfiles:
    """Has none; see L{IProfileStore}."""

    async def open(self, name: str) -> Profile:
        """See L{IProfileStore.open}."""
        raise LaneClosed("", f"there is no profile {name}", "4.7.0")
