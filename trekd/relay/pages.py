"""
One page of one HTTPS server, as octets (RFC 9112): a request, and the whole response to it.
"""

from __future__ import annotations

import re

from trekd.errors import SyntaxFault

MAX_HEAD = 16384
"""Octets of a status line and header fields."""

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: |$)")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")


def request(host: str, path: str) -> bytes:
    """A request after whose answer the connection is closed."""
    fields = (f"Host: {host}", "User-Agent: TrekMail", "Accept: text/plain", "Connection: close")
    return "\r\n".join((f"GET {path} HTTP/1.1", *fields, "", "")).encode("ascii")


def body(octets: bytes) -> bytes:
    """
    The body of a response that came whole.

    @param octets: all that came until the connection was closed.
    @raise SyntaxFault: it is none, is cut, or is not a page of plain text with status 200.
    """
    head, end, rest = octets.partition(b"\r\n\r\n")
    if not end or len(head) > MAX_HEAD:
        raise SyntaxFault("HTTP head")
    status, *lines = head.split(b"\r\n")
    match = _STATUS.match(status)
    if match is None or match[1] != b"200":
        raise SyntaxFault("HTTP status 200")
    fields: dict[bytes, bytes] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        fields.setdefault(name.lower(), value.strip())
    if fields.get(b"content-type", b"").partition(b";")[0].strip().lower() != b"text/plain":
        raise SyntaxFault("text/plain")
    if b"transfer-encoding" in fields:
        if fields[b"transfer-encoding"].lower() != b"chunked":
            raise SyntaxFault("chunked")
        return _unchunked(rest)
    if b"content-length" in fields:
        size = fields[b"content-length"]
        if not size.isdigit() or len(size) > 10 or len(rest) < int(size):
            raise SyntaxFault("Content-Length octets")
        return rest[: int(size)]
    return rest


def _unchunked(octets: bytes) -> bytes:
    """RFC 9112 §7.1."""
    pieces: list[bytes] = []
    place = 0
    while True:
        match = _CHUNK.match(octets, place)
        if match is None:
            raise SyntaxFault("chunk-size", place)
        size, place = int(match[1], 16), match.end()
        if size == 0:
            return b"".join(pieces)
        if octets[place + size : place + size + 2] != b"\r\n":
            raise SyntaxFault("chunk-data", place)
        pieces.append(octets[place : place + size])
        place += size + 2
