"""
What one pass finds, and what it makes of broken mail.
"""

from __future__ import annotations

import time

import pytest

from tests.unit.mime.wire_grammar import check_body, check_envelope, outline, read
from trekd.mime.parts import Part, unpack
from trekd.mime.scanner import MAX_DEPTH, MAX_PARTS, ScannedMessage, scan

FROM = b"From: a@example.com\r\n"


def lines(*parts: bytes) -> bytes:
    """Lines joined by CRLF, without one at the end."""
    return b"\r\n".join(parts)


def mail(*header: bytes, body: bytes = b"x") -> bytes:
    """A message of these header lines."""
    return lines(*header, b"", body)


def valid(octets: bytes) -> ScannedMessage:
    """The scan, its three structures checked against RFC 3501 §9."""
    scanned = scan(octets)
    check_envelope(read(scanned.envelope))
    check_body(read(scanned.body), extended=False)
    check_body(read(scanned.bodystructure), extended=True)
    return scanned


def kinds(octets: bytes) -> object:
    """The tree of media types that a client sees."""
    return outline(read(valid(octets).bodystructure))


def leaves(octets: bytes) -> list[bytes]:
    """The octets of every part that has no parts, in order."""

    def walk(part: Part) -> list[bytes]:
        if not part.children:
            return [octets[part.body : part.end]]
        return [text for child in part.children for text in walk(child)]

    return walk(unpack(valid(octets).parts))


def multipart(*parts: bytes, boundary: bytes = b"b", subtype: bytes = b"mixed") -> bytes:
    """A well-formed multipart entity."""
    head = b"Content-Type: multipart/" + subtype + b'; boundary="' + boundary + b'"\r\n\r\n'
    delimiter = b"--" + boundary
    return head + b"".join(delimiter + b"\r\n" + part + b"\r\n" for part in parts) + delimiter + b"--"


def test_facts_of_an_ordinary_message() -> None:
    """RFC 3501 §7.4.2."""
    octets = mail(
        b"Date: Mon, 23 Nov 2026 23:30:00 -0500",
        b"From: =?utf-8?q?Ren=C3=A9?= <rene@example.com>",
        b'To: "Doe, Jane" <jane@example.org>, bob@example.net',
        b"Subject: Caf=?utf-8?q?=C3=A9_?= =?iso-8859-1?q?cr=E8me?=",
        b"Message-ID: <m1@example.com>",
        b"In-Reply-To: <p1@example.com>",
        b"References: <p0@example.com>",
        b"\t<p1@example.com>",
        b"Content-Type: text/plain; charset=utf-8",
        body=b"one\r\ntwo\r\n",
    )
    scanned = valid(octets)
    assert octets[scanned.header_length :] == b"one\r\ntwo\r\n"
    assert scanned.envelope == (
        b'("Mon, 23 Nov 2026 23:30:00 -0500" "Caf=?utf-8?q?=C3=A9_?= =?iso-8859-1?q?cr=E8me?="'
        b' (("=?utf-8?q?Ren=C3=A9?=" NIL "rene" "example.com"))'
        b' (("=?utf-8?q?Ren=C3=A9?=" NIL "rene" "example.com"))'
        b' (("=?utf-8?q?Ren=C3=A9?=" NIL "rene" "example.com"))'
        b' (("Doe, Jane" NIL "jane" "example.org")(NIL NIL "bob" "example.net"))'
        b' NIL NIL "<p1@example.com>" "<m1@example.com>")'
    )
    assert scanned.body == b'("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 10 2)'
    assert scanned.bodystructure == scanned.body[:-1] + b" NIL NIL NIL NIL)"
    assert scanned.subject_key == "CAFE\u0301 CRE\u0300ME"
    assert scanned.from_key == "RENE\u0301 <RENE@EXAMPLE.COM>"
    assert "DOE, JANE" in scanned.to_key and "BOB@EXAMPLE.NET" in scanned.to_key
    assert (scanned.cc_key, scanned.bcc_key) == ("", "")
    assert scanned.sent == 1795494600
    assert scanned.sent_date == 739943
    assert scanned.message_id == "m1@example.com"
    assert scanned.references == ("p0@example.com", "p1@example.com")


