"""
What a program needs to know to use an account here: the one source of every document about set-up.

Nothing of it depends on an account, only on the configuration in force: who asks learns which domains are served, as
their MX records tell as well, and nothing of the addresses in them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from trekd.config.schema import Config, PlanConfig
from trekd.dns.labels import a_name
from trekd.errors import SyntaxFault
from trekd.values import Address

_BEFORE_DOMAINS = ("autoconfig", "autodiscover", "ua-auto-config", "www")
"""Names before a domain under which programs ask for its settings."""
_PORT = re.compile(r"tcp6?:(?:port=)?([0-9]+)")


@dataclass(frozen=True, slots=True)
class Server:
    """
    One way to a service for mail.

    @ivar hostname: A-labels.
    @ivar is_implicit: TLS from the first octet (RFC 8314 §3), else by STARTTLS; there is no third way.
    """

    hostname: str
    port: int
    is_implicit: bool


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """
    How programs reach this host; the user name is the full address everywhere.

    @ivar hostname: A-labels.
    @ivar domains: those that are listed, A-labels.
    @ivar is_open: other domains may be served as well; only the directory knows.
    @ivar incoming: IMAP, the best way first.
    @ivar outgoing: submission, the best way first.
    @ivar plans: by name, in the configuration's order.
    """

    hostname: str
    web_port: int
    domains: tuple[str, ...]
    is_open: bool
    incoming: tuple[Server, ...]
    outgoing: tuple[Server, ...]
    plans: tuple[tuple[str, PlanConfig], ...]

    @property
    def origin(self) -> str:
        """The URL of the web site, without a slash at its end."""
        return f"https://{self.hostname}" + ("" if self.web_port == 443 else f":{self.web_port}")

    @property
    def dav(self) -> str:
        """The URL of calendars, contacts and files."""
        return f"{self.origin}/dav/"

    @property
    def page(self) -> str:
        """The URL of the page for people."""
        return f"{self.origin}/setup/"

    def serves(self, domain: str) -> bool:
        """Whether addresses of a domain, in A-labels, can be set up here."""
        return self.is_open or domain in self.domains

    def domain_of(self, address: str) -> str | None:
        """
        The domain of an address as a program sends it, in A-labels.

        @return: C{None} when it is not served here, or nothing that is an address.
        """
        local, at, domain = address.rpartition("@")
        try:
            # The local part may be a placeholder, or mangled; only the domain counts.
            found = a_name(Address.parse(f"x@{domain.strip()}").domain) if at and local else ""
        except SyntaxFault:
            return None
        return found if found and self.serves(found) else None

    def domain_of_host(self, host: str) -> str:
        """
        Whose settings are asked for by a request without an address.

        @param host: the name by which the site was reached, such as C{autoconfig.example.com}.
        @return: A-labels; the first domain when the name tells of none.
        """
        first, _, rest = host.lower().partition(".")
        named = rest if first in _BEFORE_DOMAINS else host.lower()
        if named == self.hostname and named not in self.domains:
            named = ""
        return self.domain_of(f"x@{named}") or (self.domains[0] if self.domains else self.hostname)

    def address(self, text: str) -> Address | None:
        """An address that a person or a program gave, when its domain is served here."""
        try:
            found = Address.parse(text.strip())
        except SyntaxFault:
            return None
        return found if self.domain_of(str(found)) is not None else None


def client_settings(config: Config) -> ClientSettings:
    """The settings that a configuration amounts to."""
    listen, hostname = config.listen, a_name(config.server.hostname)
    return ClientSettings(
        hostname=hostname,
        web_port=port_of(listen.https, 443),
        domains=tuple(a_name(name) for name in config.server.domains if name != "*"),
        is_open="*" in config.server.domains,
        incoming=_servers(hostname, (listen.imaps, 993, True), (listen.imap, 143, False)),
        outgoing=_servers(hostname, (listen.submissions, 465, True), (listen.submission, 587, False)),
        plans=tuple(config.plans.items()),
    )


def _servers(hostname: str, *ways: tuple[Sequence[str], int, bool]) -> tuple[Server, ...]:
    return tuple(
        Server(hostname, port_of(endpoints, usual), is_implicit) for endpoints, usual, is_implicit in ways if endpoints
    )


def port_of(endpoints: Sequence[str], usual: int) -> int:
    """Where clients connect: the first TCP endpoint's port, the usual one when others than we open it."""
    found = next((match for match in map(_PORT.match, endpoints) if match), None)
    return int(found[1]) if found else usual
