"""
Properties of the MIME room: no octets make it raise, and what it says is always valid IMAP (RFC 3501 §9).
"""

from __future__ import annotations

import os
import re
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.mime.wire_grammar import check_body, check_envelope, read
from trekd.errors import UnknownEncoding
from trekd.mime.addresses import addresses, from_addresses
from trekd.mime.encoded import decode_words, transfer_decoded
from trekd.mime.fold import fold
from trekd.mime.header import (
    body_offset,
    field_values,
    fields_cutter,
    named_fields,
    raw_fields,
    remove_fields,
    split_header,
)
from trekd.mime.octets import FileOctets
from trekd.mime.parts import Part, unpack
from trekd.mime.scanner import ScannedMessage, scan
from trekd.mime.sections import KINDS, Section, cut, cut_header, decoded
from trekd.mime.text import header_contains, text_contains

LINES = st.sampled_from(
    [
        b"",
        b"",
        b"--b",
        b"--b--",
        b"--bb",
        b"--bb--",
        b"--b--  ",
        b"-- b",
        b"text",
        b"Content-Type: multipart/mixed; boundary=b",
        b'Content-Type: multipart/digest;\r\n boundary="bb"',
        b"Content-Type: multipart/mixed",
        b"Content-Type: message/rfc822",
        b'Content-Type: text/html; charset*0="utf"; charset*1="-8"',
        b"Content-Type: garbage",
        b"Content-Type: image/png; name*=utf-8''%e2%82%ac; x",
        b"Content-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: quoted-printable",
        b'Content-Disposition: attachment; filename="a\\"b"',
        b"Content-Language: en, de",
        b"Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==",
        b'From: "A \\" B" <a@b> (c (d)), group: x@y, z;',
        b"To: <@r1,@r2:a@b>, undisclosed:;, half <a",
        b"Cc: \xe9t\xe9 <\xe9@x>, =?utf-8?b?w6k=?= <e@x>",
        b"Subject: =?iso-8859-1?q?=e9?= =?utf-8?q?x",
        b"Subject: \0 =?utf-7?q?+2AA-?= =?utf-8?q?=00?=",
        b"Message-ID: <\0@\xff>",
        b"Date: Fri, 21 Nov 97 09:55:06 -0600 (CST)",
        b"References: <a@b> <c@d>\r\n\t<e@f>",
        b"\x00\xff",
        b"w6k=",
        b"=C3=A9=",
    ]
)
LINE_ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\n", b"\r"])


