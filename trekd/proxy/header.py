"""
The header of the PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt of 2020/03/05, §2).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from trekd.errors import SyntaxFault

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
_UNSPECIFIED, _TCP4, _TCP6, _UNIX_STREAM = 0x00, 0x11, 0x21, 0x31


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
        block, rest = self._octets[_FIXED : _FIXED + size], self._octets[_FIXED + size :]
        return Header(None if command == _LOCAL else _source(family, block), rest)


def _source(family: int, block: bytes) -> tuple[str, int] | None:
    """The source of a proxied connection (§2.2): source address, destination address, source port, destination port."""
    if family in (_UNSPECIFIED, _UNIX_STREAM):
        return None
    width = {_TCP4: 4, _TCP6: 16}.get(family)
    if width is None:
        raise SyntaxFault("TCP over IPv4 or IPv6", 13)
    if len(block) < 2 * width + 4:
        raise SyntaxFault("both addresses and ports", _FIXED + len(block))
    address = IPv4Address(block[:4]) if width == 4 else IPv6Address(block[:16])
    return str(address), int.from_bytes(block[2 * width : 2 * width + 2])
