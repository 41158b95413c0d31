"""Servers that mail goes out to and whose TLS is not what it must be: a smart host, providers of users, exchangers."""

from __future__ import annotations

import re
import smtplib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from tests.clients.daemon import PASSWORD, Daemon, free_ports
from tests.clients.postfix import Postfix, require_postfix
from tests.fakes.authority import Issued, issue
from tests.fakes.nameserver import NameServerProcess

PATIENCE = 30.0
SERVERS = ("good", "named", "expired", "unknown", "old", "naked")
"""By what is wrong: another's name, out of date, signed by itself, TLS of the last century, none."""
BAD = ("named", "expired", "unknown")
WHY = {
    "named": "it is not for localhost",
    "expired": "certificate has expired",
    "unknown": "self-signed certificate",
    "old": "protocol",
    "naked": "STARTTLS",
}

pytestmark = pytest.mark.slow


class World:
    """
    A Postfix with a port for each of L{SERVERS}, and authorities of which one is trusted.

    @ivar ports: by server.
    """

    def __init__(self, directory: Path) -> None:
        require_postfix()
        self.directory = directory
        self.ports = dict(zip(SERVERS, free_ports(len(SERVERS)), strict=True))
        authority = issue(None, "The authority", is_authority=True)
        self.trusted = directory / "authority.pem"
        self.trusted.write_bytes(authority.certificate.public_bytes(serialization.Encoding.PEM))
        shown = {
            "good": issue(authority, "localhost", "mx.outside.example"),
            "named": issue(authority, "smtp.provider.example"),
            "expired": issue(authority, "localhost", days=-1),
            "unknown": issue(None, "localhost", "mx.outside.example"),
        }
        services = {f"127.0.0.1:{self.ports[name]}": self._options(name, shown) for name in SERVERS}
        settings = {"myhostname": "mx.outside.example", "virtual_mailbox_domains": "outside.example"}
        self.postfix = Postfix(directory / "postfix", settings, services)
        self.names = NameServerProcess(
            directory, {"outside.example": ["MX 10 mx.outside.example."], "mx.outside.example": ["A 127.0.0.1"]}
        )
        self.postfix.start()

    def _options(self, name: str, shown: dict[str, Issued]) -> str:
        if name == "naked":
            return ""
        path = self.directory / f"{name}.pem"
        path.write_bytes(shown.get(name, shown["good"]).pem)
        words = {"smtpd_tls_security_level": "may", "smtpd_tls_cert_file": path, "smtpd_tls_received_header": "yes"}
        words |= {"smtpd_tls_key_file": path}
        words |= {"smtpd_tls_protocols": "TLSv1"} if name == "old" else {}
        return " ".join(f"-o {key}={value}" for key, value in words.items())

    def daemon(self, name: str, relay: str) -> Daemon:
        """A daemon that starts, with alice and one account for each server."""
        place = self.directory / name
        place.mkdir()
        dns = f'[dns]\nservers = ["127.0.0.1:{self.names.port}"]\n'
        keys = f'[relay]\nallowed_networks = ["127.0.0.0/8"]\ntrusted = "{self.trusted}"\n'
        made = Daemon(place, dns + keys + relay)
        made.add_accounts({f"{who}@example.com": "pro" for who in ("alice", *SERVERS)})
        made.start()
        return made

    def arrived(self, subject: str) -> list[str]:
        """Messages of a subject that reached the other side, header and all."""
        texts = [octets.decode() for octets in self.postfix.received()]
        return [text for text in texts if f"Subject: {subject}\n" in text]

    def close(self) -> None:
        """End it."""
        self.postfix.stop()
        self.names.close()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with TemporaryDirectory(prefix="trekmail-") as directory:
        Path(directory).chmod(0o755)
        made = World(Path(directory))
        try:
            yield made
        finally:
            made.close()


def submit(daemon: Daemon, subject: str, who: str = "alice") -> None:
    with smtplib.SMTP_SSL("localhost", daemon.ports["submissions"], context=daemon.client_tls) as client:
        client.login(f"{who}@example.com", PASSWORD)
        message = f"From: {who}@example.com\r\nSubject: {subject}\r\n\r\n{subject}\r\n"
        client.sendmail(f"{who}@example.com", ["bob@outside.example"], message)


def until(condition: Callable[[], bool], daemon: Daemon) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, daemon.log
        time.sleep(0.1)


def tried(daemon: Daemon, who: str) -> dict[str, Any]:
    """The queued message of an account, once it was tried."""
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        listed: Any = daemon.trekctl_json("queue", "list", "--sender", f"{who}@example.com")
        found[:] = [one for one in listed["entries"] if one["attempts"]]
        return bool(found)

    until(is_there, daemon)
    return found[0]


