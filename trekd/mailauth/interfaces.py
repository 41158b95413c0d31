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