def test_all_extension_data() -> None:
    """RFC 3501 §7.4.2: MD5, disposition, language, location, id and description."""
    octets = mail(
        b"Content-Type: APPLICATION/Pdf; Name=\"a \\\"b\\\".pdf\"",
        b"Content-Transfer-Encoding: BASE64",
        b"Content-ID: <id@x>",
        b"Content-Description: a file",
        b"Content-MD5: Q2hlY2s=",
        b"Content-Disposition: attachment; filename*=utf-8''%e2%82%ac.pdf",
        b"Content-Language: en, de",
        b"Content-Location: http://example.com/",
    )
    assert valid(octets).bodystructure == (
        b'("APPLICATION" "Pdf" ("Name" "a \\"b\\".pdf") "<id@x>" "a file" "BASE64" 1 "Q2hlY2s="'
        b' ("attachment" ("filename*" "utf-8\'\'%e2%82%ac.pdf")) ("en" "de") "http://example.com/")'
    )


@pytest.mark.parametrize(
    ("octets", "envelope"),
    [
        (b"Subject: caf\xe9\r\n\r\n", b"(NIL {4}\r\ncaf\xe9 NIL NIL NIL NIL NIL NIL NIL NIL)"),
        (b"Subject: a\0b\r\n\r\n", b'(NIL "ab" NIL NIL NIL NIL NIL NIL NIL NIL)'),
        (b"Subject: a\rb\r\n\r\n", b'(NIL "ab" NIL NIL NIL NIL NIL NIL NIL NIL)'),
        (b"Subject: a\r\n\tb\r\n\r\n", b'(NIL "a b" NIL NIL NIL NIL NIL NIL NIL NIL)'),
        (b"Subject:\r\n\r\n", b'(NIL "" NIL NIL NIL NIL NIL NIL NIL NIL)'),
        (b'Subject: "\\\r\n\r\n', b'(NIL "\\"\\\\" NIL NIL NIL NIL NIL NIL NIL NIL)'),
        (b"", b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"),
    ],
)
def test_strings_of_an_envelope(octets: bytes, envelope: bytes) -> None:
    """RFC 3501 §4.3: 8-bit text in a literal; CR, LF and NUL nowhere."""
    assert valid(octets).envelope == envelope


def test_a_long_string_is_a_literal() -> None:
    """A client's line buffer is not ours to overflow."""
    assert b" {5000}\r\nxxx" in valid(b"Subject: " + b"x" * 5000 + b"\r\n\r\n").envelope


def test_sender_and_reply_to_default_to_from() -> None:
    """RFC 3501 §7.4.2, also where the field is there but empty."""
    envelope = read(valid(FROM + b"Reply-To: \r\nSender: s@x\r\n\r\n").envelope)
    assert isinstance(envelope, list)
    assert envelope[2] == envelope[4] == [[None, None, b"a", b"example.com"]]
    assert envelope[3] == [[None, None, b"s", b"x"]]


def test_a_boundary_that_begins_an_inner_one() -> None:
    """RFC 2046 §5.1.1: C{--b1} is no delimiter of boundary C{b}."""
    inner = multipart(b"\r\none", b"\r\ntwo", boundary=b"b1", subtype=b"alternative")
    octets = multipart(inner, b"\r\nthree", boundary=b"b")
    assert kinds(octets) == (
        "multipart/mixed",
        [("multipart/alternative", ["text/plain", "text/plain"]), "text/plain"],
    )
    assert leaves(octets) == [b"one", b"two", b"three"]


def test_an_outer_boundary_that_begins_with_an_inner_one() -> None:
    """The same, the other way round."""
    inner = multipart(b"\r\none", b"\r\ntwo", boundary=b"b")
    assert leaves(multipart(inner, b"\r\nthree", boundary=b"b1")) == [b"one", b"two", b"three"]


def test_an_inner_multipart_with_the_outer_boundary_keeps_its_parts() -> None:
    """Seen from Outlook Express for Macintosh."""
    octets = multipart(multipart(b"\r\none", b"\r\ntwo"), b"\r\nthree")
    assert leaves(octets) == [b"one", b"two", b"three"]
    inner = ("multipart/mixed", ["text/plain", "text/plain"])
    assert kinds(octets) == ("multipart/mixed", [inner, "text/plain"])


def test_an_outer_delimiter_ends_inner_parts() -> None:
    """RFC 2046 §5.1.2: the inner closing delimiter is missing."""
    inner = multipart(b"\r\none", boundary=b"inner").removesuffix(b"--inner--")
    assert leaves(multipart(inner, b"\r\ntwo")) == [b"one\r\n", b"two"]


def test_a_truncated_multipart_keeps_its_last_part() -> None:
    """No closing delimiter: the last part goes to the end."""
    octets = multipart(b"\r\none", b"\r\ntwo").removesuffix(b"\r\n--b--")
    assert leaves(octets) == [b"one", b"two"]


def test_white_space_behind_a_delimiter_and_text_behind_the_last() -> None:
    """RFC 2046 §5.1.1 transport-padding, preamble and epilogue."""
    head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    octets = head + b"preamble\r\n--b \t\r\n\r\none\r\n--bb\r\n--b--  \r\nepilogue\r\n--b\r\n\r\nno"
    assert leaves(octets) == [b"one\r\n--bb"]


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Type: multipart/mixed",
        b"Content-Type: multipart/mixed; boundary=",
        b'Content-Type: multipart/mixed; boundary="absent"',
        b"Content-Type: multipart",
        b"Content-Type: ;;;",
        b"Content-Type: text/",
        b"Content-Type:",
        b"X: y",
    ],
)
def test_what_has_no_usable_type_is_text(header: bytes) -> None:
    """RFC 2045 §5.2; a multipart without parts would be no valid structure (RFC 3501 §9)."""
    octets = mail(header, body=b"--other\r\n\r\ntext")
    assert valid(octets).body == b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 15 2)'


