"""
Mailbox names on the wire: modified UTF-7 (RFC 3501 §5.1.3) and the patterns of LIST (RFC 3501 §6.3.8).
"""

from __future__ import annotations

import binascii
import re
import unicodedata
from dataclasses import dataclass, field

from trekd.errors import SyntaxFault
from trekd.values import MailboxName

_SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*)-")
_DIRECT = re.compile(rb"[\x20-\x25\x27-\x7e]*")
_ENCODED_RUN = re.compile(r"&|[^\x20-\x7e]+")


def encode_utf7(text: str) -> bytes:
    """
    Write text in modified UTF-7.

    @param text: without lone surrogates.
    """
    return _ENCODED_RUN.sub(_encode_run, text).encode("ascii")


def decode_utf7(octets: bytes) -> str:
    """
    Read modified UTF-7; there is one encoding of each text, no other is taken.

    @raise SyntaxFault: octets outside printable US-ASCII, a broken or unended shift, a superfluous one, or
        one that encodes what represents itself.
    """
    pieces = []
    at = 0
    while at < len(octets):
        if octets[at] == 0x26:
            found = _SHIFTED.match(octets, at)
            pieces.append(_decode_run(found[1], at) if found else "")
        else:
            found = _DIRECT.match(octets, at)
            pieces.append(found[0].decode("ascii") if found else "")
        if not found or found.end() == at:
            raise SyntaxFault("modified UTF-7", at)
        at = found.end()
    text = "".join(pieces)
    if encode_utf7(text) != octets:
        raise SyntaxFault("canonical modified UTF-7")
    return text


def _encode_run(run: re.Match[str]) -> str:
    if run[0] == "&":
        return "&-"
    encoded = binascii.b2a_base64(run[0].encode("utf-16-be"), newline=False)
    return "&" + encoded.rstrip(b"=").replace(b"/", b",").decode("ascii") + "-"


def _decode_run(run: bytes, offset: int) -> str:
    if not run:
        return "&"
    padded = run.replace(b",", b"/") + b"=" * (-len(run) % 4)
    try:
        return binascii.a2b_base64(padded).decode("utf-16-be")
    except (binascii.Error, UnicodeDecodeError):
        raise SyntaxFault("modified UTF-7", offset) from None


def decode_name(octets: bytes, utf8: bool) -> str:
    """
    Read a mailbox name, or a part of one, as a client sends it.

    @param utf8: whether the client enabled UTF-8 (RFC 6855 §3), else modified UTF-7.
    @raise SyntaxFault: neither.
    """
    if not utf8:
        return decode_utf7(octets)
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise SyntaxFault("UTF-8", fault.start) from None


def encode_name(name: MailboxName, utf8: bool) -> bytes:
    """A mailbox name as a client reads it, not yet quoted."""
    return name.text.encode("utf-8") if utf8 else encode_utf7(name.text)


_WILDCARDS = re.compile(r"[%*]{2,}")


@dataclass(frozen=True, slots=True)
class ListPattern:
    """
    A pattern in which C{*} matches anything and C{%} anything within one level.

    The places in the pattern that a name may have reached are the bits of one number, so that matching takes
    one step for each character, whatever the pattern.

    @ivar text: the pattern, decoded, in NFC, without needless wildcards.
    """

    text: str
    _literals: int = field(init=False, repr=False, compare=False)
    _places: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        text = _WILDCARDS.sub(_joined_wildcards, unicodedata.normalize("NFC", self.text))
        places: dict[str, int] = {}
        if len(text) <= 2 * MailboxName.MAX_OCTETS + 1:
            for at, character in enumerate(text):
                places[character] = places.get(character, 0) | 1 << at
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "_literals", len(text) - text.count("%") - text.count("*"))
        object.__setattr__(self, "_places", places)

    def matches(self, name: MailboxName) -> bool:
        """Whether the pattern matches the whole name; C{INBOX} as its first level in any letter case."""
        text = name.text
        if self._literals > len(text):
            return False
        star = self._places.get("*", 0)
        within = star | self._places.get("%", 0)
        folded = 5 if text == "INBOX" or text.startswith("INBOX/") else 0
        reached = 1 | (within & 1) << 1
        for at, character in enumerate(text):
            literal = 0 if character in "%*" else self._places.get(character, 0)
            if at < folded:
                literal |= self._places.get(character.lower(), 0)
            reached = (reached & literal) << 1 | reached & (star if character == "/" else within)
            reached |= (reached & within) << 1
            if not reached:
                return False
        return bool(reached >> len(self.text) & 1)


def _joined_wildcards(run: re.Match[str]) -> str:
    return "*" if "*" in run[0] else "%"


def list_pattern(reference: str, pattern: str) -> ListPattern:
    """The pattern in the context of LIST's reference: one written after the other (RFC 3501 §6.3.8)."""
    return ListPattern(reference + pattern)
