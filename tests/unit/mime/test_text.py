"""
Search in decoded text.
"""

from __future__ import annotations

import base64
import tracemalloc

import pytest

from tests.unit.mime.test_scanner import multipart
from trekd.mime.encoded import PIECE
from trekd.mime.fold import fold
from trekd.mime.reader import MimeReader

READER = MimeReader()

MESSAGE = (
    b"Subject: =?utf-8?b?"
    + base64.b64encode("Größe".encode())
    + b"?= outside\r\nX-Tag: \r\n"
    + multipart(
        b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        b"na=EFve soft=\r\nbreak",
        b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes("Straße nach Москва".encode()),
        b"Content-Type: application/pdf\r\n\r\nhidden attachment",
        b"Content-Type: message/rfc822\r\n\r\nSubject: inner subject\r\n\r\ninner text \xe9",
    )
)
PARTS = READER.scan(MESSAGE).parts


def found(text: str, with_header: bool = False) -> bool:
    """SEARCH BODY, or TEXT."""
    return READER.text_contains(MESSAGE, PARTS, READER.fold(text), with_header)


@pytest.mark.parametrize(
    "text", ["naïve", "NAÏVE", "softbreak", "STRAßE", "москва", "inner subject", "inner text é", ""]
)
def test_decoded_text_is_found(text: str) -> None:
    """RFC 3501 §6.4.4: charset, encoding and letter case make no difference."""
    assert found(text)


@pytest.mark.parametrize("text", ["na=EF", "hidden attachment", "absent", "outside"])
def test_what_is_not_text_is_not_found(text: str) -> None:
    """Neither raw encodings, nor attachments, nor (in BODY) the header."""
    assert not found(text)


def test_text_has_the_header() -> None:
    """SEARCH TEXT."""
    assert found("größe outside", with_header=True)
    assert found("subject:grö", with_header=True)


def test_header_search() -> None:
    """SEARCH HEADER: an empty text asks for the field."""
    header = MESSAGE[: READER.scan(MESSAGE).header_length]
    assert READER.header_contains(header, b"SUBJECT", fold("GRÖ"))
    assert READER.header_contains(header, b"x-tag", "")
    assert not READER.header_contains(header, b"x-tag", fold("x"))
    assert not READER.header_contains(header, b"x-ta", "")
    assert not READER.header_contains(header, b"outside", "")


@pytest.mark.parametrize(
    ("one", "other"),
    [("abc", "ABC"), ("É", "e\u0301"), ("ﬁ", "FI"), ("Ⅷ", "viii"), ("ǆ", "Ǆ"), ("ｱ", "ア"), ("σ", "Σ")],
)
def test_equal_under_folding(one: str, other: str) -> None:
    """RFC 5051 §2."""
    assert fold(one) == fold(other)


def test_letters_stay_apart() -> None:
    """Simple mappings only: a sharp s is no double s, an accent counts."""
    assert fold("ß") != fold("ss")
    assert fold("e") != fold("é")
    assert fold("title") == "TITLE"


@pytest.mark.parametrize("encoding", [b"8bit", b"base64"])
@pytest.mark.parametrize(
    ("charset", "codec"), [(b"utf-8", "utf-8"), (b"", "latin-1"), (b"gb18030", "gb18030"), (b"utf-7", "utf-7")]
)
def test_text_is_found_wherever_it_stands(charset: bytes, codec: str, encoding: bytes) -> None:
    """A long text is read in pieces, and what is sought may lie across two of them."""
    for before in range(PIECE - 4, PIECE + 3):
        body = ("x" * before + "é needle é" + "y" * PIECE).encode(codec)
        content = base64.encodebytes(body) if encoding == b"base64" else body
        octets = b"Content-Type: text/plain; charset=%b\r\nContent-Transfer-Encoding: %b\r\n\r\n%b" % (
            charset or b'""',
            encoding,
            content,
        )
        parts = READER.scan(octets).parts
        assert READER.text_contains(octets, parts, fold("É NEEDLE É"), False)
        assert not READER.text_contains(octets, parts, fold("é needles"), False)


def test_memory_of_a_search_is_that_of_its_pieces() -> None:
    """One character may fold to eighteen (U+FDFA): a text is never folded as a whole."""
    octets = b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + "\ufdfa".encode() * 200_000
    parts = READER.scan(octets).parts
    tracemalloc.start()
    assert not READER.text_contains(octets, parts, fold("needle"), False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * len(octets)