def test_messages_inside_messages() -> None:
    """RFC 3501 §7.4.2: envelope, structure and lines of the encapsulated message."""
    inner = mail(b"Subject: in", b"From: i@n", body=b"hello\r\n")
    octets = multipart(b"Content-Type: message/rfc822\r\n\r\n" + inner)
    envelope = b'(NIL "in" ((NIL NIL "i" "n")) ((NIL NIL "i" "n")) ((NIL NIL "i" "n")) NIL NIL NIL NIL NIL)'
    assert valid(octets).body == (
        b'(("message" "rfc822" NIL NIL NIL "7bit" %d %b'
        b' ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 7 1) 4) "mixed")' % (len(inner), envelope)
    )


def test_parts_of_a_digest_are_messages() -> None:
    """RFC 2046 §5.1.5, unless they say otherwise."""
    octets = multipart(b"\r\nSubject: in\r\n\r\nhello", b"Content-Type: text/html\r\n\r\n", subtype=b"digest")
    assert kinds(octets) == ("multipart/digest", [("message/rfc822", ["text/plain"]), "text/html"])


def test_a_header_whose_empty_line_is_the_delimiter_s() -> None:
    """A part with a header and no body."""
    octets = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n--b--"
    assert kinds(octets) == ("multipart/mixed", ["text/html"])
    assert leaves(octets) == [b""]


def test_line_ends_make_no_difference() -> None:
    """LF, CR and CRLF give the same tree; sizes count the octets there are."""
    octets = multipart(b"\r\none\r\ntwo", multipart(b"\r\nthree", boundary=b"bb"))
    for line_end in (b"\n", b"\r"):
        other = octets.replace(b"\r\n", line_end)
        assert kinds(other) == kinds(octets)
        assert leaves(other) == [text.replace(b"\r\n", line_end) for text in leaves(octets)]


def test_messages_without_header_or_body() -> None:
    """Every message has a structure."""
    assert valid(b"").header_length == 0
    assert valid(b"\r\nbody").header_length == 2
    assert valid(b"Subject: x").header_length == 10
    assert valid(b"\r\n\r\n").header_length == 2
    assert kinds(b"\0\xff\x80") == "text/plain"


def test_continued_and_encoded_parameters() -> None:
    """RFC 2231 §3 and §4.1, its own example; a boundary and a charset may be written so, too."""
    octets = mail(
        b"Content-Type: application/x-stuff;",
        b" title*0*=us-ascii'en'This%20is%20even%20more%20;",
        b" title*1*=%2A%2A%2Afun%2A%2A%2A%20;",
        b' title*2="isn\'t it!"',
    )
    title = b"us-ascii'en'This%20is%20even%20more%20%2A%2A%2Afun%2A%2A%2A%20isn%27t%20it%21"
    assert b'("title*" "' + title + b'")' in valid(octets).body
    body = b"--b\r\n\r\none\r\n--b--"
    octets = mail(b'Content-Type: multipart/mixed; boundary*0*="us-ascii\'\'%6"; boundary*1*=2', body=body)
    assert leaves(octets) == [b"one"]
    part = unpack(valid(b'Content-Type: text/plain; charset*0="UTF"; charset*1="-8"\r\n\r\n').parts)
    assert part.charset == "utf-8"