@st.composite
def mail_like(draw: st.DrawFn) -> bytes:
    """Octets made of the lines that matter, with any line ends."""
    line_end = draw(LINE_ENDS)
    return line_end.join(draw(st.lists(LINES, max_size=40)))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Mail with some octets replaced, removed or repeated."""
    octets = bytearray(draw(mail_like()))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(octets)))
        octets[at : at + draw(st.integers(0, 3))] = draw(
            st.one_of(st.binary(max_size=3), st.sampled_from([b'"', b"(", b")", b"\\", b";", b"=", b"\r\n"]))
        )
    return bytes(octets)


ANY = st.one_of(st.binary(max_size=200), mail_like(), mutated())


def check_scan(octets: bytes) -> tuple[ScannedMessage, Part]:
    """Everything that holds of any scan."""
    scanned = scan(octets)
    assert scanned.header_length == split_header(octets)
    check_envelope(read(scanned.envelope))
    check_body(read(scanned.body), extended=False)
    check_body(read(scanned.bodystructure), extended=True)
    keys = scanned.subject_key + scanned.from_key + scanned.to_key + scanned.cc_key + scanned.bcc_key
    texts = [keys, scanned.message_id, *scanned.references]
    assert all(text.encode("utf-8") is not None and "\0" not in text for text in texts)
    root = unpack(scanned.parts)
    assert (root.header, root.body, root.end) == (0, scanned.header_length, len(octets))
    check_nesting(root)
    return scanned, root


def check_nesting(part: Part) -> None:
    """Parts lie inside their parents, in order, without overlap."""
    assert part.header <= part.body <= part.end
    at = part.body
    for child in part.children:
        assert at <= child.header and child.end <= max(part.end, child.body)
        at = child.end
        check_nesting(child)


def paths(part: Part, path: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    """Every path a client could ask for, and one past each."""
    found = [path, (*path, len(part.children) + 1), (*path, 1)]
    for number, child in enumerate(part.children, 1):
        found += paths(child, (*path, number))
    return found


@settings(max_examples=400, deadline=None)
@given(ANY)
def test_any_octets_have_a_valid_structure(octets: bytes) -> None:
    """RFC 3501 §9 envelope, body; STYLE §9: no input raises."""
    check_scan(octets)


@settings(max_examples=150, deadline=None)
@given(ANY, st.sampled_from(KINDS))
def test_any_section_of_any_octets_is_a_slice_of_them(octets: bytes, kind: str) -> None:
    """RFC 3501 §6.4.5."""
    scanned, root = check_scan(octets)
    for path in paths(root):
        section = Section(path, kind, (b"from", b"CONTENT-TYPE"))
        text = cut(octets, scanned.parts, section)
        if kind.startswith("HEADER."):
            assert text is None or text.endswith(b"\n")
        else:
            assert text is None or text in octets
        if section.is_header:
            assert text == cut_header(octets[: scanned.header_length], section)
        try:
            assert decoded(octets, scanned.parts, path) is not None or path
        except UnknownEncoding:
            assert path and re.search(rb"(?i)content-transfer-encoding", octets)
    head = cut(octets, scanned.parts, Section((), "HEADER")) or b""
    assert head + (cut(octets, scanned.parts, Section((), "TEXT")) or b"") == octets


@settings(max_examples=150, deadline=None)
@given(ANY)
def test_raw_fields_are_the_header(octets: bytes) -> None:
    """Nothing of a header is lost, whatever removes fields from it."""
    header = octets[: split_header(octets)]
    assert b"".join(raw for _, raw in raw_fields(header)) == header
    assert remove_fields(octets, []) == octets
    for names in ((b"FROM", b"Content-Type"), (b"subject",), (b"a b", b"")):
        wanted = {name.lower() for name in names} - {b""}
        assert fields_cutter(names)(header) == b"".join(named_fields(header, names))
        assert named_fields(header, names) == [raw for name, raw in raw_fields(header) if name in wanted]
    without = remove_fields(octets, [b"FROM", b"to"])
    assert not field_values(without, b"from") and not field_values(without, b"To")
    assert field_values(without, b"cc") == field_values(octets, b"cc")


@settings(max_examples=150, deadline=None)
@given(ANY, st.text(max_size=5))
def test_search_never_raises(octets: bytes, needle: str) -> None:
    """RFC 3501 §6.4.4."""
    scanned = scan(octets)
    text_contains(octets, scanned.parts, fold(needle), True)
    header_contains(octets[: scanned.header_length], b"subject", fold(needle))
    assert text_contains(octets, scanned.parts, "", False)
    from_addresses(octets)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=60), st.text("ab<>@,:;.() \"\\[]\t", max_size=40).map(str.encode)))
def test_every_list_has_its_addresses(value: bytes) -> None:
    """RFC 5322 §3.4: markers come in pairs, an address has a local part and a domain, maybe empty."""
    in_group = False
    for entry in addresses(value):
        if entry.domain is None:
            assert (entry.local is None) == in_group
            in_group = not in_group
        else:
            assert entry.local is not None
    assert not in_group


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_folding_twice_changes_nothing(text: str) -> None:
    """RFC 5051 §2."""
    assert fold(fold(text)) == fold(text)
    assert fold(text) == fold(text.title()) or not text.isascii()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_decoding_never_raises(octets: bytes) -> None:
    """RFC 2045 §6, RFC 2047."""
    for encoding in (b"base64", b"quoted-printable", b"x-unknown"):
        transfer_decoded(octets, encoding)
    for charset in (b"utf-8", b"iso-2022-jp", b"utf-7", b"punycode", b"hz", b"unicode_escape", b"x"):
        decode_words(b"=?" + charset + b"?q?" + octets + b"?= =?" + charset + b"?b?" + octets + b"?=")


@settings(max_examples=100, deadline=None)
@given(ANY)
def test_lone_carriage_returns_are_line_ends_when_nothing_else_is(octets: bytes) -> None:
    """The three kinds of line ends give the same structure of parts."""
    octets = octets.replace(b"\r", b"").replace(b"\n", b"\r")
    assert scan(octets).parts == scan(octets.replace(b"\r", b"\n")).parts
    assert body_offset(octets.replace(b"\r", b"\n"), 0, len(octets)) == split_header(octets)


@given(st.one_of(mail_like(), mutated()), st.sampled_from([80, 100, 1000]))
def test_a_message_in_a_file_is_read_as_one_in_memory(octets: bytes, window: int) -> None:
    """However small the piece of it that is in memory."""
    descriptor = os.memfd_create("message")
    try:
        os.write(descriptor, octets)
        with patch("trekd.mime.octets.WINDOW", window):
            assert scan(FileOctets(descriptor, len(octets))) == scan(octets)
    finally:
        os.close(descriptor)
