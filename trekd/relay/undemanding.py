"""
A host that knows no policies: every exchanger is as good as it offers to be.
"""

from __future__ import annotations

from collections.abc import Sequence

from zope.interface import implementer

from trekd.relay.interfaces import Demand, IDemands, TLSResult


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
