"""
Kinds of values that a key can have: how each is read from TOML and written back.

A kind's C{read} takes the TOML value and the directory that relative paths start from, and raises
C{ValueError} with a reason that completes C{key = value: ...}.  Its C{write} gives the TOML text that reads
back as the same value.
"""

from __future__ import annotations

import ipaddress
import json
import os.path
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trekd.config.endpoints import read_endpoint
from trekd.errors import SyntaxFault
from trekd.values import Address

KB = 1024
MB = 1024 * KB
GB = 1024 * MB
MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR

Reader = Callable[[object, str], Any]
Writer = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Kind:
    """
    One kind of value.

    @ivar name: what the documentation calls it.
    @ivar read: TOML value and base directory to our value; C{ValueError} tells what is wrong.
    @ivar write: our value to TOML text.
    @ivar blank: stands in for a value that is missing or bad, until the complaint about it is raised.
    """

    name: str
    read: Reader
    write: Writer
    blank: object = ""


# --- Text -----------------------------------------------------------------------------------------

_DOMAIN = re.compile(
    r"(?=.{1,253}\Z)(?!-)[a-z0-9\u0080-\U0010ffff-]{1,63}(?:\.[a-z0-9\u0080-\U0010ffff-]{1,63})*"
)
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


def _text(value: object, base: str) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text in quotes")
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise ValueError("must not contain control characters")
    return value


def _path(value: object, base: str) -> str:
    text = _text(value, base)
    return os.path.normpath(os.path.join(base, text)) if text else ""


def _name(value: object, base: str) -> str:
    text = _text(value, base)
    if not _NAME.fullmatch(text):
        raise ValueError("must be a lower-case name of letters, digits, - and _")
    return text


def _hostname(value: object, base: str) -> str:
    text = _text(value, base).lower().removesuffix(".")
    labels = text.split(".")
    if not _DOMAIN.fullmatch(text) or any(part.startswith("-") or part.endswith("-") for part in labels):
        raise ValueError("must be a host or domain name such as mail.example.com")
    if labels[-1].isdigit():
        raise ValueError("must be a name, not an IP address")
    return text


def _served_domain(value: object, base: str) -> str:
    return "*" if value == "*" else _hostname(value, base)


def _certificate_name(value: object, base: str) -> str:
    text = _text(value, base)
    return "*." + _hostname(text[2:], base) if text.startswith("*.") else _hostname(text, base)


def _address(value: object, base: str) -> str:
    text = _text(value, base)
    try:
        return str(Address.parse(text)) if text else ""
    except SyntaxFault:
        raise ValueError("must be a full mail address such as postmaster@example.com") from None


def _ldap_uri(value: object, base: str) -> str:
    text = _text(value, base)
    if not re.fullmatch(r"ldaps?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?/?", text):
        raise ValueError("must look like ldaps://HOST or ldap://HOST:PORT")
    return text


def _network(value: object, base: str) -> str:
    try:
        return str(ipaddress.ip_network(_text(value, base)))
    except ValueError:
        raise ValueError("must be an IP network such as 192.0.2.0/24 or 2001:db8::/32") from None


def _name_server(value: object, base: str) -> str:
    text = _text(value, base)
    match = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::([0-9]{1,5}))?|([0-9.]+)(?::([0-9]{1,5}))?|([0-9A-Fa-f:.]+)", text)
    try:
        if match is None:
            raise ValueError
        host = ipaddress.ip_address(match[1] or match[3] or match[5])
        port = int(match[2] or match[4] or 53)
        if not 1 <= port <= 65535:
            raise ValueError
    except ValueError:
        raise ValueError("must be an IP address such as 127.0.0.1, 192.0.2.1:5353 or [::1]:5353") from None
    if port == 53:
        return str(host)
    return f"[{host}]:{port}" if host.version == 6 else f"{host}:{port}"


# --- Numbers --------------------------------------------------------------------------------------

