"""What a message begins with (RFC 8970 §3.3)."""

from __future__ import annotations

import base64
import quopri
import re
import time

import pytest

from trekd.mime.preview import without_tags
from trekd.mime.scanner import scan


def text_of(octets: bytes) -> str:
    """A message's preview, read back from the IMAP string."""
    wire = scan(octets).preview
    if wire.startswith(b"{"):
        length, _, text = wire[1:].partition(b"}\r\n")
        assert int(length) == len(text)
        return text.decode("utf-8")
    assert wire.startswith(b'"') and wire.endswith(b'"') and wire.isascii()
    return re.sub(rb"\\(.)", rb"\1", wire[1:-1]).decode()


def part(kind: bytes, body: bytes, *fields: bytes) -> bytes:
    """A part of a message, or a message."""
    return b"\r\n".join((b"Content-Type: " + kind, *fields, b"", body))


def mixed(*parts: bytes, kind: bytes = b"mixed") -> bytes:
    """A multipart."""
    content = b"".join(b"--x\r\n" + each + b"\r\n" for each in parts)
    return part(b"multipart/" + kind + b"; boundary=x", content + b"--x--\r\n")


PLAIN = part(b"text/plain", b"Hello\r\n  Joe,\tdo you\r\n\r\nthink so?\r\n")
HTML = part(
    b"text/html; charset=utf-8",
    "<html><head><title>T</title><style>p { x }</style></head><p>Gr&uuml;&szlig;e <b>an</b>"
    "<!-- <p>no --><br>alle\u200b\u034f".encode(),
)
ATTACHED = part(b"text/plain", b"a file", b"Content-Disposition: ATTACHMENT; filename=x")
BASE64 = b"Content-Transfer-Encoding: base64"


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"Subject: x\r\n\r\nHello \"you\" \\ there\r\n", 'Hello "you" \\ there'),
        (PLAIN, "Hello Joe, do you think so?"),
        (HTML, "Grüße an alle"),
        (mixed(HTML, PLAIN, kind=b"alternative"), "Hello Joe, do you think so?"),
        (mixed(part(b"image/png", b"abc"), HTML), "Grüße an alle"),
        (mixed(ATTACHED, PLAIN), "Hello Joe, do you think so?"),
        (mixed(part(b"message/rfc822", PLAIN)), ""),
        (part(b"application/pkcs7-mime", b"secret"), ""),
        (part(b"text/calendar", b"BEGIN:VCALENDAR"), ""),
        (b"", ""),
        (b"Subject: x\r\n\r\n", ""),
        (part(b"text/plain; charset=utf-8", base64.encodebytes("日本語".encode()), BASE64), "日本語"),
        (part(b"text/plain; charset=iso-8859-1", b"k=F6n", b"Content-Transfer-Encoding: quoted-printable"), "kön"),
        (part(b"text/plain", b"> you said\r\nI say\r\n-- \r\nJoe"), "I say"),
        (part(b"text/plain", b"> you said"), "> you said"),
        (part(b"text/plain", b"a\x00\x07b \x7f c"), "ab c"),
        (part(b"text/html", b"<style>never closed " * 10), ""),
    ],
)
def test_preview(octets: bytes, expected: str) -> None:
    assert text_of(octets) == expected


def test_it_is_short_and_cut_between_characters() -> None:
    """RFC 8970 §3.3: 200 characters, whatever octets they take, also where a part goes on behind what is read."""
    for content in ("ä" * 100_000, "日本 " * 50_000, "x" * 100_000):
        octets = quopri.encodestring(content.encode())
        for message in (
            part(b"text/plain; charset=utf-8", content.encode()),
            part(b"text/plain; charset=utf-8", octets, b"Content-Transfer-Encoding: quoted-printable"),
            part(b"text/html", b"<p>" + content.encode()),
        ):
            found = text_of(message)
            assert 190 <= len(found) <= 200
            assert set(found) <= set(content)


def test_tags() -> None:
    assert without_tags("a<b>c</b>d<") == "a c d "
    assert without_tags("a<!-- x > y -->b<script>if (a > b)</script>c") == "a b c"
    assert without_tags("<header>x</header>") == " x "


def test_hostile_html_takes_linear_time() -> None:
    start = time.process_time()
    for octets in (b"<style" * 200_000, b"<!--" * 200_000, b"<" * 1_000_000, b"</style" * 200_000, b"&" * 1_000_000):
        scan(part(b"text/html", octets))
    scan(mixed(*[part(b"text/html", b"<script>" * 2000)] * 1000))
    assert time.process_time() - start < 5