@pytest.mark.parametrize(("levels", "expected"), [(99, 99), (150, MAX_DEPTH), (10_000, 17)])
def test_depth_is_bounded(levels: int, expected: int) -> None:
    """What is too deep, or would be searched too often, is one opaque part with all its octets."""
    line = b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n"
    octets = b"".join(line % (level, level) for level in range(levels)) + b"\r\ndeep"
    scanned = valid(octets)
    part, depth = unpack(scanned.parts), 0
    while part.children:
        part, depth = part.children[0], depth + 1
    assert depth == expected
    assert octets[part.body : part.end].endswith(b"deep")
    assert (b'"octet-stream"' in scanned.body) == (levels > expected)


def test_depth_of_messages_is_bounded() -> None:
    """Messages within messages count as multiparts do."""
    octets = b"Content-Type: message/rfc822\r\n\r\n" * 300 + b"\r\ndeep"
    assert valid(octets).body.count(b'"rfc822"') == MAX_DEPTH


def test_the_number_of_parts_is_bounded() -> None:
    """100,000 parts: those past the limit are one opaque part with all their octets."""
    octets = multipart(*[b"\r\nx"] * 100_000)
    root = unpack(valid(octets).parts)
    assert len(root.children) == MAX_PARTS
    last = root.children[-1]
    assert octets[last.body : last.end].count(b"\r\n--b\r\n") > 89_000


def test_a_million_fields_and_megabyte_lines() -> None:
    """Facts are read from a bounded part of a header; the header is all of it."""
    octets = FROM + b"X: y\r\n" * 1_000_000 + b"\r\nbody"
    assert octets[valid(octets).header_length :] == b"body"
    scanned = valid(b"Subject: " + b"x" * 3_000_000 + b"\r\n" + FROM + b"\r\nbody")
    assert len(scanned.envelope) < 100_000 and len(scanned.subject_key) <= 65_536


SLOW_IF_CARELESS = {
    "levels": b"".join(b"Content-Type: multipart/x; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(5000)),
    "messages": b"Content-Type: message/rfc822\n\n" * 5000,
    "delimiters": b"Content-Type: multipart/mixed; boundary=b\n\n" + b"\n--b x" * 100_000,
    "boundaries": b"Content-Type: multipart/mixed; boundary=b\n\n"
    + b"".join(b"\n--b\nContent-Type: multipart/mixed; boundary=c%d\n\n" % n for n in range(9000)),
    "headers": b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\nA: b\n" * 50_000,
    "comments": b"From: " + b"(" * 300_000,
    "routes": b"From: <@a" + b"," * 300_000,
    "colons": b"From: " + b"a " * 20_000 + b"@" + b":" * 100_000,
    "parameters": b"Content-Type: text/plain;" + b"a" * 300_000,
    "quotes": b"Content-Type: text/plain" + b';a="\\' * 100_000,
    "words": b"Subject: " + b"=?a?q?" * 100_000,
    "ids": b"References: " + b"<a" * 300_000,
    "recipients": b"To: a@b\n" * 100_000,
}


@pytest.mark.parametrize("name", SLOW_IF_CARELESS)
def test_time_is_linear(name: str) -> None:
    """Inputs that a careless scanner takes minutes for; the bound is fifty times what ours needs."""
    octets = SLOW_IF_CARELESS[name] + b"\n" + b"x\n" * 100_000
    begun = time.process_time()
    valid_scan = scan(octets)
    assert time.process_time() - begun < 10
    check_body(read(valid_scan.bodystructure), extended=True)


def test_delimiters_that_belong_to_many_levels_are_looked_at_a_bounded_number_of_times() -> None:
    """Each level of a multipart in a multipart of the same boundary sees the delimiters of all below it."""
    octets = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * 100_000
    begun = time.process_time()
    scanned = scan(octets)
    assert time.process_time() - begun < 5
    assert scanned.bodystructure.count(b'"mixed"') >= 1
