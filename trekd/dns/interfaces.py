"""
The contract of the resolver.

Names may be given with U-labels (RFC 5890 §2.3.2.1) and a dot at the end; answers carry A-labels, lower case,
without it.  All methods raise L{NameServiceDown <trekd.errors.NameServiceDown>} when there is no verdict; "there is no
such name" and "it has no such record" are verdicts, and answers.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Generic, TypeVar

from zope.interface import Interface

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """
    What is known of a name.

    @ivar records: in the resolver's order; empty when there are none.
    @ivar exists: C{False} when the name itself does not exist (NXDOMAIN, RFC 2308 §2.1).
    @ivar secure: validated by DNSSEC, as a resolver on this host says (AD, RFC 4035 §3.2.3); CNAMEs included.
    @ivar ttl: seconds for which this may be remembered.
    """

    records: tuple[T, ...]
    exists: bool = True
    secure: bool = False
    ttl: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Exchanger:
    """A mail exchanger (RFC 5321 §5.1); C{host} is C{""} for the null MX (RFC 7505 §3)."""

    preference: int
    host: str


@dataclass(frozen=True, slots=True)
class Service:
    """A service's place (SRV, RFC 2782)."""

    priority: int
    weight: int
    port: int
    host: str


@dataclass(frozen=True, slots=True)
class TLSA:
    """What certificate a server has (RFC 6698 §2.1)."""

    usage: int
    selector: int
    matching: int
    association: bytes


class IResolver(Interface):
    """Asks name servers; remembers answers for as long as they may be."""

    def addresses(host: str) -> Awaitable[Answer[str]]:
        """IPv6 and IPv4 addresses as text (AAAA, then A)."""

    def exchangers(domain: str) -> Awaitable[Answer[Exchanger]]:
        """MX records, lowest preference first."""

    def texts(name: str) -> Awaitable[Answer[bytes]]:
        """TXT records, the strings of each joined."""

    def services(name: str) -> Awaitable[Answer[Service]]:
        """SRV records."""

    def certificates(name: str) -> Awaitable[Answer[TLSA]]:
        """TLSA records."""

    def names(address: str) -> Awaitable[Answer[str]]:
        """The host names of an IP address (PTR)."""

    def canonical(name: str) -> Awaitable[Answer[str]]:
        """What a name is an alias of (CNAME)."""
