"""
Reverse-paths of what is forwarded: senders of other domains become addresses of ours that lead back to them (the Sender
Rewriting Scheme of Shevek, 2004), so that the next server's SPF (RFC 7208 §2.4) asks about us.

C{SRS0=HASH=TT=domain=local@ours} stands for C{local@domain}.  A sender that another forwarder rewrote becomes
C{SRS1=HASH=theirs=REST@ours}, which leads to C{SRS0REST@theirs}; it grows no further, however many forwarders follow.

The hash is a keyed one of all that follows it, in lower case, because some servers change the case of what they return.
The day is in it: an address is good for L{LIFETIME} days, so that one that leaked does not serve strangers for ever.
Nothing here raises for what others write.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from trekd.errors import SyntaxFault
from trekd.smtp.grammar.paths import MAX_PATH, mailbox, write_mailbox
from trekd.values import Address

LIFETIME = 21
"""Days for which a rewritten sender is good; who bounces later than this has queued for too long."""

DAY = 86400
_DAYS = 1024
"""Days after which the two letters of the date begin anew."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_HASH = 8
"""Letters of the hash: 40 bits."""

_REWRITTEN = re.compile(r"srs([01])([=+-])(.*)", re.I | re.S)


def is_rewritten(address: Address) -> bool:
    """Whether an address claims to be a rewritten sender."""
    return _REWRITTEN.fullmatch(address.local) is not None


class SenderRewriting:
    """Rewrites senders, and reads them when bounces come back."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def rewrite(self, sender: Address, domain: str, now: float) -> Address | None:
        """
        The address of ours that stands for a sender.

        @param domain: one of ours.
        @param now: Unix seconds.
        @return: C{None} when the result would be too long (RFC 5321 §4.5.3.1.3).
        """
        match = _REWRITTEN.fullmatch(sender.local)
        if match is None:
            day = _letters(int(now // DAY))
            rest = f"{day}={sender.domain}={sender.local}"
            local = f"SRS0={self._hash(rest)}={rest}"
        else:
            rest = f"{sender.domain}={match[2]}{match[3]}" if match[1] == "0" else _past_hash(match[3])
            if not rest:
                return None
            local = f"SRS1={self._hash(rest)}={rest}"
        rewritten = Address(local, domain)
        return rewritten if _is_sound(rewritten) else None

    def restore(self, address: Address, now: float) -> Address | None:
        """
        The sender for whom a rewritten address stands.

        @return: C{None} for what we have not written, or too long ago.
        """
        match = _REWRITTEN.fullmatch(address.local)
        if match is None:
            return None
        found, _, rest = match[3].partition("=")
        if not hmac.compare_digest(found.lower().encode("utf-8", "replace"), self._hash(rest).encode()):
            return None
        sender = _sender(rest, now) if match[1] == "0" else _forwarder(rest)
        return sender if sender is not None and _is_sound(sender) else None

    def _hash(self, rest: str) -> str:
        digest = hmac.new(self._secret, rest.lower().encode("utf-8", "replace"), hashlib.sha256).digest()
        return base64.b32encode(digest)[:_HASH].decode().lower()


def _sender(rest: str, now: float) -> Address | None:
    """C{TT=domain=local}"""
    day, _, path = rest.partition("=")
    domain, _, local = path.partition("=")
    written = _day(day)
    if written is None or (int(now // DAY) - written) % _DAYS > LIFETIME:
        return None
    return Address(local, domain.lower())


def _forwarder(rest: str) -> Address | None:
    """C{theirs=REST}, whose own hash is theirs to verify"""
    domain, _, opaque = rest.partition("=")
    return Address(f"SRS0{opaque}", domain.lower()) if opaque.startswith(("=", "+", "-")) else None


def _past_hash(text: str) -> str:
    """What is behind the hash of another forwarder, C{""} when it is not as it should be."""
    rest = text.partition("=")[2]
    return rest if _forwarder(rest) is not None else ""


def _letters(day: int) -> str:
    return _LETTERS[(day >> 5) & 31] + _LETTERS[day & 31]


def _day(letters: str) -> int | None:
    places = [_LETTERS.find(letter) for letter in letters.lower()]
    return (places[0] << 5) + places[1] if len(places) == 2 and min(places) >= 0 else None


def _is_sound(address: Address) -> bool:
    """Whether an address can stand in a path, as it is."""
    text = write_mailbox(address)
    if len(text.encode("utf-8", "replace")) > MAX_PATH - 2:
        return False
    try:
        return mailbox(text) == address
    except (SyntaxFault, UnicodeError):
        return False
