"""Which addresses count as one."""

from __future__ import annotations

import pytest

from trekd.portal.prefixes import Prefixes


@pytest.mark.parametrize(
    ("peer", "prefix"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not an address", "not an address"),
        ("", ""),
    ],
)
def test_prefix_of(peer: str, prefix: str) -> None:
    assert Prefixes().of(peer) == prefix


def test_length_of_ipv6_prefixes_is_configured() -> None:
    assert Prefixes(48).of("2001:db8:1:2::1") == "2001:db8:1::/48"
    assert Prefixes(128).of("2001:db8:1:2::1") == "2001:db8:1:2::1"


def test_local_and_trusted_peers_are_not_limited() -> None:
    prefixes = Prefixes(64, ("192.0.2.0/24", "2001:db8::/32"))
    for peer in ("", "192.0.2.9", "::ffff:192.0.2.9", "2001:db8:5::1"):
        assert prefixes.limited(peer) is None
    assert prefixes.limited("198.51.100.1") == "198.51.100.1"
    assert prefixes.limited("2001:db9::1") == "2001:db9::/64"
