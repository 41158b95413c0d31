"""The public site with everything about set-up, from a configuration's text."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock

from tests.fakes.website import ask
from trekd.config.loader import load
from trekd.config.schema import Config
from trekd.web.setup.routes import publish
from trekd.web.setup.settings import ClientSettings, client_settings
from trekd.web.site import HTTPSite, public_site

CONFIG = """\
[server]
hostname = "mail.example.net"
domains = ["example.com", "bücher.example"]
[tls]
certificate = "a.pem"
key = "a.key"
"""


def config(more: str = "") -> Config:
    """A configuration, with further sections."""
    return load(CONFIG + more, "/etc/trekmail.toml")


def settings(more: str = "") -> ClientSettings:
    """The settings of that configuration."""
    return client_settings(config(more))


def site(more: str = "", sign: Callable[[bytes], bytes | None] = lambda octets: None) -> HTTPSite:
    """Its public site."""
    made = public_site("mail.example.net", Clock(), lambda: b"")
    publish(made, lambda: settings(more), maybeDeferred, sign)
    return made


def fetch(
    where: HTTPSite, path: str, *headers: str, host: str = "mail.example.net", method: str = "GET", body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    """One request; status, header by lower-case name, body."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}", *headers, "", ""]
    head, _, content = ask(where, "\r\n".join(lines).encode() + body)[0].partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    fields = dict(line.split(": ", 1) for line in rest)
    return int(first.split()[1]), {name.lower(): value for name, value in fields.items()}, content
