"""CRC32c."""

from __future__ import annotations

import pytest

from trekd.proxy.checksum import crc32c


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_published_examples(octets: bytes, expected: int) -> None:
    """The check value of the catalogue of CRCs, and the examples of iSCSI's standard."""
    assert crc32c(octets) == expected
