"""
Basic syntax of Twisted's server endpoint strings, checked without Twisted so that a mistake is found early.

C{scheme:argument:name=value...}; a backslash keeps the next C{:}, C{=} or backslash literal.  Twisted's own
schemes are checked in full; an unknown one may come from a plugin and passes when its shape is right.
"""

from __future__ import annotations

import ipaddress
import os.path
import re
from collections.abc import Callable

_SPLIT = re.compile(r"(?:[^:\\]|\\.)*")
_SCHEME = re.compile(r"[a-z][a-z0-9_+-]{0,31}")
_NAMED = re.compile(r"([A-Za-z][A-Za-z0-9_]*)=(.*)", re.DOTALL)

MAX_SOCKET_PATH = 107
"""Octets of a Unix socket's path: C{sun_path} is 108 with its NUL (unix(7))."""


def read_endpoint(value: object, base: str) -> str:
    """
    Check one endpoint string and make a Unix socket's path absolute.

    @param base: the directory that relative socket paths start from.
    @return: the string to hand to C{serverFromString}.
    @raise ValueError: with the reason.
    """
    if not isinstance(value, str):
        raise ValueError('must be an endpoint in quotes such as "tcp:993"')
    parts = _split(value)
    scheme = parts[0]
    if len(parts) < 2 or not _SCHEME.fullmatch(scheme):
        raise ValueError('must be an endpoint such as "tcp:993" or "unix:/run/trekmail/lmtp"')
    if scheme in ("ssl", "tls"):
        raise ValueError('must not ask for TLS, which the listener\'s name implies; use "tcp:PORT"')
    if scheme == "haproxy":
        raise ValueError("must not ask for PROXY headers; list the balancers in [limits] proxy_networks")
    check = _CHECKS.get(scheme)
    return value if check is None else check(parts, base)


def socket_path(endpoint: str) -> str | None:
    """The path of a C{unix:} endpoint string, C{None} for any other."""
    kind, _, rest = endpoint.partition(":")
    if kind != "unix":
        return None
    first = rest.split(":", 1)[0]
    return first.removeprefix("address=")


def _split(text: str) -> list[str]:
    """Cut at each C{:} without a backslash before it; backslashes stay."""
    parts, at = [], 0
    while at <= len(text):
        match = _SPLIT.match(text, at)
        assert match is not None
        end = match.end()
        if end < len(text) and text[end] != ":":
            raise ValueError("must not end with a backslash")
        parts.append(match[0])
        at = end + 1
    return parts


def _arguments(parts: list[str], positional: tuple[str, ...], named: tuple[str, ...]) -> dict[str, str]:
    """Match arguments to names; C{ValueError} for one too many or an unknown name."""
    found: dict[str, str] = {}
    left = list(positional)
    for part in parts[1:]:
        match = _NAMED.fullmatch(part)
        if match is None:
            if not left:
                raise ValueError(f"has one argument too many: {part}")
            found[left.pop(0)] = _plain(part)
        elif match[1] in positional + named:
            found[match[1]] = _plain(match[2])
        else:
            raise ValueError(f"has an unknown argument {match[1]}, known are {', '.join(positional + named)}")
    return found


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _number(text: str, low: int, high: int, what: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise ValueError(f"has a {what} that is not within {low} and {high}")
    return int(text)


def _tcp(parts: list[str], base: str) -> str:
    found = _arguments(parts, ("port", "interface"), ("backlog",))
    _number(found.get("port", ""), 0, 65535, "port")
    _number(found.get("backlog", "50"), 1, 65535, "backlog")
    interface = found.get("interface", "")
    try:
        if interface:
            ipaddress.ip_address(interface)
    except ValueError:
        raise ValueError("has an interface that is no IP address (write \\: for each : of IPv6)") from None
    return ":".join(parts)


def _unix(parts: list[str], base: str) -> str:
    found = _arguments(parts, ("address",), ("mode", "backlog", "lockfile"))
    if not found.get("address"):
        raise ValueError("has no path")
    if not re.fullmatch(r"[0-7]{3,4}", found.get("mode", "666")):
        raise ValueError("has a mode that is not octal such as 600")
    _number(found.get("backlog", "50"), 1, 65535, "backlog")
    path = os.path.normpath(os.path.join(base, found.pop("address")))
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        raise ValueError(f"has a path of more than {MAX_SOCKET_PATH} octets: {path}")
    rest = [f"{name}={_quoted(text)}" for name, text in found.items()]
    return ":".join([parts[0], _quoted(path), *rest])


def _quoted(text: str) -> str:
    return re.sub(r"([\\:=])", r"\\\1", text)


def _systemd(parts: list[str], base: str) -> str:
    found = _arguments(parts, ("domain", "index"), ("name",))
    if found.get("domain") not in ("INET", "INET6", "UNIX"):
        raise ValueError("has a domain that is none of INET, INET6, UNIX")
    if ("index" in found) == ("name" in found):
        raise ValueError("needs one of index= and name=")
    return ":".join(parts)


_CHECKS: dict[str, Callable[[list[str], str], str]] = {
    "tcp": _tcp,
    "tcp6": _tcp,
    "unix": _unix,
    "systemd": _systemd,
}
