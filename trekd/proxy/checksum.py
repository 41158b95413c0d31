"""
CRC32c, Castagnoli's, which version 2 of the PROXY protocol may carry (HAProxy's proxy-protocol.txt §2.2.3).
"""

from __future__ import annotations

_POLYNOMIAL = 0x82F63B78
"""Its bits reversed."""


def _entry(octet: int) -> int:
    for _ in range(8):
        octet = octet >> 1 ^ (_POLYNOMIAL if octet & 1 else 0)
    return octet


_TABLE = tuple(map(_entry, range(256)))


def crc32c(octets: bytes) -> int:
    """The checksum of some octets; meant for a few hundred of them."""
    rest = 0xFFFFFFFF
    for octet in octets:
        rest = rest >> 8 ^ _TABLE[(rest ^ octet) & 0xFF]
    return rest ^ 0xFFFFFFFF
