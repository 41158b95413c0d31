"""
Signing mail that leaves (RFC 6376 §5, RFC 8463).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from trekd.errors import StoreCorrupt, StoreFull, SyntaxFault
from trekd.mailauth.digests import Bodies, BodyDigest, InThread, read_header
from trekd.mailauth.interfaces import ISigner
from trekd.mailauth.keyring import Keyring
from trekd.mailauth.keys import SigningKey
from trekd.mailauth.signatures import Draft, Field, signed_octets
from trekd.mime.header import raw_fields
from trekd.store.interfaces import IMessageSource

log = Logger()

OVERSIGNED = (
    b"From",
    b"Reply-To",
    b"To",
    b"Cc",
    b"Subject",
    b"Date",
    b"Message-ID",
    b"In-Reply-To",
    b"References",
    b"MIME-Version",
    b"Content-Type",
    b"Content-Transfer-Encoding",
)
"""
Named once more than the message has them, so that none can be added (RFC 6376 §8.15).
"""

SIGNED = (
    b"Sender",
    b"Content-ID",
    b"Content-Description",
    b"Content-Disposition",
    b"Auto-Submitted",
    b"List-ID",
    b"List-Help",
    b"List-Unsubscribe",
    b"List-Unsubscribe-Post",
    b"List-Subscribe",
    b"List-Post",
    b"List-Owner",
    b"List-Archive",
)
"""Signed where they are; a mailing list may add its own (RFC 6376 §5.4.1)."""

MOST_FIELDS = 50
"""Fields of one name that are signed; a message with more is not signed: it would make a field too long to verify."""

_ALGORITHMS = {"rsa": "rsa-sha256", "ed25519": "ed25519-sha256"}


@implementer(ISigner)
class Signer:
    """
    See L{ISigner}.

    @param in_thread: calls a function in a thread.
    """

    def __init__(self, keys: Keyring, clock: IReactorTime, in_thread: InThread) -> None:
        self._keys = keys
        self._clock = clock
        self._in_thread = in_thread

    async def sign(self, domain: str, message: IMessageSource) -> bytes:
        """
        See L{ISigner.sign}.

        Keys that cannot be used are no reason to keep mail back: it leaves unsigned, and the log says so.
        """
        try:
            keys = await self._keys.signing(domain)
        except (SyntaxFault, StoreCorrupt, StoreFull) as fault:
            log.error("mail of {domain} is not signed: {fault}", domain=domain, fault=str(fault))
            return b""
        if not keys:
            return b""
        header, start = await read_header(message)
        fields = list(raw_fields(header))
        names = signed_names(fields)
        if not names:
            log.warn("a message of {domain} has a header that cannot be signed", domain=domain)
            return b""
        digest = BodyDigest()
        await Bodies([digest]).read(message, start, self._in_thread)
        now = int(self._clock.seconds())
        return b"".join([_signed(key, fields, names, now, digest.digest()) for key in keys])


def signed_names(fields: Sequence[Field]) -> tuple[bytes, ...]:
    """C{h=} for a header, empty when it has no From or too many fields of a name."""
    counted = Counter(name for name, _ in fields)
    names = [name for name in OVERSIGNED for _ in range(counted[name.lower()] + 1)]
    names += [name for name in SIGNED for _ in range(counted[name.lower()])]
    is_signable = counted[b"from"] and all(counted[name.lower()] <= MOST_FIELDS for name in OVERSIGNED + SIGNED)
    return tuple(names) if is_signable else ()


def _signed(
    key: SigningKey, fields: Sequence[Field], names: tuple[bytes, ...], now: int, digest: bytes
) -> bytes:
    draft = Draft(_ALGORITHMS[key.algorithm], key.domain, key.selector, names, now, digest)
    lower = [name.lower() for name in names]
    return draft.field(key.sign(signed_octets(draft.field(), fields, lower, "relaxed")))
