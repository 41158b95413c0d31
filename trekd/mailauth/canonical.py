"""
Canonicalisation: what of a header and a body DKIM signs (RFC 6376 §3.4).

Bodies come in pieces, cut anywhere; nothing but the count of empty lines and two octets is kept between them, and
every step is linear in the octets fed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

PIECE = 32768
"""Line ends that are given at once, at most."""

_RUN = re.compile(rb"[ \t]{2,}|\t")
_LINE_ENDS = re.compile(rb"(?:\n\r)*")


class Canonical(Protocol):
    """The canonical form of a body."""

    def feed(self, octets: bytes) -> Iterator[bytes]:
        """Take the next octets, any number."""

    def finish(self) -> Iterator[bytes]:
        """There are no more."""


class _Lines:
    """What both forms have in common: empty lines at the end count for nothing."""

    _empty = b""
    """What becomes of a body without any content."""

    def __init__(self) -> None:
        self._held = b""
        self._line_ends = 0
        self._any = False

    def finish(self) -> Iterator[bytes]:
        """See L{Canonical.finish}."""
        yield from self._given(self._last(self._held))
        yield b"\r\n" if self._any else self._empty

    def _last(self, held: bytes) -> bytes:
        return held

    def _given(self, text: bytes) -> Iterator[bytes]:
        """Text that ends in no half line end; its line ends wait until something follows them."""
        content = text.rstrip(b"\r\n")
        tail = _LINE_ENDS.match(text[len(content) :][::-1])
        waiting = tail.end() if tail is not None else 0
        if waiting < len(text):
            self._any = True
            while self._line_ends:
                given = min(self._line_ends, PIECE)
                self._line_ends -= given
                yield b"\r\n" * given
            yield text[: len(text) - waiting]
        self._line_ends += waiting // 2


class SimpleBody(_Lines):
    """The C{simple} form (RFC 6376 §3.4.3)."""

    _empty = b"\r\n"

    def feed(self, octets: bytes) -> Iterator[bytes]:
        """See L{Canonical.feed}."""
        text = self._held + octets
        cut = len(text) - text.endswith(b"\r")
        self._held = text[cut:]
        yield from self._given(text[:cut])


class RelaxedBody(_Lines):
    """The C{relaxed} form (RFC 6376 §3.4.4, erratum 1377: an empty body stays empty)."""

    def feed(self, octets: bytes) -> Iterator[bytes]:
        """See L{Canonical.feed}."""
        text = _spaced(self._held + octets).replace(b" \r\n", b"\r\n")
        cut = len(text) - text.endswith(b"\r")
        cut -= text.endswith(b" ", 0, cut)
        self._held = text[cut:]
        yield from self._given(text[:cut])

    def _last(self, held: bytes) -> bytes:
        return b"" if held == b" " else held


def _spaced(text: bytes) -> bytes:
    """Each run of white space as one space; most texts have no run, which is found out much faster."""
    return _RUN.sub(b" ", text) if b"\t" in text or b"  " in text else text


def simple_field(raw: bytes) -> bytes:
    """A field as it is (RFC 6376 §3.4.1)."""
    return raw


def relaxed_field(raw: bytes) -> bytes:
    """
    A field without the differences that relays make (RFC 6376 §3.4.2).

    @param raw: the field with its line ends.
    """
    name, _, value = raw.partition(b":")
    unfolded = value.replace(b"\r\n", b"")
    return name.rstrip(b" \t").lower() + b":" + _spaced(unfolded).strip(b" \t") + b"\r\n"
