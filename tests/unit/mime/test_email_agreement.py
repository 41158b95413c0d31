"""
The scanner agrees with Python's C{email} (compat32) about trees, offsets and contents of messages.

CPython's own test messages are compared where the interpreter has them; generated messages always.
"""

from __future__ import annotations

import email.encoders
import email.message
import email.mime.application
import email.mime.message
import email.mime.multipart
import email.mime.text
import email.parser
import email.policy
import importlib.util
import random
from pathlib import Path

import pytest

from tests.unit.mime.wire_grammar import check_body, check_envelope, outline, read
from trekd.mime.parts import Part, unpack
from trekd.mime.scanner import scan
from trekd.mime.sections import decoded

_NO_COLON = "a line without colon ends email's header; to us the first empty line does"
OTHERWISE = {
    "msg_14.txt": "email takes the charset of a Content-Type that is broken",
    "msg_15.txt": "the inner multipart has the outer boundary; email gives up, we show its parts",
    "msg_19.txt": _NO_COLON,
    "msg_35.txt": _NO_COLON,
    "msg_37.txt": "email passes over parts without any octet; to us they count, as they do to Dovecot",
    "msg_38.txt": _NO_COLON,
    "msg_39.txt": "as msg_15.txt",
    "msg_42.txt": "a multipart without parts is a text with all its octets, email drops its closing line",
    "msg_47.txt": _NO_COLON,
}
"""Files about whose structure we disagree on purpose."""


def _data_files() -> list[Path]:
    try:
        found = importlib.util.find_spec("test.test_email")
    except ImportError:
        found = None
    places = found.submodule_search_locations if found and found.submodule_search_locations else []
    return sorted(path for place in places for path in Path(place, "data").glob("msg_*.txt"))


def parse(octets: bytes) -> email.message.Message:
    """What email makes of a message."""
    return email.parser.BytesParser(policy=email.policy.compat32).parsebytes(octets)


def tree(message: object) -> object:
    """Email's tree as L{outline} gives ours; a multipart without parts is text/plain to us."""
    assert isinstance(message, email.message.Message)
    kind = message.get_content_type()
    payload = message.get_payload()
    if kind.startswith("multipart/"):
        if not message.is_multipart():
            return "text/plain"
        assert isinstance(payload, list)
        return kind, [tree(part) for part in payload]
    if kind == "message/rfc822":
        assert isinstance(payload, list)
        return kind, [tree(payload[0])]
    return kind


def compare_leaves(octets: bytes, parts: bytes, message: email.message.Message, part: Part) -> int:
    """Compare the octets of every leaf, raw; return how many there were."""
    payload = message.get_payload()
    if part.children:
        assert isinstance(payload, list)
        return sum(
            compare_leaves(octets, parts, inner, child)
            for inner, child in zip(payload, part.children, strict=True)
        )
    if isinstance(payload, str):
        assert octets[part.body : part.end] == payload.encode("ascii", "surrogateescape")
        assert message.get_content_charset("") in (part.charset, ""), part
    return 1


def compare_contents(
    octets: bytes, parts: bytes, message: email.message.Message, path: tuple[int, ...]
) -> None:
    """Compare decoded contents by part number."""
    payload = message.get_payload()
    if message.get_content_maintype() == "multipart" and isinstance(payload, list):
        for number, inner in enumerate(payload, 1):
            assert isinstance(inner, email.message.Message)
            compare_contents(octets, parts, inner, (*path, number))
    elif message.get_content_type() == "message/rfc822" and isinstance(payload, list):
        inner = payload[0]
        assert isinstance(inner, email.message.Message)
        nested = inner.get_content_maintype() == "multipart"
        compare_contents(octets, parts, inner, path if nested else (*path, 1))
    elif isinstance(payload, str):
        assert decoded(octets, parts, path) == message.get_payload(decode=True)


def agree(octets: bytes, with_contents: bool) -> None:
    """Everything that is compared about one message."""
    scanned = scan(octets)
    check_envelope(read(scanned.envelope))
    check_body(read(scanned.body), extended=False)
    structure = read(scanned.bodystructure)
    check_body(structure, extended=True)
    message = parse(octets)
    assert outline(structure) == tree(message)
    assert compare_leaves(octets, scanned.parts, message, unpack(scanned.parts))
    if with_contents:
        whole = message.get_content_maintype() == "multipart"
        compare_contents(octets, scanned.parts, message, () if whole else (1,))


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("path", _data_files(), ids=lambda path: path.name)
def test_cpython_messages(path: Path, line_end: bytes) -> None:
    """RFC 2046 §5.1: the same tree, the same octets in every leaf."""
    octets = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", line_end)
    if path.name in OTHERWISE:
        check_body(read(scan(octets).bodystructure), extended=True)
        with pytest.raises(AssertionError):
            agree(octets, with_contents=False)
        return
    agree(octets, with_contents=not parse(octets).defects)


def generated(chance: random.Random, depth: int = 0) -> email.message.Message:
    """A well-formed message tree."""
    kind = chance.choice(["text", "text", "binary"] + ["mixed", "digest", "message"] * (depth < 4))
    message: email.message.Message
    if kind == "text":
        text = "".join(chance.choice("abc é€\n-=.\t") for _ in range(chance.randrange(200)))
        message = email.mime.text.MIMEText(text, chance.choice(["plain", "html"]), "utf-8")
        if chance.random() < 0.5:
            del message["Content-Transfer-Encoding"]
            message.set_payload(text.encode())
            email.encoders.encode_quopri(message)
    elif kind == "binary":
        message = email.mime.application.MIMEApplication(chance.randbytes(chance.randrange(300)))
        message.add_header("Content-Disposition", "attachment", filename=("utf-8", "", "é.pdf"))
    elif kind == "message":
        message = email.mime.message.MIMEMessage(generated(chance, depth + 1))
    else:
        parts = [generated(chance, depth + 1) for _ in range(chance.randrange(1, 4))]
        if kind == "digest":
            parts = [email.mime.message.MIMEMessage(part) for part in parts]
        # Boundaries that begin with one another are what a careless scanner confuses.
        boundary = "b" * (5 - depth) + chance.choice(["", "x", "y"])
        message = email.mime.multipart.MIMEMultipart(kind, boundary, parts)
        message.preamble = chance.choice([None, "preamble"])
        message.epilogue = chance.choice([None, "epilogue\n"])
    message["Subject"] = f"message {chance.random()}"
    message["From"] = "a@example.com"
    return message


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_generated_messages(line_end: bytes) -> None:
    """RFC 2045, 2046: the same tree, offsets and decoded contents."""
    chance = random.Random(5322)
    for _ in range(150):
        octets = generated(chance).as_bytes().replace(b"\n", line_end)
        agree(octets, with_contents=True)
