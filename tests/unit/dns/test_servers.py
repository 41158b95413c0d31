"""L{trekd.dns.servers}: the host's own files, and whom to ask first."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from trekd.dns.exchange import Server
from trekd.dns.servers import PENALTY, Servers, configured, hosts_file, resolv_conf


def test_resolv_conf() -> None:
    """At most three count, as for other programs; resolv.conf(5)."""
    text = "# c\nsearch example.com\nnameserver 127.0.0.53\nnameserver\nnameserver fe80::1%eth0 \nnameserver x\n"
    assert resolv_conf(text)[0] == Server("127.0.0.53", 53, True)
    assert resolv_conf("nameserver 192.0.2.1\n" * 5) == (Server("192.0.2.1"),) * 3
    assert resolv_conf("") == (Server("127.0.0.1", 53, True),)


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("192.0.2.1", Server("192.0.2.1")),
        ("127.8.8.8:5353", Server("127.8.8.8", 5353, True)),
        ("::1", Server("::1", 53, True)),
        ("[::1]:5353", Server("::1", 5353, True)),
        ("2001:db8::53", Server("2001:db8::53")),
    ],
)
def test_servers_of_the_configuration(text: str, server: Server) -> None:
    assert configured(text) == server
    assert str(server) == text


def test_the_hosts_file() -> None:
    text = "192.0.2.1 a.example A2 # c\n::1 ip6-localhost localhost\n2001:db8::1 a.example\n192.0.2.1 a.example\nx\n#"
    assert hosts_file(text) == {
        "a.example": ("2001:db8::1", "192.0.2.1"),
        "a2": ("192.0.2.1",),
        "ip6-localhost": ("::1",),
        "localhost": ("::1", "127.0.0.1"),
    }


def test_localhost_is_this_host_whatever_a_file_says() -> None:
    """RFC 6761 §6.3."""
    assert hosts_file("192.0.2.1 localhost")["localhost"] == ("::1", "127.0.0.1")


def test_a_silent_server_is_asked_last_for_a_while() -> None:
    clock = Clock()
    first, second = Server("192.0.2.1"), Server("192.0.2.2")
    servers = Servers((first, second), clock.seconds)
    servers.was_silent(first)
    assert servers.in_order() == (second, first)
    servers.was_silent(second)
    assert servers.in_order() == (first, second)
    clock.advance(PENALTY)
    servers.was_silent(first)
    servers.has_answered(first)
    assert servers.in_order() == (first, second)
