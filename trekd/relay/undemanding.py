"""
Demands for connections that have none: a smart host's and an own-SMTP server's TLS is in their own configuration.
"""

from __future__ import annotations

from collections.abc import Sequence

from zope.interface import implementer

from trekd.relay.interfaces import Demand, IDemands, TLSResult


@implementer(IDemands)
class Undemanding:
    """See L{IDemands}."""

    async def of(self, domain: str, exchanger: str, secure: bool) -> Demand:
        """See L{IDemands.of}."""
        return Demand()

    def verdict(self, demand: Demand, chain: Sequence[bytes]) -> TLSResult:
        """See L{IDemands.verdict}."""
        return TLSResult.SUCCESS

    def record(self, domain: str, exchanger: str, demand: Demand, result: TLSResult) -> None:
        """See L{IDemands.record}; nobody counts these."""
