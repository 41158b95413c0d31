"""
C{BODY[section]} gives exactly the octets that RFC 3501 §6.4.5 says.
"""

from __future__ import annotations

import pytest

from trekd.errors import UnknownEncoding
from trekd.mime.scanner import scan
from trekd.mime.sections import Section, cut, cut_header, decoded

INNER_HEADER = b"Subject: in\r\nFrom: i@n\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n"
INNER_BODY = b"--i\r\n\r\nplain\r\n--i\r\nContent-Type: text/html\r\n\r\n<p>\r\n--i--"
HEADER = (
    b"From: a@b\r\nSubject: one\r\n\ttwo\r\nreceived: x\r\nSUBJECT: again\r\n"
    b"Content-Type: multipart/mixed; boundary=o\r\n\r\n"
)
BODY = (
    b"preamble\r\n--o\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--o\r\n"
    b"Content-Type: message/rfc822\r\nContent-ID: <m@x>\r\n\r\n"
    + INNER_HEADER
    + INNER_BODY
    + b"\r\n--o\r\nContent-Type: message/rfc822\r\n\r\nSubject: leaf\r\n\r\nleaf text\r\n--o--\r\nepilogue"
)
OCTETS = HEADER + BODY
PARTS = scan(OCTETS).parts


def body(path: str, kind: str = "", *fields: bytes) -> bytes | None:
    """C{BODY[path.kind (fields)]} of the message above."""
    numbers = tuple(int(number) for number in path.split(".") if number)
    return cut(OCTETS, PARTS, Section(numbers, kind, fields))


def test_the_message() -> None:
    """BODY[], HEADER, TEXT."""
    assert body("") == OCTETS
    assert body("", "HEADER") == HEADER
    assert body("", "TEXT") == BODY


def test_parts() -> None:
    """Part numbers, and the MIME header of each."""
    assert body("1") == b"aGVsbG8="
    assert body("1", "MIME") == b"Content-Transfer-Encoding: base64\r\n\r\n"
    assert body("2") == INNER_HEADER + INNER_BODY
    assert body("2", "MIME") == b"Content-Type: message/rfc822\r\nContent-ID: <m@x>\r\n\r\n"
    assert decoded(OCTETS, PARTS, (1,)) == b"hello"
    assert decoded(OCTETS, PARTS, (2,)) == INNER_HEADER + INNER_BODY
    assert decoded(OCTETS, PARTS, ()) == OCTETS
    assert decoded(OCTETS, PARTS, (4,)) is None


@pytest.mark.parametrize("encoding", [b"x-uuencode", b"base32"])
def test_unknown_transfer_encoding(encoding: bytes) -> None:
    """RFC 3516 §4.3; of the whole message nothing is decoded."""
    octets = b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\nabc"
    parts = scan(octets).parts
    assert decoded(octets, parts, ()) == octets
    with pytest.raises(UnknownEncoding):
        decoded(octets, parts, (1,))


def test_messages_inside() -> None:
    """HEADER and TEXT of a message/rfc822 part; below it, numbers count the inner message's parts."""
    assert body("2", "HEADER") == INNER_HEADER
    assert body("2", "TEXT") == INNER_BODY
    assert body("2.1") == b"plain"
    assert body("2.2") == b"<p>"
    assert body("2.2", "MIME") == b"Content-Type: text/html\r\n\r\n"
    assert body("2", "HEADER.FIELDS", b"subject") == b"Subject: in\r\n\r\n"
    assert body("3.1") == b"leaf text"
    assert body("3", "TEXT") == b"leaf text"
    assert body("3.1", "MIME") == b"Subject: leaf\r\n\r\n"


@pytest.mark.parametrize("path", ["4", "0", "1.1", "2.3", "2.1.1", "3.2", "3.1.1", "1.1.1.1.1"])
def test_parts_that_are_not_there(path: str) -> None:
    """No such part is nothing, whatever is asked of it."""
    assert body(path) is None
    assert body(path, "MIME") is None
    assert decoded(OCTETS, PARTS, tuple(map(int, path.split(".")))) is None


def test_kinds_that_a_part_does_not_have() -> None:
    """Only messages have HEADER and TEXT; the message itself has no MIME."""
    for kind in ("HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT"):
        assert body("1", kind, b"x") is None
    assert body("", "MIME") is None


def test_header_fields() -> None:
    """Names in any case, folded lines whole, order kept, the empty line always."""
    assert body("", "HEADER.FIELDS", b"SUBJECT", b"From") == (
        b"From: a@b\r\nSubject: one\r\n\ttwo\r\nSUBJECT: again\r\n\r\n"
    )
    assert body("", "HEADER.FIELDS.NOT", b"subject", b"content-type") == b"From: a@b\r\nreceived: x\r\n\r\n"
    assert body("", "HEADER.FIELDS", b"absent") == b"\r\n"
    assert body("", "HEADER.FIELDS.NOT", b"absent") == HEADER
    assert cut_header(b"A: b", Section((), "HEADER.FIELDS", (b"a",))) == b"A: b\r\n\r\n"
    assert cut_header(b"A: b\nC: d\n\n", Section((), "HEADER.FIELDS.NOT", (b"a",))) == b"C: d\n\n"
    assert cut_header(b"", Section((), "HEADER.FIELDS.NOT", (b"a",))) == b"\r\n"
    assert cut_header(b"X" * 9 + b"\r\nSub: x\r\n\r\n", Section((), "HEADER.FIELDS", (b"Sub", b""))) == (
        b"Sub: x\r\n\r\n"
    )


def test_a_message_that_is_no_multipart_has_one_part() -> None:
    """RFC 3501 §6.4.5: part 1 is its body."""
    octets = b"Subject: x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ncaf=C3=A9"
    parts = scan(octets).parts
    assert cut(octets, parts, Section((1,))) == b"caf=C3=A9"
    assert cut(octets, parts, Section((1,), "MIME")) == octets[:-9]
    assert cut(octets, parts, Section((1, 1))) is None
    assert decoded(octets, parts, (1,)) == "café".encode()
    octets = b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ntext"
    parts = scan(octets).parts
    assert cut(octets, parts, Section((1,), "HEADER")) == b"Subject: in\r\n\r\n"
    assert cut(octets, parts, Section((1, 1))) == b"text"


def test_which_sections_the_header_alone_answers() -> None:
    """The store keeps header octets apart."""
    assert Section((), "HEADER.FIELDS", (b"a",)).is_header
    assert not Section((), "TEXT").is_header and not Section((2,), "HEADER").is_header
