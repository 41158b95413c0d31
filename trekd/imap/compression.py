"""
COMPRESS=DEFLATE (RFC 4978): both directions of a connection, below the commands and above TLS.

What a client sends is inflated only as fast as its commands are read, so that a small input which stands for a large
one costs no more memory than any other.
"""

from __future__ import annotations

import zlib

_LEVEL = 3
_WINDOW = 13
_MEMORY = 6
"""With these, both directions of a connection take some 105 KiB of memory; with zlib's own, 300."""
_PIECE = 65_536
"""Octets inflated at once."""


class Deflation:
    """What leaves: raw deflate blocks, complete after each call."""

    __slots__ = ("_compressor",)

    def __init__(self) -> None:
        self._compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -_WINDOW, _MEMORY)

    def deflated(self, octets: bytes) -> bytes:
        """C{octets}, compressed, with a sync flush: a client can read all of them at once."""
        return self._compressor.compress(octets) + self._compressor.flush(zlib.Z_SYNC_FLUSH)


class Inflation:
    """What comes: compressed octets that wait to be asked for."""

    __slots__ = ("_decompressor", "_waiting")

    def __init__(self) -> None:
        self._decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
        self._waiting = b""

    @property
    def is_full(self) -> bool:
        """Whether enough waits; the client must wait too."""
        return len(self._waiting) >= _PIECE

    def feed(self, octets: bytes) -> None:
        """Compressed octets came."""
        self._waiting += octets

    def take(self) -> bytes:
        """
        Inflate some of what waits.

        @return: L{_PIECE} octets at most; nothing when more has to come first.
        @raise zlib.error: this is no deflate stream, or its end.
        """
        if not self._waiting:
            return b""
        octets = self._decompressor.decompress(self._waiting, _PIECE)
        self._waiting = self._decompressor.unconsumed_tail
        if self._decompressor.eof:
            raise zlib.error("the stream has ended")
        return octets
