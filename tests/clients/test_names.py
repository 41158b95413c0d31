"""trekctl dns and tls-policy, against a started daemon and a name server."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.daemon import Daemon
from tests.fakes.nameserver import NameServerProcess

KEY = "TLSA 3 1 1 " + "00" * 32


@pytest.fixture
def names(tmp_path: Path) -> Iterator[NameServerProcess]:
    server = NameServerProcess(tmp_path, {})
    yield server
    server.close()


@pytest.fixture
def daemon(tmp_path: Path, names: NameServerProcess) -> Iterator[Daemon]:
    made = Daemon(tmp_path, f'[dns]\nservers = ["127.0.0.1:{names.port}"]\ntimeout = 1\nattempts = 1\n')
    yield made
    made.close()


def zone_of(text: str) -> dict[str, list[str]]:
    """The zone that C{trekctl dns} prints, with an address for the host."""
    zone: dict[str, list[str]] = {"mail.example.com": ["A 127.0.0.1"]}
    for line in text.splitlines():
        if not line.startswith(";"):
            name, _, record = line.partition(" ; ")[0].partition(" IN ")
            zone.setdefault(name.removesuffix("."), []).append(record)
    return zone


def test_what_is_printed_is_what_is_checked(daemon: Daemon, names: NameServerProcess) -> None:
    """First with the files alone, then through the daemon."""
    printed = daemon.trekctl("dns", "Example.com.")
    assert "_ua-auto-config.example.com. IN TXT" in printed and "(optional)" in printed
    zone = zone_of(printed)
    assert zone["example.com"][0] == "MX 10 mail.example.com."
    assert "NO" in daemon.trekctl("dns", "example.com", "--check", status=1)
    names.change(zone)
    daemon.start()
    assert "NO " not in daemon.trekctl("dns", "example.com", "--check")
    for name in ("ua-auto-config.example.com", "_ua-auto-config.example.com"):
        del zone[name]
    zone["example.com"] = ['TXT "v=spf1 mx -all"']
    names.change(zone)
    # What was answered is remembered, until the servers are looked over again.
    daemon.trekctl("reload")
    checked = json.loads(daemon.trekctl("--json", "dns", "example.com", "--check", status=1).partition("\ntrekctl")[0])
    assert [each["type"] for each in checked["records"] if not each["good"]] == ["MX"]


def test_our_own_policy_is_served(daemon: Daemon) -> None:
    """RFC 8461 §3.3."""
    daemon.start()
    expected = daemon.trekctl_json("dns", "example.com")["mta_sts_policy"]  # type: ignore[call-overload, index]
    with daemon.client_tls.wrap_socket(
        socket.create_connection(("127.0.0.1", daemon.ports["https"]), 10), server_hostname="mail.example.com"
    ) as web:
        assert isinstance(web, ssl.SSLSocket)
        web.sendall(b"GET /.well-known/mta-sts.txt HTTP/1.0\r\nHost: mta-sts.example.com\r\n\r\n")
        octets = b"".join(iter(lambda: web.recv(65536), b""))
    head, _, body = octets.partition(b"\r\n\r\n")
    assert b" 200 " in head.splitlines()[0]
    assert b"text/plain" in head
    assert body.decode() == expected
    assert "mx: mail.example.com" in expected


def test_what_other_domains_demand(daemon: Daemon, names: NameServerProcess) -> None:
    names.change(
        {
            "dane.example": ["MX 10 mx.dane.example.", "MX 20 plain.dane.example."],
            "mx.dane.example": ["A 192.0.2.1"],
            "plain.dane.example": ["A 192.0.2.2"],
            "broken.dane.example": ["A 192.0.2.3"],
            "_25._tcp.mx.dane.example": [KEY],
            "broken.example": ["MX 10 broken.dane.example."],
            "null.example": ["MX 0 ."],
        },
        faults={"_25._tcp.broken.dane.example": "servfail"},
    )
    daemon.trekctl("tls-policy", "dane.example", status=3)
    daemon.start()
    shown = daemon.trekctl("tls-policy", "dane.example").splitlines()
    assert "dane" in shown[1].split()
    assert "TLSA 3 1 1 00" in shown[1]
    assert "opportunistic" in shown[2].split()
    assert "no name server can tell" in daemon.trekctl("tls-policy", "broken.example")
    assert daemon.trekctl_json("tls-policy", "null.example")["exchangers"] == []  # type: ignore[call-overload, index]
    assert "domain" in daemon.trekctl("tls-policy", "a..b", status=1)
