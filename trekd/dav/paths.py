"""
URL paths and what they name: decoded segments below where DAV is mounted.

Clients write C{@} and C{%40} alike; both are read, the first is written, because that is what people type and some
programs compare what they asked for with what they get.  Empty segments are left out; C{.} and C{..}, encoded or not,
are refused and never resolved.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes, urlsplit

from trekd.errors import SyntaxFault

MOUNT = "dav"
"""First segment of everything that is served here."""
MAX_SEGMENT = 255
"""Octets of one segment, decoded."""
MAX_PATH = 4096
"""Octets of a path as it was sent."""

# Quirk raw-at
_SAFE = re.compile(r"[A-Za-z0-9._~@-]+").fullmatch
_PLAIN = re.compile(rb"[A-Za-z0-9._~@-]{1,255}").fullmatch
"""A segment that stands for itself; nearly all do."""
_OWN = re.compile(r"/[A-Za-z0-9._~@%-][A-Za-z0-9._~@%/-]*").fullmatch
"""A reference that is nothing but a path."""
_CONTROL = re.compile("[\x00-\x1f\x7f\ufffe\uffff]").search


@dataclass(frozen=True, slots=True)
class Location:
    """
    Where something is.

    @ivar segments: below the mount, decoded, none empty; none for the root itself.
    """

    segments: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The last segment, '' for the root."""
        return self.segments[-1] if self.segments else ""

    @property
    def parent(self) -> Location:
        """The location above; the root is its own."""
        return Location(self.segments[:-1])

    def child(self, name: str) -> Location:
        """The location of a member."""
        return Location((*self.segments, name))

    def is_within(self, other: Location) -> bool:
        """Whether this is C{other} or below it."""
        return self.segments[: len(other.segments)] == other.segments

    def path(self, is_folder: bool) -> bytes:
        """
        The one form in which we write it.

        @param is_folder: with a slash at its end (RFC 4918 §5.2).
        """
        path = "/".join(("", MOUNT, *map(quoted, self.segments)))
        return (path + "/" if is_folder else path).encode("ascii")


def quoted(segment: str) -> str:
    """A segment percent-encoded."""
    return segment if _SAFE(segment) else quote(segment, safe="@")


def read_path(path: bytes) -> Location | None:
    """
    Read the path of a request; an account's address in it has the letter case of principals.

    @return: C{None} for one that is not below the mount.
    @raise SyntaxFault: it is too long, no UTF-8, or tries to climb.
    """
    if len(path) > MAX_PATH:
        raise SyntaxFault("shorter path", MAX_PATH)
    segments = [_segment(raw) for raw in path.split(b"/") if raw]
    if len(segments) > 2 and "@" in segments[2]:
        segments[2] = unicodedata.normalize("NFC", segments[2]).lower()
    return Location(tuple(segments[1:])) if segments[:1] == [MOUNT] else None


def read_reference(reference: str, host: str) -> Location | None:
    """
    Read an absolute path or an URI of ours, as C{Destination} (RFC 4918 §10.3), C{If} and C{DAV:href} have them.

    @param host: the request's Host field, what an URI's authority must be.
    @return: C{None} for one that leads elsewhere.
    @raise SyntaxFault: it is no reference, or has such a path.
    """
    if _OWN(reference):
        return read_path(reference.encode("ascii"))
    try:
        parts = urlsplit(reference.strip())
        octets = parts.path.encode("utf-8")
    except ValueError:
        raise SyntaxFault("Simple-ref") from None
    if not parts.path.startswith("/") or parts.fragment:
        raise SyntaxFault("Simple-ref")
    if parts.scheme or parts.netloc:
        own = host.lower().removesuffix(":443")
        if parts.scheme.lower() not in ("http", "https") or parts.netloc.lower().removesuffix(":443") != own:
            return None
    return read_path(octets)


def _segment(raw: bytes) -> str:
    """
    @raise SyntaxFault: it is no UTF-8, too long, has control characters, or would climb where slashes count.
    """
    if _PLAIN(raw) and raw not in (b".", b".."):
        return raw.decode("ascii")
    octets = unquote_to_bytes(raw)
    try:
        segment = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise SyntaxFault("path in UTF-8") from None
    if len(octets) > MAX_SEGMENT or _CONTROL(segment):
        raise SyntaxFault("path segment")
    if any(piece in (".", "..") for piece in re.split(r"[/\\]", segment)):
        raise SyntaxFault("path segment that does not climb")
    return segment
