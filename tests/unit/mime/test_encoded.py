"""
Encoded words, charsets and transfer encodings.
"""

from __future__ import annotations

import base64
import encodings
import encodings.aliases
import quopri
import random

import pytest

from trekd.mime.encoded import LONG_PIECE, codec, decode, decode_words, transfer_decoded, transfer_decoded_pieces


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"plain", "plain"),
        (b"=?US-ASCII?Q?Keith_Moore?= <k@x>", "Keith Moore <k@x>"),
        (b"=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHlv?= =?ISO-8859-2?B?dQ==?=", "If you can read you"),
        (b"(=?ISO-8859-1?Q?a?= b)", "(a b)"),
        (b"(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)"),
        (b"(=?ISO-8859-1?Q?a_b?=)", "(a b)"),
        (b"=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "é"),
        (b"=?utf-8*fr?q?=C3=A9?=", "é"),
        (b'"=?utf-8?q?=C3=A9?=" <a@b>', '"é" <a@b>'),
        (b"a=?utf-8?q?b?=c", "abc"),
        (b"=?gb2312?B?1tDOxA==?=", "中文"),
        (b"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
        (b"=?utf-8?b?w6k?=", "é"),
        (b"=?no-such-charset?q?=C3=A9?=", "é"),
        (b"=?utf-8?q?=E9?=", "é"),
        (b"=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
        (b"caf\xc3\xa9 \x80"[:5], "café"),
        (b"caf\xe9", "café"),
    ],
)
def test_encoded_words(value: bytes, text: str) -> None:
    """RFC 2047 §8 and what is seen in the wild."""
    assert decode_words(value) == text


def test_no_charset_raises_or_makes_what_cannot_be_stored() -> None:
    """Every codec of the table, over octets that few of them like."""
    chance = random.Random(2045)
    for name in sorted({name for name in encodings.aliases.aliases if codec(name)}):
        for octets in (b"+2AA-", b"\xff\xfe", b"\x1b$B\xff", b"~{", *(chance.randbytes(40) for _ in range(20))):
            decode(octets, name).encode("utf-8")


def test_only_charsets_are_codecs() -> None:
    """Python's other codecs are quadratic, no charsets, or remembered for good once asked for."""
    for name in ("punycode", "idna", "unicode_escape", "zlib", "hex", "rot13", "base64", "mbcs", "../x", "é"):
        assert codec(name) is None
    known = len(encodings._cache)
    decode_words(b"=?x-made-up?q?a?=")
    assert len(encodings._cache) == known
    assert codec("ISO-8859-15") and codec("windows-1252") and codec("KOI8-U") and codec("x-sjis")


@pytest.mark.parametrize(
    ("octets", "content"),
    [
        (b"aGVs\r\nbG8=\r\n", b"hello"),
        (b"aGVsbG8", b"hello"),
        (b"aGVsb", b"hel"),
        (b"a*G*V*sbG8=", b"hello"),
        (b"====", b""),
        (b"", b""),
    ],
)
def test_base64(octets: bytes, content: bytes) -> None:
    """RFC 2045 §6.8: foreign octets are ignored; what is cut off is lost, no more."""
    assert transfer_decoded(octets, b"base64") == content


@pytest.mark.parametrize("encoding", [b"base64", b"quoted-printable", b"8bit"])
def test_a_long_body_in_pieces_is_the_same(encoding: bytes) -> None:
    """Lines, escapes and groups of four that lie across the pieces."""
    content = random.Random(3516).randbytes(LONG_PIECE)
    coded = {
        b"base64": base64.encodebytes(content),
        b"quoted-printable": quopri.encodestring(content),
        b"8bit": content,
    }[encoding]
    assert b"".join(transfer_decoded_pieces(coded, encoding)) == transfer_decoded(coded, encoding)
    for octets in (b"", b"aGVsbG8=", b"aGVsbG8", b"====", b"a*G*V*sbG8=", b"=\r\n=41=", b"\r\n" * 10):
        assert b"".join(transfer_decoded_pieces(octets, encoding)) == transfer_decoded(octets, encoding)
