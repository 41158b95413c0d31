"""
The header of the PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt of 2020/03/05, §2).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from trekd.errors import SyntaxFault
from trekd.proxy.checksum import crc32c

MAX_LINE = 107
"""Octets of the longest header of version 1, with its line end (§2.1)."""
MAX_BLOCK = 2048
"""Octets after the fixed part of version 2: addresses and what balancers like to add (§2.2)."""

_LINE_START = b"PROXY "
_BLOCK_START = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED = 16

# §2.1: protocol, source address, destination address, source port, destination port.
_LINE = re.compile(rb"PROXY (?:UNKNOWN(?: [ -~]*)?|(TCP[46]) (\S+) (\S+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4}))\r\n")

_LOCAL, _PROXIED = 0x20, 0x21
_ADDRESSES = {0x00: 0, 0x11: 12, 0x21: 36, 0x31: 216}
"""Octets of addresses and ports (§2.2): unspecified, TCP over IPv4, TCP over IPv6, a stream between local sockets."""
_TCP4, _TCP6 = 0x11, 0x21

_CRC32C = 0x03
_CRC_SIZE = 4


@dataclass(frozen=True, slots=True)
class Header:
    """
    A header read to its end.

    @ivar source: the client's IP address and port; C{None} when the connection is the balancer's own (a health
        check), or comes from where there are no such addresses: then the connection's own address stands.
    @ivar rest: octets of what follows.
    """

    source: tuple[str, int] | None
    rest: bytes


class HeaderReader:
    """Reads a header, in pieces as they come."""

    def __init__(self) -> None:
        self._octets = b""

    def feed(self, octets: bytes) -> Header | None:
        """
        Take octets.

        @return: C{None} while more are needed.
        @raise SyntaxFault: this is no header; the receiver must not guess (§2), so the connection is of no use.
        """
        self._octets += octets
        start = self._octets[: len(_BLOCK_START)]
        if _BLOCK_START.startswith(start):
            return self._block() if len(self._octets) >= _FIXED else None
        if _LINE_START.startswith(start[: len(_LINE_START)]):
            return self._line()
        raise SyntaxFault("PROXY header", 0)

    def _line(self) -> Header | None:
        """Version 1."""
        end = self._octets.find(b"\r\n", 0, MAX_LINE) + 2
        if end < 2:
            if len(self._octets) >= MAX_LINE:
                raise SyntaxFault("PROXY line", MAX_LINE)
            return None
        match = _LINE.fullmatch(self._octets[:end])
        if match is None:
            raise SyntaxFault("PROXY line", 0)
        rest = self._octets[end:]
        if match[1] is None:
            return Header(None, rest)
        family = IPv4Address if match[1] == b"TCP4" else IPv6Address
        try:
            source, _ = (str(family(match[place].decode())) for place in (2, 3))
        except ValueError:
            raise SyntaxFault("IP addresses", len(_LINE_START) + 5) from None
        ports = [int(match[place]) for place in (4, 5)]
        if max(ports) > 65535 or "%" in source:
            raise SyntaxFault("addresses and ports", len(_LINE_START) + 5)
        return Header((source, ports[0]), rest)

    def _block(self) -> Header | None:
        """Version 2."""
        command, family = self._octets[12], self._octets[13]
        size = int.from_bytes(self._octets[14:_FIXED])
        if command not in (_LOCAL, _PROXIED):
            raise SyntaxFault("version 2 and a command", 12)
        if size > MAX_BLOCK:
            raise SyntaxFault(f"at most {MAX_BLOCK} octets", 14)
        if len(self._octets) < _FIXED + size:
            return None
        whole, rest = self._octets[: _FIXED + size], self._octets[_FIXED + size :]
        # The balancer's own connection: the block is discarded, whatever is in it (§2.2).
        return Header(None if command == _LOCAL else _block_source(whole, family), rest)


def _block_source(whole: bytes, family: int) -> tuple[str, int] | None:
    """
    The source in a proxied header of version 2 (§2.2): source address, destination address, source port,
    destination port, then more that is marked with its type.

    @raise SyntaxFault: it is not for us, too short, or damaged.
    """
    size = _ADDRESSES.get(family)
    if size is None:
        raise SyntaxFault("a stream over IPv4, IPv6 or local sockets", 13)
    if len(whole) < _FIXED + size:
        raise SyntaxFault("both addresses and ports", len(whole))
    _check_vectors(whole, _FIXED + size)
    if family not in (_TCP4, _TCP6):
        return None
    addresses = whole[_FIXED : _FIXED + size]
    source = IPv4Address(addresses[:4]) if family == _TCP4 else IPv6Address(addresses[:16])
    return str(source), int.from_bytes(addresses[-4:-2])


def _check_vectors(whole: bytes, start: int) -> None:
    """
    Walk over what follows the addresses, type, length and value each; types that are not known are skipped (§2.2).

    @raise SyntaxFault: one ends beyond the header, or the checksum is not that of the header (§2.2.3).
    """
    at = start
    while at < len(whole):
        value = at + 3
        end = value + int.from_bytes(whole[at + 1 : value])
        if end > len(whole) or value > len(whole):
            raise SyntaxFault("type, length and value", at)
        if whole[at] == _CRC32C:
            _check_sum(whole, value, end)
        at = end


def _check_sum(whole: bytes, value: int, end: int) -> None:
    """The sum is over the whole header with the sum itself as zeros."""
    if end - value != _CRC_SIZE:
        raise SyntaxFault("CRC32c of 4 octets", value)
    if crc32c(whole[:value] + bytes(_CRC_SIZE) + whole[end:]) != int.from_bytes(whole[value:end]):
        raise SyntaxFault("the header's CRC32c", value)
