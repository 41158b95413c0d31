"""Which addresses mail may be carried to."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from trekd.relay.addresses import AddressPolicy, is_own

PUBLIC = ("8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a01:4f8::1", "64:ff9b::808:808")
FORBIDDEN = {
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "0.0.0.0": "no host",
    "10.1.2.3": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "100.64.0.1": "provider",
    "169.254.169.254": "link-local",
    "192.0.2.1": "documentation",
    "224.0.0.1": "multicast",
    "255.255.255.255": "reserved",
    "::": "no host",
    "::1": "loopback",
    "::ffff:127.0.0.1": "loopback",
    "::ffff:10.0.0.1": "private",
    "64:ff9b::7f00:1": "loopback",
    "64:ff9b:1::1": "no public",
    "2002:7f00:1::": "tunnel",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2": "protocols",
    "::127.0.0.1": "no public",
    "fe80::1": "link-local",
    "fe80::1%lo": "link-local",
    "fec0::1": "no public",
    "fd00::1": "private",
    "ff02::1": "multicast",
    "2001:db8::1": "documentation",
}


def nobody(address: object) -> bool:
    """No address is this host's."""
    return False


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_permitted(address: str) -> None:
    """Nothing is refused that a provider may have."""
    assert AddressPolicy((), nobody).refusal(address) == ""


@pytest.mark.parametrize(("address", "reason"), FORBIDDEN.items())
def test_special_addresses_are_refused_with_their_reason(address: str, reason: str) -> None:
    """Every kind of RFC 6890 §2.2, also inside other addresses; the text names address and kind."""
    refusal = AddressPolicy((), nobody).refusal(address)
    assert reason in refusal
    assert address in refusal


@pytest.mark.parametrize(
    "text", ["", "localhost", "127.1", "0177.0.0.1", "2130706433", "1.2.3.4 ", "1.2.3.4\n", "[::1]"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """Forms that some libraries would still connect to are none."""
    assert "no network address" in AddressPolicy((), nobody).refusal(text)


def test_an_allowed_network_wins_over_everything() -> None:
    """The administrator may have the provider on the inner network, or on this host."""
    policy = AddressPolicy(("10.0.0.0/24", "fd00::/64", "127.0.0.1/32"), lambda address: True)
    assert policy.refusal("10.0.0.9") == ""
    assert policy.refusal("fd00::9") == ""
    assert policy.refusal("127.0.0.1") == ""
    assert policy.refusal("::ffff:10.0.0.9") == ""
    assert "private" in policy.refusal("10.0.1.9")
    assert "loopback" in policy.refusal("127.0.0.2")


def test_an_address_of_this_host_is_refused() -> None:
    """Mail to oneself goes round in circles."""
    policy = AddressPolicy((), lambda address: address == ip_address("8.8.8.8"))
    assert policy.refusal("8.8.8.8") == "8.8.8.8 is an address of this host"
    assert "of this host" in policy.refusal("::ffff:8.8.8.8")
    assert policy.refusal("8.8.4.4") == ""


def test_the_kernel_knows_own_addresses() -> None:
    """Own addresses are known without a list of interfaces, and without a packet."""
    assert is_own(ip_address("127.0.0.1"))
    assert not is_own(ip_address("198.51.100.77"))


def test_a_host_with_good_and_bad_addresses_keeps_the_good_ones() -> None:
    """The order stays, and each refusal says why."""
    judged = AddressPolicy((), nobody).judge(("8.8.8.8", "127.0.0.1", "1.1.1.1", "10.0.0.1"))
    assert judged.permitted == ("8.8.8.8", "1.1.1.1")
    assert judged.refusals == ("127.0.0.1 is a loopback address", "10.0.0.1 is a private address")
