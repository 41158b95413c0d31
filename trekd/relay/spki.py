"""
The public key of a certificate with the octets that stand there (RFC 5280 §4.1, SubjectPublicKeyInfo): what a
library writes anew may differ from them.
"""

from __future__ import annotations

_SEQUENCE = 0x30
_VERSION = 0xA0
_BEFORE_KEY = 5
"""Fields from serialNumber to subject."""


def public_key(certificate: bytes) -> bytes:
    """
    The SubjectPublicKeyInfo of a certificate in DER.

    @raise ValueError: it is none.
    """
    start, end = _content(certificate, 0, len(certificate))
    start, end = _content(certificate, start, end)
    if start < end and certificate[start] == _VERSION:
        start = _element(certificate, start, end)[1]
    for _ in range(_BEFORE_KEY):
        start = _element(certificate, start, end)[1]
    if start >= end or certificate[start] != _SEQUENCE:
        raise ValueError("no key")
    return certificate[start : _element(certificate, start, end)[1]]


def _content(octets: bytes, start: int, end: int) -> tuple[int, int]:
    """Where the content of a SEQUENCE begins and ends."""
    if start >= end or octets[start] != _SEQUENCE:
        raise ValueError("no sequence")
    return _element(octets, start, end)


def _element(octets: bytes, start: int, end: int) -> tuple[int, int]:
    """Where the content of the element at C{start} begins and ends; one octet of tag, as all of these have."""
    if start + 2 > end:
        raise ValueError("cut")
    size, begin = octets[start + 1], start + 2
    if size >= 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4 or begin + count > end:
            raise ValueError("length")
        size = int.from_bytes(octets[begin : begin + count], "big")
        begin += count
    if begin + size > end:
        raise ValueError("cut")
    return begin, begin + size
