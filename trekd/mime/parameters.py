"""
Content-Type, Content-Disposition and their parameters (RFC 2045 §5.1, RFC 2183 §2, RFC 2231), read leniently.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

from trekd.mime.encoded import extended_value
from trekd.mime.wire import string

MAX_PARAMETERS = 100
"""Parameters of one field that are looked at; as many sections of one parameter (RFC 2231 §3)."""

MAX_BOUNDARY = 1000
"""Octets of a boundary; RFC 2046 §5.1.1 allows 70."""

_CACHED = 200
_TOKEN = rb"[!#-'*+.0-9A-Z^-~-]+"
_TYPE = re.compile(rb"\s*(" + _TOKEN + rb")\s*/\s*(" + _TOKEN + rb")")
_KIND = re.compile(rb"\s*(" + _TOKEN + rb")")
_PARAMETER = re.compile(
    rb'[\s;]*([^\s=;"]*)\s*(?:=\s*(?:"([^"\\]*(?:\\.[^"\\]*)*)"?|([^;]*)))?[^;]*', re.S
)
_COMMENT = re.compile(rb"\s\([^()]*\)\s*\Z")
_ESCAPED = re.compile(rb"\\(.)", re.S)
_SECTION = re.compile(rb"([^*]+)(?:\*(\d{1,4}))?(\*)?")

Parameters = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class ContentType:
    """
    A media type.

    @ivar type: as written, a token; likewise C{subtype}.
    @ivar media: C{type/subtype} in lower case.
    @ivar wire: the parameters as C{body-fld-param} (RFC 3501 §9), a text's implied charset included.
    @ivar charset: of a text, lower case, C{""} when not declared.
    @ivar boundary: of a multipart, empty when there is none.
    """

    type: bytes
    subtype: bytes
    media: bytes
    wire: bytes
    charset: str
    boundary: bytes


def content_type(value: bytes | None) -> ContentType:
    """
    Read a Content-Type value; one that is absent or broken means C{text/plain} (RFC 2045 §5.2).

    @param value: unfolded.
    """
    if value is None:
        return PLAIN
    return _cached_content_type(value) if len(value) <= _CACHED else _content_type(value)


def _content_type(value: bytes) -> ContentType:
    match = _TYPE.match(value)
    if match is None:
        return PLAIN
    media = b"%b/%b" % (match[1].lower(), match[2].lower())
    pairs = parameters(value, match.end())
    charset, boundary = "", b""
    if media.startswith(b"text/"):
        charset = _parameter(pairs, b"charset").decode("latin-1").lower()
        if not any(name.lower().rstrip(b"*") == b"charset" for name, _ in pairs):
            pairs = (*pairs, (b"charset", b"us-ascii"))
    elif media.startswith(b"multipart/"):
        boundary = _parameter(pairs, b"boundary").rstrip()
        boundary = boundary if len(boundary) <= MAX_BOUNDARY and b"\n" not in boundary else b""
    kind, subtype = (b"message", b"rfc822") if media == MESSAGE.media else match.groups()
    return ContentType(kind, subtype, media, wire_parameters(pairs), charset, boundary)


_cached_content_type = lru_cache(maxsize=512)(_content_type)


def _parameter(pairs: Parameters, wanted: bytes) -> bytes:
    """The first value of a parameter, decoded if it is an extended one (RFC 2231 §4); empty when absent."""
    for name, value in pairs:
        name = name.lower()
        if name == wanted:
            return value
        if name == wanted + b"*":
            return extended_value(value)[1]
    return b""


def parameters(value: bytes, offset: int) -> Parameters:
    """
    Read C{*(";" parameter)} in order.

    Continuations (RFC 2231 §3) are joined; a value with a charset or percent-encoding keeps it, under the
    parameter's name with a C{*} behind it.

    @param offset: where the parameters begin.
    """
    start = value.find(b";", offset)
    if start < 0:
        return ()
    found: list[tuple[bytes, bytes]] = []
    while start < len(value) and len(found) < MAX_PARAMETERS:
        match = _PARAMETER.match(value, start)
        assert match is not None  # every part of the expression is optional
        name, quoted, plain = match.groups()
        if quoted is not None:
            found.append((name, _ESCAPED.sub(rb"\1", quoted) if b"\\" in quoted else quoted))
        elif plain is not None:
            found.append((name, (_COMMENT.sub(b"", plain) if b"(" in plain else plain).rstrip()))
        start = match.end()
    pairs = [(name, text) for name, text in found if name]
    return _joined(pairs) if any(b"*" in name for name, _ in pairs) else tuple(pairs)


def _joined(pairs: list[tuple[bytes, bytes]]) -> Parameters:
    """Join the sections of each parameter in the place of its first one; those out of order are dropped."""
    sections: dict[bytes, dict[int, tuple[bool, bytes]]] = {}
    order: list[tuple[bytes, bytes] | bytes] = []
    for name, value in pairs:
        match = _SECTION.fullmatch(name)
        if match is None or match[2] is None:
            order.append((name, value))
            continue
        key = match[1].lower()
        if key not in sections:
            order.append(match[1])
        sections.setdefault(key, {}).setdefault(int(match[2]), (match[3] is not None, value))
    return tuple([pair if isinstance(pair, tuple) else _join(pair, sections[pair.lower()]) for pair in order])


def _join(name: bytes, sections: dict[int, tuple[bool, bytes]]) -> tuple[bytes, bytes]:
    run: list[tuple[bool, bytes]] = []
    while len(run) in sections:
        run.append(sections[len(run)])
    if not any(extended for extended, _ in run):
        return name, b"".join(value for _, value in run)
    prefix = b"" if run[0][0] else b"''"
    return name + b"*", prefix + b"".join(
        value if extended else _percent_encoded(value) for extended, value in run
    )


def _percent_encoded(value: bytes) -> bytes:
    return quote(value, safe="").encode("ascii")


def wire_parameters(pairs: Parameters) -> bytes:
    """C{body-fld-param} (RFC 3501 §9)."""
    if not pairs:
        return b"NIL"
    return b"(" + b" ".join([b"%b %b" % (string(name), string(value)) for name, value in pairs]) + b")"


def transfer_encoding(value: bytes | None) -> bytes:
    """The token of an unfolded Content-Transfer-Encoding as written, C{7bit} without one (RFC 2045 §6.1)."""
    match = _KIND.match(value) if value else None
    return match[1] if match else b"7bit"


def disposition(value: bytes | None) -> bytes:
    """C{body-fld-dsp} (RFC 3501 §9) of an unfolded Content-Disposition value."""
    match = _KIND.match(value) if value is not None else None
    if match is None or value is None:
        return b"NIL"
    return b"(%b %b)" % (string(match[1]), wire_parameters(parameters(value, match.end())))


PLAIN = ContentType(b"text", b"plain", b"text/plain", b'("charset" "us-ascii")', "", b"")
"""What a part without a usable Content-Type is (RFC 2045 §5.2)."""

MESSAGE = ContentType(b"message", b"rfc822", b"message/rfc822", b"NIL", "", b"")
"""What a part of a multipart/digest without a Content-Type is (RFC 2046 §5.1.5)."""

OPAQUE = ContentType(b"application", b"octet-stream", b"application/octet-stream", b"NIL", "", b"")
"""What a part behind a limit is shown as."""
