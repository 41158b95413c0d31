"""L{trekd.web.setup.settings}: what is derived from the configuration, and which domains are ours."""

from __future__ import annotations

import pytest

from tests.fakes.websetup import settings
from trekd.web.setup.settings import ClientSettings, Server, port_of

HOST = "mail.example.net"


def test_the_usual_ports() -> None:
    """RFC 8314 §3.2, §3.3."""
    found = settings()
    assert found.incoming == (Server(HOST, 993, True),)
    assert found.outgoing == (Server(HOST, 465, True), Server(HOST, 587, False))
    assert found.dav == "https://mail.example.net/dav/"


def test_settings_follow_what_listens() -> None:
    imap = 'imaps = ["tcp:9993:interface=127.0.0.1"]\nimap = ["tcp6:port=143"]\n'
    found = settings(f'[listen]\n{imap}submissions = []\nhttps = ["tcp:8443"]\n')
    assert found.incoming == (Server(HOST, 9993, True), Server(HOST, 143, False))
    assert found.outgoing == (Server(HOST, 587, False),)
    assert found.page == "https://mail.example.net:8443/setup/"


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("alice@example.com", "example.com"),
        ("ALICE@EXAMPLE.COM", "example.com"),
        ("a b@example.com.", "example.com"),
        ("käthe@bücher.example", "xn--bcher-kva.example"),
        ("x@xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("alice@example.org", None),
        ("example.com", None),
        ("@example.com", None),
        ("x@", None),
        ("x@exa mple.com", None),
        ("x@" + "a." * 300, None),
        ("x@\ud800.com", None),
    ],
)
def test_the_domain_of_an_address(address: str, domain: str | None) -> None:
    assert settings().domain_of(address) == domain


def test_a_host_for_all_domains_of_its_directory() -> None:
    """C{"*"} lists none, so an answer tells nothing."""
    assert settings().serves("example.org") is False
    found = ClientSettings(HOST, 443, (), True, (), (), ())
    assert found.domain_of("x@example.org") == "example.org"
    assert found.domain_of_host("autoconfig.example.org") == "example.org"
    assert found.domain_of_host("example.org") == "example.org"
    for host in (HOST, "", "[::1]", "a b", "\0"):
        assert found.domain_of_host(host) == HOST


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("autoconfig.example.com", "example.com"),
        ("EXAMPLE.com", "example.com"),
        ("autoconfig.xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("autoconfig.example.org", "example.com"),
        ("mail.example.net", "example.com"),
        ("127.0.0.1", "example.com"),
        ("", "example.com"),
    ],
)
def test_the_domain_of_a_host(host: str, domain: str) -> None:
    assert settings().domain_of_host(host) == domain


@pytest.mark.parametrize(
    "text", ["alice", "alice@example.org", "a b@example.com", "<x>@example.com", "a@b@example.com"]
)
def test_what_is_no_address_of_ours(text: str) -> None:
    assert settings().address(text) is None


def test_an_address_is_taken_as_it_was_typed() -> None:
    assert str(settings().address("  Alice@Example.com ")) == "Alice@example.com"


def test_ports_that_others_open() -> None:
    assert port_of(["systemd:domain=INET:index=0"], 993) == 993
    assert port_of(["systemd:domain=INET:index=0", "tcp:9993"], 993) == 9993
