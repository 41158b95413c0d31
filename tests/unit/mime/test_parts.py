"""
The part index as it is stored.
"""

from __future__ import annotations

import pytest

from tests.unit.mime.test_scanner import multipart
from trekd.errors import StoreCorrupt
from trekd.mime.parts import LEAF, MESSAGE, MULTIPART, TEXT, Part, unpack
from trekd.mime.scanner import scan

OCTETS = multipart(
    b"Content-Type: text/plain; charset=KOI8-R\r\nContent-Transfer-Encoding: Quoted-Printable\r\n\r\na\r\nb",
    b"Content-Type: image/png\r\nContent-Transfer-Encoding: x-other\r\n\r\n",
    b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nc",
)


def test_an_index_names_every_part() -> None:
    """Kinds, encodings, charsets, lines, and the octets of each part."""
    root = unpack(scan(OCTETS).parts)
    text, image, message = root.children
    kinds = [root.kind, text.kind, image.kind, message.kind, message.children[0].kind]
    assert kinds == [MULTIPART, TEXT, LEAF, MESSAGE, TEXT]
    assert (text.encoding, text.charset, text.lines) == (b"quoted-printable", "koi8-r", 1)
    assert (image.encoding, image.charset) == (b"7bit", "")
    assert OCTETS[text.body : text.end] == b"a\r\nb"
    inner: Part = message.children[0]
    assert OCTETS[inner.header : inner.end] == OCTETS[message.body : message.end] == b"Subject: x\r\n\r\nc"


def test_what_is_no_index_is_corrupt() -> None:
    """Every index that is cut short or too long is noticed."""
    for octets in (OCTETS, b"Content-Type: text/plain; charset=utf-8\r\n\r\n"):
        parts = scan(octets).parts
        for broken in (*(parts[:length] for length in range(len(parts))), parts + b"\0"):
            with pytest.raises(StoreCorrupt):
                unpack(broken)
