"""
A message's octets, in memory or in a file: what reading a message needs of them.
"""

from __future__ import annotations

import os
from typing import Protocol

WINDOW = 256 * 1024
"""Octets of a file in memory at a time; more only while a longer piece is asked for."""


class Octets(Protocol):
    """The part of C{bytes} that finds things; every method means what it means there."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: slice, /) -> bytes: ...

    def find(self, sub: bytes, start: int, end: int, /) -> int: ...

    def count(self, sub: bytes, start: int, end: int, /) -> int: ...

    def startswith(self, prefix: bytes, start: int, end: int, /) -> bool: ...


class FileOctets:
    """
    An open file as L{Octets}; it must not change meanwhile.

    Pieces that are looked for are much shorter than L{WINDOW}.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        """@param size: octets of the file."""
        self._descriptor = descriptor
        self._size = size
        self._start = 0
        self._window = b""

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, place: slice, /) -> bytes:
        start, stop, _ = place.indices(self._size)
        return self._piece(start, stop)

    def find(self, sub: bytes, start: int, end: int, /) -> int:
        """The first place of C{sub} that lies whole between C{start} and C{end}, -1 without one."""
        end = min(end, self._size)
        while start + len(sub) <= end:
            stop = min(self._reach(start, len(sub)), end)
            found = self._window.find(sub, start - self._start, stop - self._start)
            if found >= 0:
                return found + self._start
            start = stop - len(sub) + 1
        return -1

    def count(self, sub: bytes, start: int, end: int, /) -> int:
        """
        How often one octet occurs.

        @param sub: a single octet.
        """
        end = min(end, self._size)
        found = 0
        while start < end:
            stop = min(self._reach(start, 1), end)
            found += self._window.count(sub, start - self._start, stop - self._start)
            start = stop
        return found

    def startswith(self, prefix: bytes, start: int, end: int, /) -> bool:
        """Whether C{prefix} lies between C{start} and C{end}, at C{start}."""
        return end - start >= len(prefix) and self[start : start + len(prefix)] == prefix

    def _piece(self, start: int, stop: int) -> bytes:
        if stop - start > WINDOW:
            return _read(self._descriptor, start, stop - start)
        self._reach(start, stop - start)
        return self._window[start - self._start : max(start, stop) - self._start]

    def _reach(self, start: int, length: int) -> int:
        """Have so many octets from C{start} on in the window; where it ends."""
        if not self._start <= start <= start + length <= self._start + len(self._window):
            self._window = _read(self._descriptor, start, min(WINDOW, self._size - start))
            self._start = start
        return self._start + len(self._window)


def _read(descriptor: int, start: int, length: int) -> bytes:
    """
    A piece of a file.

    @raise OSError: it cannot be read, or the file is shorter than was said.
    """
    pieces = []
    while length > 0:
        piece = os.pread(descriptor, length, start)
        if not piece:
            raise OSError("the file is shorter than it was")
        pieces.append(piece)
        start += len(piece)
        length -= len(piece)
    return b"".join(pieces)
