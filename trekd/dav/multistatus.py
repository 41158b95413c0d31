"""
C{DAV:multistatus} as octets (RFC 4918 §13), piece by piece.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from http import HTTPStatus

from trekd.dav.errors import ErrorAnswer
from trekd.dav.xml.names import dav
from trekd.dav.xml.writing import element, href, opening, tags

_OPEN_RESPONSE, _CLOSE_RESPONSE = tags(dav("response"))
_OPEN_PROPSTAT, _CLOSE_PROPSTAT = (
    tags(dav("propstat"))[0] + tags(dav("prop"))[0],
    tags(dav("prop"))[1],
)
START = opening(dav("multistatus"))
END = tags(dav("multistatus"))[1]


def status_element(status: int) -> bytes:
    """C{DAV:status}."""
    return element(dav("status"), f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode())


_AFTER_PROP = {
    status: _CLOSE_PROPSTAT + status_element(status) + tags(dav("propstat"))[1]
    for status in (200, 403, 404, 409, 424, 507)
}
FOUND_START, FOUND_END = _OPEN_PROPSTAT, _AFTER_PROP[200]
"""What stands around the properties that a resource has."""
MISSING_START, MISSING_END = _OPEN_PROPSTAT, _AFTER_PROP[404]
"""What stands around the names of those that it has not."""


def propstat(status: int, properties: bytes, error: ErrorAnswer | None = None) -> bytes:
    """Properties that share a status; one of those above."""
    if error is None:
        return _OPEN_PROPSTAT + properties + _AFTER_PROP[status]
    inside = element(dav("prop"), properties) + status_element(status) + error.error_element
    return element(dav("propstat"), inside)


def response(
    path: bytes, found: bytes, missing: bytes, is_minimal: bool = False, *, withheld: bytes = b""
) -> bytes:
    """
    What one resource has of what was asked for.

    @param missing: names of what it has not, left out where the client wants little (RFC 8144 §2.1).
    @param withheld: names of what it has, but not for who asks.
    """
    stats = b""
    if found or is_minimal or not (missing or withheld):
        stats = FOUND_START + found + FOUND_END
    if missing and not is_minimal:
        stats += MISSING_START + missing + MISSING_END
    if withheld:
        stats += propstat(403, withheld)
    return _OPEN_RESPONSE + href(path) + stats + _CLOSE_RESPONSE


def propstat_response(path: bytes, *propstats: bytes) -> bytes:
    """One resource and what became of its properties."""
    return _OPEN_RESPONSE + href(path) + b"".join(propstats) + _CLOSE_RESPONSE


def status_response(path: bytes, status: int, error: ErrorAnswer | None = None) -> bytes:
    """What became of one resource as a whole."""
    inside = status_element(status) + (b"" if error is None else error.error_element)
    return _OPEN_RESPONSE + href(path) + inside + _CLOSE_RESPONSE


def multistatus(responses: Iterable[bytes], more: bytes = b"") -> bytes:
    """
    A whole document.

    @param more: what follows the responses, such as a sync token.
    """
    return START + b"".join(responses) + more + END


async def streamed(pieces: AsyncIterator[bytes], more: bytes = b"") -> AsyncIterator[bytes]:
    """A document whose responses come in pieces."""
    yield START
    async for piece in pieces:
        yield piece
    yield more + END
