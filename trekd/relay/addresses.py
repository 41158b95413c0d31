"""
Which network addresses mail may be carried to: the one policy for hosts that somebody else names, be it a user's
own SMTP provider or the MX records of a domain.

A host name says nothing: whoever owns it can let it mean C{127.0.0.1}, a machine of the inner network, or this host
itself, now or at the next look.  So it is the address that is judged, after resolution, and the caller connects to
that very address and resolves no second time.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

IPAddress = IPv4Address | IPv6Address

_SPECIAL = tuple(
    (ip_network(network), text)
    for network, text in (
        ("0.0.0.0/8", "no host's address"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "an address inside a provider's network"),
        ("127.0.0.0/8", "a loopback address"),
        ("169.254.0.0/16", "a link-local address"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "an address reserved for protocols"),
        ("192.0.2.0/24", "an address for documentation"),
        ("192.88.99.0/24", "an address reserved for protocols"),
        ("192.168.0.0/16", "a private address"),
        ("198.18.0.0/15", "an address for benchmarks"),
        ("198.51.100.0/24", "an address for documentation"),
        ("203.0.113.0/24", "an address for documentation"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
        ("::/128", "no host's address"),
        ("::1/128", "a loopback address"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("ff00::/8", "a multicast address"),
        ("2001:db8::/32", "an address for documentation"),
        ("3fff::/20", "an address for documentation"),
        ("2001::/23", "an address reserved for protocols"),
        ("2002::/16", "an address of a tunnel"),
    )
)
"""What IANA's registries of special-purpose addresses (RFC 6890 §2.2) keep from the public network."""

_GLOBAL = IPv6Network("2000::/3")
_TRANSLATED = IPv6Network("64:ff9b::/96")
"""IPv4 addresses as a translator shows them to hosts that have only IPv6 (RFC 6052 §2.1)."""


def is_own(address: IPAddress) -> bool:
    """
    Whether an address is one of this host: the kernel would talk to it from itself.  Nothing is sent.
    """
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            return ip_address(probe.getsockname()[0]) == address
    except OSError:
        return False  # no route to it, or none of its family: it is not here


@dataclass(frozen=True, slots=True)
class Judged:
    """
    What became of a host's addresses.

    @ivar permitted: those that may be connected to, in the order given.
    @ivar refusals: one line for each of the others, for the log and for who named the host.
    """

    permitted: tuple[str, ...]
    refusals: tuple[str, ...]


class AddressPolicy:
    """Judges addresses; quick, and it asks no name server."""

    def __init__(self, allowed: Iterable[str], is_own: Callable[[IPAddress], bool] = is_own) -> None:
        """
        @param allowed: networks that the administrator allows whatever they are (C{[relay] allowed_networks}).
        @param is_own: tells this host's addresses.
        """
        self._allowed = tuple(ip_network(network) for network in allowed)
        self._is_own = is_own

    def refusal(self, address: str) -> str:
        """
        Why an address may not be connected to, as a line of text with the address in it; C{""} when it may.

        @param address: an address as text, never a name; what is none is refused.
        """
        try:
            found = ip_address(address)
        except ValueError:
            return f"{address!r} is no network address"
        plain = _embedded(found)
        if any(each in network for network in self._allowed for each in (found, plain)):
            return ""
        reason = _special(plain) or ("an address of this host" if self._is_own(plain) else "")
        return f"{address} is {reason}" if reason else ""

    def judge(self, addresses: Iterable[str]) -> Judged:
        """Tell a host's addresses apart: connect to those permitted, and to nothing else."""
        permitted: list[str] = []
        refusals: list[str] = []
        for address in addresses:
            refusal = self.refusal(address)
            if refusal:
                refusals.append(refusal)
            else:
                permitted.append(address)
        return Judged(tuple(permitted), tuple(refusals))


def _embedded(address: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv6 address stands for, mapped (RFC 4291 §2.5.5.2) or translated; itself otherwise."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _TRANSLATED else address


def _special(address: IPAddress) -> str:
    for network, text in _SPECIAL:
        if address in network:
            return text
    return "" if isinstance(address, IPv4Address) or address in _GLOBAL else "no public address"