_SIZE = re.compile(r"([0-9]{1,15})\s*(?:([kmgt])i?)?b?", re.IGNORECASE)
_DURATION = re.compile(r"(?:[0-9]{1,9}[wdhms])+")
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}


def _count(value: object, base: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("must be a whole number")
    return value


def _size(value: object, base: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('must be a number of octets or text such as "64KB", "50MB", "5GB"')
    factor: int = 1024 ** _POWERS[(match[2] or "").lower()]
    return int(match[1]) * factor


def _duration(value: object, base: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise ValueError('must be a number of seconds or text such as "90s", "30m", "1h30m", "2d"')
    return sum(int(part[:-1]) * _SECONDS[part[-1]] for part in re.findall(r"[0-9]+[a-z]", value))


def _share(value: object, base: str) -> int | None:
    if value == "auto":
        return None
    if isinstance(value, str):
        raise ValueError('must be a whole number or "auto"')
    return _count(value, base)


def _switch(value: object, base: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _write_size(value: int) -> str:
    for unit, power in (("TB", 4), ("GB", 3), ("MB", 2), ("KB", 1)):
        if value and value % 1024**power == 0:
            return f'"{value // 1024**power}{unit}"'
    return str(value)


def _write_duration(value: int) -> str:
    parts = []
    for unit, seconds in _SECONDS.items():
        if unit != "w" and value >= seconds:
            parts.append(f"{value // seconds}{unit}")
            value %= seconds
    return f'"{"".join(parts)}"' if parts else "0"


# --- The kinds ------------------------------------------------------------------------------------


def write_text(value: object) -> str:
    """
    Write a value as TOML: text, number, switch or list of these.

    JSON's form of them is TOML's as well.
    """
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False, default=str)


def list_of(kind: Kind) -> Kind:
    """
    Make the kind of a list whose items are of one kind and all different.
    """

    def read(value: object, base: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise ValueError(
                f"must be a list: [{write_text(value)}]" if isinstance(value, str) else "must be a list"
            )
        items: list[Any] = []
        for item in value:
            try:
                items.append(kind.read(item, base))
            except ValueError as fault:
                raise ValueError(f"{write_text(item)} {fault}") from None
            if items[-1] in items[:-1]:
                raise ValueError(f"{write_text(item)} is listed twice")
        return tuple(items)

    return Kind(
        f"list of {kind.name}s", read, lambda value: "[" + ", ".join(map(kind.write, value)) + "]", ()
    )


def choice(*words: str) -> Kind:
    """
    Make the kind whose values are a few fixed words.
    """
    listed = ", ".join(f'"{word}"' for word in words)

    def read(value: object, base: str) -> str:
        if value not in words:
            raise ValueError(f"must be one of {listed}")
        return str(value)

    return Kind(f"one of {listed}", read, write_text)


TEXT = Kind("text", _text, write_text)
PATH = Kind("path", _path, write_text)
NAME = Kind("name", _name, write_text)
HOSTNAME = Kind("host name", _hostname, write_text)
DOMAINS = list_of(Kind("domain", _served_domain, write_text))
HOSTNAMES = list_of(HOSTNAME)
NAME_SERVERS = list_of(Kind("name server", _name_server, write_text))
CERTIFICATE_NAMES = list_of(Kind("host name", _certificate_name, write_text))
ADDRESS = Kind("mail address", _address, write_text)
LDAP_URIS = list_of(Kind("LDAP URI", _ldap_uri, write_text))
NETWORKS = list_of(Kind("IP network", _network, write_text))
ENDPOINTS = list_of(Kind("endpoint", read_endpoint, write_text))
COUNT = Kind("number", _count, write_text)
SHARE = Kind('number or "auto"', _share, lambda value: '"auto"' if value is None else write_text(value))
SIZE = Kind("size", _size, _write_size)
DURATION = Kind("duration", _duration, _write_duration)
SWITCH = Kind("true or false", _switch, lambda value: "true" if value else "false")
