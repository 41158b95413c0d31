"""
The contract of message authentication.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from enum import Enum

from zope.interface import Interface

from trekd.store.interfaces import IMessageSource
from trekd.values import Address


@dataclass(frozen=True, slots=True)
class Origin:
    """
    Where a message came from.

    @ivar client: IP address of the sending server.
    @ivar hello: what it called itself.
    @ivar reverse_path: C{None} is the null path.
    """

    client: str
    hello: str
    reverse_path: Address | None


class Disposition(Enum):
    """What the author's domain asks to be done with a message (RFC 7489 §6.3)."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Authenticity:
    """
    What was found out.

    @ivar results: a whole Authentication-Results field (RFC 8601 §2.2) with its CRLF.
    @ivar disposition: by DMARC, C{NONE} without a policy.
    @ivar spf: result of RFC 7208 §2.6 for the reverse-path, such as C{pass}; the field C{Received-SPF} is not written.
    @ivar dmarc: result of RFC 8601 §2.7.4 or RFC 7489 §11.2, such as C{pass}.
    @ivar domain: the author's domain, C{""} when the message does not say.
    """

    results: bytes
    disposition: Disposition = Disposition.NONE
    spf: str = "none"
    dmarc: str = "none"
    domain: str = ""


class IVerifier(Interface):
    """Checks messages from other servers."""

    def verify(origin: Origin, message: IMessageSource) -> Awaitable[Authenticity]:
        """
        SPF, DKIM and DMARC of a message as it was received; never raises, a name server that gives no verdict
        is C{temperror}.
        """


class ISigner(Interface):
    """Signs messages that leave."""

    def sign(domain: str, message: IMessageSource) -> Awaitable[bytes]:
        """
        The DKIM-Signature fields to put in front of a message (RFC 6376 §5), each with its CRLF.

        @param domain: of the author.
        @return: C{b""} when the domain has no key here.
        @raise StoreFull: the message cannot be read.
        """


@dataclass(frozen=True, slots=True)
class DomainKey:
    """
    A signing key, without what is secret of it.

    @ivar domain: as A-labels.
    @ivar algorithm: C{rsa} or C{ed25519}.
    @ivar is_signing: the one of its algorithm that signs for the domain; the others are only published.
    @ivar created: Unix seconds.
    @ivar record: text of its TXT record (RFC 6376 §3.6.1).
    """

    domain: str
    selector: str
    algorithm: str
    is_signing: bool
    created: float
    record: str

    @property
    def name(self) -> str:
        """The name of its TXT record (RFC 6376 §3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"


class IDomainKeys(Interface):
    """
    The signing keys of all domains; a change holds for the next message.

    Methods raise L{SyntaxFault <trekd.errors.SyntaxFault>} for what is no domain or selector, L{StoreFull
    <trekd.errors.StoreFull>} when files cannot be read or written, L{StoreCorrupt <trekd.errors.StoreCorrupt>}
    when one holds no key.
    """

    def listed(domain: str | None = None) -> Awaitable[tuple[DomainKey, ...]]:
        """All keys, or those of a domain, by domain and selector."""

    def published(domain: str) -> Awaitable[list[tuple[str, str]]]:
        """Name and text of each TXT record that a domain needs for its keys."""

    def create(domain: str, selector: str, algorithm: str) -> Awaitable[DomainKey]:
        """
        Make a key; it signs at once when the domain has no other of its algorithm that does.

        @raise NotPermitted: there is such a selector already.
        """

    def use(domain: str, selector: str) -> Awaitable[DomainKey]:
        """
        Let a key sign from now on, instead of the other one of its algorithm.

        @raise NoSuchKey: there is no such key.
        """

    def remove(domain: str, selector: str) -> Awaitable[DomainKey]:
        """
        Remove a key; nothing of its algorithm signs until another one is chosen.

        @raise NoSuchKey: there is no such key.
        """
