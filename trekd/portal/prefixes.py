"""
Which addresses of clients count as one: all that one customer of a network provider can choose among.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network


class Prefixes:
    """
    Maps a client's address to the prefix that limits are kept for.

    An IPv4 address stands for itself, also when a dual-stack socket shows it as C{::ffff:192.0.2.1}.
    """

    def __init__(self, ipv6_prefix: int = 64, trusted_networks: Sequence[str] = ()) -> None:
        """
        @param ipv6_prefix: leading bits of an IPv6 address that count.
        @param trusted_networks: C{192.0.2.0/24}, C{2001:db8::/32}: not limited by address.
        """
        self._ipv6_prefix = ipv6_prefix
        self._trusted = tuple(ip_network(network) for network in trusted_networks)

    def of(self, peer: str) -> str:
        """
        The prefix of a client's address.

        @param peer: '' is a local socket, its own prefix.
        """
        address = _parse(peer)
        if isinstance(address, IPv6Address) and self._ipv6_prefix < 128:
            rest = 128 - self._ipv6_prefix
            return f"{IPv6Address(int(address) >> rest << rest)}/{self._ipv6_prefix}"
        return str(address) if address else peer

    def limited(self, peer: str) -> str | None:
        """The prefix, or C{None} for a local socket or a trusted network, which no limit by address applies to."""
        address = _parse(peer)
        if not peer or (address is not None and any(address in network for network in self._trusted)):
            return None
        return self.of(peer)


def _parse(peer: str) -> IPv4Address | IPv6Address | None:
    """The address without a scope id (RFC 4007 §11); C{None} for what is none."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
