"""Kinds of values: what each takes, refuses and writes."""

from __future__ import annotations

import tomllib
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from trekd.config import kinds
from trekd.config.endpoints import read_endpoint
from trekd.config.fields import Key
from trekd.config.kinds import COUNT, DURATION, SIZE, SWITCH, Kind
from trekd.config.schema import Config


@pytest.mark.parametrize(
    ("kind", "value", "meaning"),
    [
        (SIZE, 17, 17),
        (SIZE, "64KB", 65536),
        (SIZE, "64 KiB", 65536),
        (SIZE, "5gb", 5 * 1024**3),
        (SIZE, "512B", 512),
        (SIZE, "0", 0),
        (DURATION, 90, 90),
        (DURATION, "90s", 90),
        (DURATION, "7m30s", 450),
        (DURATION, "1h30m", 5400),
        (DURATION, "2d", 172800),
        (DURATION, "1w", 604800),
        (COUNT, 3, 3),
        (SWITCH, False, False),
        (kinds.HOSTNAME, "Mail.Example.COM.", "mail.example.com"),
        (kinds.DOMAINS, ["*"], ("*",)),
        (kinds.CERTIFICATE_NAMES, ["*.Example.org"], ("*.example.org",)),
        (kinds.NETWORKS, ["192.0.2.0/24", "2001:db8::/32"], ("192.0.2.0/24", "2001:db8::/32")),
        (kinds.NAME_SERVERS, ["127.0.0.1", "[::1]:53", "192.0.2.1:5353"], ("127.0.0.1", "::1", "192.0.2.1:5353")),
        (kinds.NAME_SERVERS, ["[2001:DB8::1]:5353", "fe80::1"], ("[2001:db8::1]:5353", "fe80::1")),
        (kinds.LDAP_URIS, ["ldaps://ldap1.example.com", "ldap://[::1]:3389"], None),
        (kinds.ADDRESS, "Post@Example.com", "Post@example.com"),
        (kinds.PATH, "sub/../file", "/base/file"),
        (kinds.PATH, "/abs", "/abs"),
        (kinds.PATH, "", ""),
    ],
)
def test_values_are_read(kind: Kind, value: object, meaning: object) -> None:
    read = kind.read(value, "/base")
    assert read == (tuple(value) if meaning is None and isinstance(value, list) else meaning)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (SIZE, "5 apples"),
        (SIZE, True),
        (SIZE, 1.5),
        (SIZE, "-1MB"),
        (DURATION, "5"),
        (DURATION, "m"),
        (DURATION, "1.5h"),
        (COUNT, "3"),
        (COUNT, True),
        (kinds.SHARE, "half"),
        (kinds.SHARE, True),
        (SWITCH, 1),
        (kinds.TEXT, "a\nb"),
        (kinds.HOSTNAME, "mail example"),
        (kinds.HOSTNAME, "-mail.example"),
        (kinds.HOSTNAME, "mail..example"),
        (kinds.HOSTNAME, "192.0.2.1"),
        (kinds.HOSTNAME, ""),
        (kinds.HOSTNAME, "a" * 64 + ".example"),
        (kinds.DOMAINS, "example.com"),
        (kinds.DOMAINS, ["example.com", "EXAMPLE.com"]),
        (kinds.NETWORKS, ["192.0.2.1/24"]),
        (kinds.LDAP_URIS, ["http://ldap"]),
        (kinds.NAME_SERVERS, ["ns.example.com"]),
        (kinds.NAME_SERVERS, ["127.0.0.1:0"]),
        (kinds.NAME_SERVERS, ["127.0.0.1:70000"]),
        (kinds.NAME_SERVERS, ["[127.0.0.1"]),
        (kinds.NAME_SERVERS, ["300.0.0.1"]),
        (kinds.ADDRESS, "postmaster"),
        (kinds.NAME, "Gold"),
        (kinds.PATH, 7),
    ],
)
def test_bad_values_are_refused_with_a_reason(kind: Kind, value: object) -> None:
    with pytest.raises(ValueError, match=r"must|twice"):
        kind.read(value, "/base")


def _keys(section: Any) -> list[tuple[Key, Any]]:
    found: list[tuple[Key, Any]] = []
    for each in fields(section):
        declaration = each.metadata["declaration"]
        if isinstance(declaration, Key):
            found.append((declaration, getattr(section, each.name)))
        elif is_dataclass(getattr(section, each.name)):
            found += _keys(getattr(section, each.name))
    return found


def test_each_default_is_within_its_own_bounds_and_reads_back(minimal: Config) -> None:
    keys = _keys(minimal)
    assert len(keys) > 80
    for key, default in keys:
        written = tomllib.loads(f"x = {key.kind.write(default)}")["x"]
        assert key.read(written, "/") == default


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("tcp:993", "tcp:993"),
        ("tcp:0:interface=127.0.0.1", "tcp:0:interface=127.0.0.1"),
        ("tcp:port=993:interface=\\:\\::backlog=5", "tcp:port=993:interface=\\:\\::backlog=5"),
        ("unix:run/lmtp", "unix:/base/run/lmtp"),
        ("unix:../run/control:mode=600", "unix:/run/control:mode=600"),
        ("unix:address=/run/a\\:b:lockfile=0", "unix:/run/a\\:b:lockfile=0"),
        ("systemd:domain=INET:index=0", "systemd:domain=INET:index=0"),
        ("onion:993", "onion:993"),
    ],
)
def test_endpoints_are_checked_and_socket_paths_resolved(text: str, read: str) -> None:
    assert read_endpoint(text, "/base") == read


@pytest.mark.parametrize(
    "text",
    [
        "",
        "993",
        "tcp",
        "tcp:",
        "tcp:99999",
        "tcp:imap",
        "tcp:993:127.0.0.1:5:6",
        "tcp:993:interface=localhost",
        "tcp:993:interfaces=127.0.0.1",
        "ssl:993",
        "tls:993",
        "unix:",
        "unix:/run/x:mode=abc",
        "unix:/" + "x" * 107,
        "systemd:domain=INET",
        "systemd:domain=TCP:index=0",
        "haproxy:tcp:993",
        "tcp:993\\",
    ],
)
def test_bad_endpoints_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must|has|needs"):
        read_endpoint(text, "/base")
