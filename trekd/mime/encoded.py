"""
Text inside octets: charsets, encoded words (RFC 2047), extended parameters (RFC 2231 §4), transfer encodings
(RFC 2045 §6).

Nothing here raises: what cannot be decoded as declared is guessed (UTF-8, then ISO 8859-1).
"""

from __future__ import annotations

import binascii
import codecs
import re
from collections.abc import Iterator
from encodings.aliases import aliases
from urllib.parse import unquote_to_bytes

_UNALIASED = ("koi8_u", "koi8_t", "cp720", "cp737", "cp856", "cp874", "cp1006", "utf_8_sig")
_NO_CHARSETS = frozenset(
    ["mbcs", "rot_13", "base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "uu_codec", "zlib_codec"]
)
_CODECS = {name: codec for name, codec in aliases.items() if codec not in _NO_CHARSETS}
_CODECS.update({codec: codec for codec in (*set(_CODECS.values()), *_UNALIASED)})
# Labels as mail programs write them; GB 2312 and KS C 5601 text often uses their supersets.
_CODECS.update(
    {
        "gb2312": "gb18030",
        "gbk": "gb18030",
        "x_gbk": "gb18030",
        "ks_c_5601_1987": "cp949",
        "euc_kr": "cp949",
        "iso_8859_8_i": "iso8859_8",
        "iso_8859_8_e": "iso8859_8",
        "iso_8859_6_i": "iso8859_6",
        "iso_8859_6_e": "iso8859_6",
        "windows_874": "cp874",
        "x_sjis": "cp932",
        "shift_jis": "cp932",
        "x_mac_roman": "mac_roman",
        "macintosh": "mac_roman",
        "x_unknown": "utf_8",
        "unicode_1_1_utf_8": "utf_8",
    }
)
_GUESSED = frozenset(["ascii", "utf_8"])

WORD = re.compile(rb"=\?([!->@-~]{1,75})\?([bBqQ])\?([^?]*)\?=")
"""C{encoded-word} (RFC 2047 §2), blanks in its text tolerated."""

PIECE = 8192
"""Octets decoded at once where a text may be of any length."""

LONG_PIECE = 256 * 1024
"""Octets whose transfer encoding is undone at once."""

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_NOT_BASE64 = bytes(set(range(256)).difference(_BASE64))


def codec(charset: str) -> str | None:
    """
    Python's name of a text codec whose decoder is linear and safe, C{None} for an unknown charset.

    Only names of a fixed table are ever looked up: Python remembers each unknown one for good.
    """
    return _CODECS.get(charset.strip(" \"'").lower().replace("-", "_").replace(" ", "_"))


def guess(octets: bytes) -> str:
    """Text of an undeclared charset: UTF-8 when it is valid, else ISO 8859-1."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def decode(octets: bytes, charset: str) -> str:
    """Text of a declared charset; an unknown one, and ASCII or UTF-8 that is none, is guessed."""
    name = codec(charset)
    if name is None or name in _GUESSED:
        return guess(octets)
    text = octets.decode(name, "replace")
    # Only UTF-7 can spell half a surrogate pair, which no store or client takes.
    return text.encode("utf-8", "replace").decode("utf-8") if name == "utf_7" else text


def decode_pieces(octets: bytes, charset: str) -> Iterator[str]:
    """
    What L{decode} gives, in pieces, so that a long text is never in memory as a whole.
    """
    name = codec(charset)
    if name == "utf_7" or len(octets) <= PIECE:
        # A decoder of UTF-7 keeps a run of base64 and reads it again with each piece.
        text = decode(octets, charset)
        for start in range(0, len(text), PIECE):
            yield text[start : start + PIECE]
        return
    if name is None or name in _GUESSED:
        name = "utf_8" if _is_utf8(octets) else "latin_1"
    decoder = codecs.getincrementaldecoder(name)("replace")
    for start in range(0, len(octets), PIECE):
        yield decoder.decode(octets[start : start + PIECE], start + PIECE >= len(octets))


def _is_utf8(octets: bytes) -> bool:
    if octets.isascii():
        return True
    decoder = codecs.getincrementaldecoder("utf_8")()
    try:
        for start in range(0, len(octets), PIECE):
            decoder.decode(octets[start : start + PIECE], start + PIECE >= len(octets))
    except UnicodeDecodeError:
        return False
    return True


def base64_octets(octets: bytes) -> bytes:
    """Decode base64 (RFC 2045 §6.8), ignoring foreign octets and whatever follows the padding."""
    try:
        return binascii.a2b_base64(octets)
    except binascii.Error:
        kept = octets.translate(None, _NOT_BASE64).partition(b"=")[0]
        kept = kept[: len(kept) - 1] if len(kept) % 4 == 1 else kept
        return binascii.a2b_base64(kept + b"=" * (-len(kept) % 4))


def transfer_decoded(octets: bytes, encoding: bytes) -> bytes:
    """
    The content of a body.

    @param encoding: Content-Transfer-Encoding in lower case; any but base64 and quoted-printable is none.
    """
    if encoding == b"base64":
        return base64_octets(octets)
    if encoding == b"quoted-printable":
        return binascii.a2b_qp(octets)
    return octets


def transfer_decoded_pieces(octets: bytes, encoding: bytes) -> Iterator[bytes]:
    """
    The content of a body in pieces, so that other threads run while a long one is decoded.

    @param encoding: as for L{transfer_decoded}.
    """
    if encoding == b"base64":
        yield from _base64_pieces(octets)
    elif encoding == b"quoted-printable":
        start = 0
        while start < len(octets):
            # A line is the least that can be decoded alone.
            stop = octets.find(b"\n", start + LONG_PIECE) + 1 or len(octets)
            yield binascii.a2b_qp(octets[start:stop])
            start = stop
    else:
        yield octets


def _base64_pieces(octets: bytes) -> Iterator[bytes]:
    rest = b""
    for start in range(0, len(octets), LONG_PIECE):
        kept, padding, _ = octets[start : start + LONG_PIECE].translate(None, _NOT_BASE64).partition(b"=")
        kept = rest + kept
        whole = len(kept) - len(kept) % 4
        rest = kept[whole:]
        yield binascii.a2b_base64(kept[:whole])
        if padding:
            break
    if len(rest) > 1:
        yield binascii.a2b_base64(rest + b"=" * (4 - len(rest)))


def decode_words(value: bytes) -> str:
    """
    An unfolded header value as text, its encoded words decoded wherever they stand (RFC 2047 §6.2, and inside
    quoted strings as well, where mail programs put them).

    White space between two encoded words vanishes; a character may be split between two of one charset.
    """
    if b"=?" not in value:
        return guess(value)
    pieces: list[str] = []
    pending: list[bytes] = []
    charset, end = "", 0
    for match in WORD.finditer(value):
        between = value[end : match.start()]
        label = match[1].partition(b"*")[0].decode("ascii").lower()
        if pending and (label != charset or between.strip()):
            pieces.append(decode(b"".join(pending), charset))
            pending = []
        if between.strip() or end == 0:
            pieces.append(guess(between))
        text = match[3]
        if match[2] in b"bB":
            pending.append(base64_octets(text))
        else:
            pending.append(binascii.a2b_qp(text, header=True))
        charset, end = label, match.end()
    if pending:
        pieces.append(decode(b"".join(pending), charset))
    pieces.append(guess(value[end:]))
    return "".join(pieces)


def extended_value(value: bytes) -> tuple[str, bytes]:
    """Charset (may be empty) and octets of C{charset'language'percent-encoded} (RFC 2231 §4)."""
    charset, quote, rest = value.partition(b"'")
    _language, second, text = rest.partition(b"'")
    if not quote or not second:
        return "", unquote_to_bytes(value)
    return charset.decode("latin-1"), unquote_to_bytes(text)
