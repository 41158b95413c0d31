"""The PROXY header, version 1 and 2."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trekd.errors import SyntaxFault
from trekd.proxy.checksum import crc32c
from trekd.proxy.header import MAX_BLOCK, MAX_LINE, Header, HeaderReader

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def block(command: int, family: int, addresses: bytes) -> bytes:
    return SIGNATURE + bytes([command, family]) + len(addresses).to_bytes(2, "big") + addresses


def vector(kind: int, value: bytes) -> bytes:
    return bytes([kind]) + len(value).to_bytes(2, "big") + value


def summed(command: int, family: int, addresses: bytes, wrong: int = 0) -> bytes:
    """A header with its checksum between two other vectors."""
    before, after = vector(0x05, b"id"), vector(0xE0, b"ours")
    header = block(command, family, addresses + before + vector(0x03, bytes(4)) + after)
    place = len(header) - len(after) - 4
    return header[:place] + (crc32c(header) ^ wrong).to_bytes(4, "big") + header[place + 4 :]


TCP4 = socket.inet_aton("198.51.100.9") + socket.inet_aton("192.0.2.1") + b"\x10\x00\x03\xe1"
TCP6 = socket.inet_pton(socket.AF_INET6, "2001:db8::9") + bytes(16) + b"\x10\x00\x03\xe1"

GOOD = [
    (b"PROXY TCP4 198.51.100.9 192.0.2.1 4096 993\r\n", ("198.51.100.9", 4096)),
    (b"PROXY TCP6 2001:db8::9 2001:db8::1 4096 993\r\n", ("2001:db8::9", 4096)),
    (b"PROXY TCP6 ::ffff:198.51.100.9 ::1 0 65535\r\n", ("::ffff:c633:6409", 0)),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", None),
    (block(0x21, 0x11, TCP4), ("198.51.100.9", 4096)),
    (block(0x21, 0x21, TCP6), ("2001:db8::9", 4096)),
    (block(0x21, 0x11, TCP4 + b"\x04\x00\x02ab"), ("198.51.100.9", 4096)),
    (block(0x21, 0x21, TCP6 + vector(1, b"imap") + vector(4, b"") + vector(0xEF, bytes(500))), ("2001:db8::9", 4096)),
    (summed(0x21, 0x11, TCP4), ("198.51.100.9", 4096)),
    (summed(0x21, 0x21, TCP6), ("2001:db8::9", 4096)),
    (summed(0x21, 0x00, b""), None),
    (block(0x20, 0x00, b""), None),
    (block(0x20, 0x41, b"what it says is discarded"), None),
    (summed(0x20, 0x11, TCP4, wrong=1), None),
    (block(0x20, 0x11, TCP4), None),
    (block(0x21, 0x00, b""), None),
    (block(0x21, 0x31, bytes(216)), None),
]


@pytest.mark.parametrize(("octets", "source"), GOOD)
def test_header_gives_the_source_and_leaves_what_follows(octets: bytes, source: tuple[str, int] | None) -> None:
    assert HeaderReader().feed(octets + b"a NOOP\r\n") == Header(source, b"a NOOP\r\n")


@pytest.mark.parametrize(("octets", "source"), GOOD)
def test_one_octet_at_a_time_is_the_same(octets: bytes, source: tuple[str, int] | None) -> None:
    reader = HeaderReader()
    assert [reader.feed(octets[at : at + 1]) for at in range(len(octets) - 1)] == [None] * (len(octets) - 1)
    assert reader.feed(octets[-1:]) == Header(source, b"")


@pytest.mark.parametrize(
    "octets",
    [
        b"a LOGIN alice@example.com x\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"PROXIES",
        b"PROXY \r\n",
        b"PROXY TCP4 198.51.100.9 192.0.2.1 4096\r\n",
        b"PROXY TCP4 198.51.100.9 192.0.2.1 4096 993 \r\n",
        b"PROXY TCP4 198.51.100.9 192.0.2.1 4096 993\n" + b"x" * MAX_LINE,
        b"PROXY TCP4 198.51.100.09 192.0.2.1 4096 993\r\n",
        b"PROXY TCP4 198.51.100.9 nowhere 4096 993\r\n",
        b"PROXY TCP4 2001:db8::9 2001:db8::1 4096 993\r\n",
        b"PROXY TCP6 fe80::1%eth0 2001:db8::1 4096 993\r\n",
        b"PROXY TCP4 198.51.100.9 192.0.2.1 65536 993\r\n",
        b"PROXY TCP4 198.51.100.9 192.0.2.1 04096 993\r\n",
        b"PROXY TCP4 198.51.100.9 192.0.2.1 -1 993\r\n",
        b"PROXY UDP4 198.51.100.9 192.0.2.1 4096 993\r\n",
        b"PROXY UNKNOWN " + b"x" * MAX_LINE,
        b"\r\n\r\n\0\r\nQUIX",
        block(0x11, 0x11, TCP4),
        block(0x22, 0x11, TCP4),
        block(0x21, 0x12, TCP4),
        block(0x21, 0x41, TCP4),
        block(0x21, 0x11, TCP4[:-1]),
        block(0x21, 0x21, TCP4),
        block(0x21, 0x31, bytes(215)),
        block(0x21, 0x11, TCP4 + b"\x04"),
        block(0x21, 0x11, TCP4 + b"\x04\x00"),
        block(0x21, 0x11, TCP4 + b"\x04\x00\x03ab"),
        block(0x21, 0x11, TCP4 + vector(0x01, b"imap") + b"\x04\xff\xff"),
        block(0x21, 0x11, TCP4 + vector(0x03, bytes(4))),
        block(0x21, 0x11, TCP4 + vector(0x03, bytes(3))),
        summed(0x21, 0x11, TCP4, wrong=1),
        summed(0x21, 0x21, TCP6, wrong=0x80000000),
        SIGNATURE + b"\x21\x11" + (MAX_BLOCK + 1).to_bytes(2, "big"),
    ],
)
def test_anything_else_is_refused(octets: bytes) -> None:
    with pytest.raises(SyntaxFault):
        HeaderReader().feed(octets)


@given(st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11"]), st.binary(max_size=300))
def test_no_input_raises_anything_but_a_syntax_fault(start: bytes, rest: bytes) -> None:
    try:
        HeaderReader().feed(start + rest)
    except SyntaxFault:
        pass