@pytest.fixture(scope="module")
def daemon(world: World) -> Iterator[Daemon]:
    """Each account has a profile of its own; what has none goes to an exchanger that speaks only TLS 1.0."""
    made = world.daemon("profiles", f"mx_port = {world.ports['old']}\n")
    for name in SERVERS:
        words = ("--host", "localhost", "--port", str(world.ports[name]), "--tls", "starttls", "--no-test")
        made.trekctl("smtp", "add", name, *words)
        made.trekctl("smtp", "use", name, "--mailbox", f"{name}@example.com")
    yield made
    made.close()


def test_a_provider_whose_tls_is_bad_gets_no_mail(world: World, daemon: Daemon) -> None:
    """What waits says why, in the queue and at the profile; nothing was said in clear."""
    submit(daemon, "profile good", "good")
    until(lambda: bool(world.arrived("profile good")), daemon)
    assert "using TLSv1.3" in world.arrived("profile good")[0]
    for name, why in WHY.items():
        submit(daemon, f"profile {name}", name)
        entry = tried(daemon, name)
        assert (entry["attempts"], entry["held_by"]) == (1, ""), name
        assert re.search(why, entry["reply"]), (name, entry)
        assert entry["due"] > entry["last_attempt"]
        shown = daemon.trekctl("queue", "show", str(entry["number"]))
        assert re.search(rf"last reply +localhost\[127\.0\.0\.1\] said: .*{why}", shown), shown
        listed = daemon.trekctl("smtp", "list")
        state = rf"FAILS since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\dZ: .*{why}"
        assert re.search(rf"^{name} .* {state}", listed, re.MULTILINE), listed
        assert not world.arrived(f"profile {name}")
    assert re.search(r"^good .* -$", listed, re.MULTILINE), listed


def test_a_certificate_that_was_replaced_lets_the_mail_go(world: World, daemon: Daemon) -> None:
    submit(daemon, "replaced", "named")
    tried(daemon, "named")
    daemon.trekctl("smtp", "set", "named", "--port", str(world.ports["good"]), "--no-test")
    until(lambda: bool(world.arrived("replaced")), daemon)
    assert re.search(r"^named .* -$", daemon.trekctl("smtp", "list"), re.MULTILINE)


def test_an_exchanger_gets_mail_whatever_its_tls(world: World, daemon: Daemon) -> None:
    """RFC 7435 §3: nobody demanded more of it."""
    submit(daemon, "clear")
    until(lambda: bool(world.arrived("clear")), daemon)
    (text,) = world.arrived("clear")
    assert "with ESMTP id" in text and "TLSv1" not in text
    assert "in clear to mx.outside.example[127.0.0.1]: TLS failed" in daemon.log


@pytest.mark.parametrize("server", ["unknown", "named", "expired"])
def test_an_exchanger_may_show_any_certificate(world: World, server: str) -> None:
    """It is used for what it is worth: against those who only listen."""
    daemon = world.daemon(f"exchanger-{server}", f"mx_port = {world.ports[server]}\n")
    try:
        submit(daemon, f"exchanger {server}")
        until(lambda: bool(world.arrived(f"exchanger {server}")), daemon)
        assert "using TLSv1.3" in world.arrived(f"exchanger {server}")[0]
    finally:
        daemon.close()


@pytest.mark.parametrize("server", [*BAD, "naked"])
def test_a_smart_host_whose_tls_is_bad_gets_no_mail(world: World, server: str) -> None:
    daemon = world.daemon(f"host-{server}", f'smarthost = "localhost:{world.ports[server]}"\n')
    try:
        for number in range(3):
            submit(daemon, f"host {server}{number}")
            until(lambda: daemon.log.count(", smarthost: deferred, ") == number + 1, daemon)  # noqa: B023
        entry = tried(daemon, "alice")
        assert entry["lane"] == "smarthost" and re.search(WHY[server], entry["reply"]), entry
        assert re.search(rf"^smarthost +rests for .*{WHY[server]}", daemon.trekctl("queue", "list"), re.MULTILINE)
        assert not [text for number in range(3) for text in world.arrived(f"host {server}{number}")]
    finally:
        daemon.close()


def test_where_tls_is_required_nothing_goes_in_clear(world: World) -> None:
    """C{relay.tls = "required"}: no fallback."""
    for server in ("old", "naked"):
        daemon = world.daemon(f"required-{server}", f'tls = "required"\nmx_port = {world.ports[server]}\n')
        try:
            submit(daemon, f"required {server}")
            assert re.search(WHY[server], tried(daemon, "alice")["reply"])
            assert not world.arrived(f"required {server}")
        finally:
            daemon.close()
