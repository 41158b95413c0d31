"""
Whom to ask, in which order, and what the host itself knows: F{/etc/resolv.conf} and F{/etc/hosts} as text.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence

from trekd.dns.exchange import Server
from trekd.dns.labels import a_name
from trekd.errors import SyntaxFault

PENALTY = 60.0
"""Seconds for which a server that was silent is asked after the others."""

MAX_LISTED = 3
"""Servers of F{/etc/resolv.conf} that count, as for every other program of the host."""


class Servers:
    """
    The name servers in the order of the configuration, those that were silent lately after the others.

    @param listed: at least one.
    @param seconds: the clock.
    """

    def __init__(self, listed: Sequence[Server], seconds: Callable[[], float]) -> None:
        self._listed = tuple(listed)
        self._seconds = seconds
        self._silent: dict[Server, float] = {}

    def in_order(self) -> tuple[Server, ...]:
        """All of them, the best first."""
        now = self._seconds()
        return tuple(sorted(self._listed, key=lambda each: self._silent.get(each, 0.0) > now))

    def was_silent(self, server: Server) -> None:
        """It did not answer."""
        self._silent[server] = self._seconds() + PENALTY

    def has_answered(self, server: Server) -> None:
        """It answered, whatever it said."""
        self._silent.pop(server, None)


def server(host: str, port: int = 53) -> Server:
    """
    A server by its IP address, which also says whether it is on this host.

    @raise ValueError: C{host} is no IP address.
    """
    address = ipaddress.ip_address(host)
    return Server(host, port, address.is_loopback)


def configured(text: str) -> Server:
    """
    A server as the configuration has it, C{ADDRESS}, C{ADDRESS:PORT} or C{[ADDRESS]:PORT}.

    @raise ValueError: it is none of these.
    """
    host, bracket, port = text.removeprefix("[").partition("]") if "[" in text else (text, "", "")
    if not bracket and host.count(":") == 1:
        host, _, port = host.partition(":")
    return server(host, int(port.removeprefix(":") or 53))


def resolv_conf(text: str) -> tuple[Server, ...]:
    """
    The servers of F{/etc/resolv.conf}; the one on this host when there are none, as resolv.conf(5) says.
    """
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            try:
                found.append(server(words[1]))
            except ValueError:
                continue
    return tuple(found[:MAX_LISTED]) or (server("127.0.0.1"),)


def hosts_file(text: str) -> Mapping[str, tuple[str, ...]]:
    """
    Addresses by name, as F{/etc/hosts} has them, IPv6 first; C{localhost} is this host whatever it says
    (RFC 6761 §6.3).
    """
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        for name in _names(address, names):
            found.setdefault(name, []).append(str(ipaddress.ip_address(address)))
    found["localhost"] = ["::1", "127.0.0.1"]
    return {name: tuple(sorted(set(each), key=lambda one: ":" not in one)) for name, each in found.items()}


def _names(address: str, names: Iterable[str]) -> Iterable[str]:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return
    for name in names:
        try:
            yield a_name(name)
        except SyntaxFault:
            continue
