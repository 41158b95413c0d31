"""
DANE from end to end (RFC 7672): a signed zone, a resolver that validates it, exchangers that keep or break what their
domain promises, and the daemon between them.
"""

from __future__ import annotations

import hashlib
import smtplib
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.clients.daemon import PASSWORD, Daemon, free_ports
from tests.clients.hostile import wait_until
from tests.clients.postfix import Postfix, require_postfix
from tests.clients.unbound import Unbound
from tests.fakes.certificates import make_certificate
from tests.fakes.signedzone import SignedZone

pytestmark = pytest.mark.slow

PATIENCE = 60.0
DOMAINS = ("good", "wrong", "bogus", "none", "naked")
"""By what their zone says: the exchanger's key, another key, what no longer fits its signature, nothing, a key for a
server without TLS."""


def own_address() -> str | None:
    """An address of this host beside loopback; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            return None
        address: str = probe.getsockname()[0]
    return None if address.startswith("127.") else address


class World:
    """
    A zone, its resolver and a Postfix.

    @ivar port: of the exchanger with TLS.
    @ivar naked: of the one without.
    """

    def __init__(self, directory: Path) -> None:
        require_postfix()
        self.directory = directory
        self.port, self.naked = free_ports(2)
        names = [f"mx.{domain}.example" for domain in DOMAINS]
        certificate, key = make_certificate(directory, *names)
        settings = {
            "myhostname": "mx.good.example",
            "virtual_mailbox_domains": " ".join(f"{domain}.example" for domain in DOMAINS),
            "smtpd_tls_cert_file": certificate,
            "smtpd_tls_key_file": key,
            "smtpd_tls_received_header": "yes",
        }
        tls = "-o smtpd_tls_security_level=may"
        self.postfix = Postfix(
            directory / "postfix", settings, {f"127.0.0.1:{self.port}": tls, f"127.0.0.1:{self.naked}": ""}
        )
        self.digest = _key_digest(Path(certificate))
        zone = SignedZone("example", self._zone(), bogus=(f"_{self.port}._tcp.mx.bogus.example TLSA",))
        (directory / "dns").mkdir()
        self.outer = own_address()
        addresses = ("127.0.0.1", self.outer) if self.outer else ("127.0.0.1",)
        self.unbound = Unbound(directory / "dns", "example", zone, addresses)
        self.postfix.start()

    def _zone(self) -> dict[str, list[str]]:
        zone: dict[str, list[str]] = {}
        for domain in DOMAINS:
            zone[f"{domain}.example"] = [f"MX 10 mx.{domain}.example."]
            zone[f"mx.{domain}.example"] = ["A 127.0.0.1"]
        for domain, port, digest in (
            ("good", self.port, self.digest),
            ("wrong", self.port, "ab" * 32),
            ("bogus", self.port, self.digest),
            ("naked", self.naked, self.digest),
        ):
            zone[f"_{port}._tcp.mx.{domain}.example"] = [f"TLSA 3 1 1 {digest}"]
        return zone

    def daemon(self, name: str, resolver: str, port: int) -> Daemon:
        """A daemon that asks at an address and delivers to a port."""
        place = self.directory / name
        place.mkdir()
        dns = f'[dns]\nservers = ["{resolver}:{self.unbound.port}"]\n'
        made = Daemon(place, f'{dns}[relay]\nallowed_networks = ["127.0.0.0/8"]\nmx_port = {port}\n')
        made.add_accounts({"alice@example.com": "pro"})
        made.start()
        return made

    def arrived(self, domain: str) -> list[str]:
        """What arrived for a domain, header and all."""
        texts = [octets.decode() for octets in self.postfix.received()]
        return [text for text in texts if f"X-Original-To: bob@{domain}.example\n" in text]

    def close(self) -> None:
        """End everything."""
        self.postfix.stop()
        self.unbound.close()


def _key_digest(certificate: Path) -> str:
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    octets = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(octets).hexdigest()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with TemporaryDirectory(prefix="trekmail-") as directory:
        Path(directory).chmod(0o755)
        made = World(Path(directory))
        try:
            yield made
        finally:
            made.close()


@pytest.fixture(scope="module")
def daemon(world: World) -> Iterator[Daemon]:
    """It asks the resolver of its own host."""
    made = world.daemon("daemon", "127.0.0.1", world.port)
    yield made
    made.close()
    assert "Traceback" not in made.log


def submit(daemon: Daemon, domain: str) -> None:
    with smtplib.SMTP_SSL("localhost", daemon.ports["submissions"], context=daemon.client_tls) as client:
        client.login("alice@example.com", PASSWORD)
        message = f"From: alice@example.com\r\nSubject: to {domain}\r\n\r\nx\r\n"
        client.sendmail("alice@example.com", [f"bob@{domain}.example"], message)


def waits(daemon: Daemon, domain: str) -> str:
    """Why mail for a domain waits, once it was tried."""
    replies: list[str] = []

    def is_there() -> bool:
        listed: Any = daemon.trekctl_json("queue", "list")
        entries = [one for one in listed["entries"] if one["recipient"] == f"bob@{domain}.example"]
        replies[:] = [one["reply"] for one in entries if one["attempts"]]
        return bool(replies)

    wait_until(is_there, PATIENCE)
    return replies[0]


def demanded(daemon: Daemon, domain: str) -> dict[str, Any]:
    """What C{trekctl tls-policy} tells of a domain's only exchanger."""
    told: Any = daemon.trekctl_json("tls-policy", f"{domain}.example")
    (row,) = told["exchangers"]
    found: dict[str, Any] = row
    return found


def test_mail_goes_to_the_key_that_the_zone_promises(world: World, daemon: Daemon) -> None:
    row = demanded(daemon, "good")
    assert (row["security"], row["policy"], row["records"]) == ("dane", "tlsa", [f"3 1 1 {world.digest}"])
    submit(daemon, "good")
    wait_until(lambda: bool(world.arrived("good")), PATIENCE)
    assert "using TLSv1.3" in world.arrived("good")[0]
    (counted,) = daemon.trekctl_json("tls-policy", "good.example")["sessions"]  # type: ignore[call-overload, index]
    assert (counted["policy"], counted["result"], counted["sessions"]) == ("tlsa", "success", 1)


def test_mail_for_another_key_waits_and_says_why(world: World, daemon: Daemon) -> None:
    assert demanded(daemon, "wrong")["records"] == ["3 1 1 " + "ab" * 32]
    submit(daemon, "wrong")
    reply = waits(daemon, "wrong")
    assert "certificate" in reply and "DANE" in reply, reply
    assert not world.arrived("wrong")
    (counted,) = daemon.trekctl_json("tls-policy", "wrong.example")["sessions"]  # type: ignore[call-overload, index]
    assert counted["policy"] == "tlsa" and counted["result"] != "success"


def test_mail_waits_while_signatures_do_not_fit(world: World, daemon: Daemon) -> None:
    """RFC 7672 §2.1.1: a bogus answer is no answer; it is never taken for a domain without TLSA."""
    assert "no name server can tell" in demanded(daemon, "bogus")["error"]
    submit(daemon, "bogus")
    assert waits(daemon, "bogus")
    assert not world.arrived("bogus")
    assert "validation failure" in world.unbound.log


def test_a_signed_domain_without_records_gets_its_mail(world: World, daemon: Daemon) -> None:
    told: Any = daemon.trekctl_json("tls-policy", "none.example")
    assert told["secure"] and told["exchangers"][0]["security"] == "opportunistic"
    submit(daemon, "none")
    wait_until(lambda: bool(world.arrived("none")), PATIENCE)


def test_nothing_goes_in_clear_to_a_server_that_lost_its_tls(world: World) -> None:
    """RFC 7672 §2.2: TLSA records say that there is TLS; a server without is under attack or broken."""
    daemon = world.daemon("naked", "127.0.0.1", world.naked)
    try:
        submit(daemon, "naked")
        assert "STARTTLS" in waits(daemon, "naked")
        assert not world.arrived("naked")
    finally:
        daemon.close()


def test_the_word_of_another_hosts_resolver_is_not_believed(world: World) -> None:
    """The same resolver under an address that is not loopback: its AD bit may come from anybody (RFC 7672 §2.1.1)."""
    if world.outer is None:
        pytest.skip("NOT TESTED: this host has no address beside loopback")
    daemon = world.daemon("outer", world.outer, world.port)
    try:
        told: Any = daemon.trekctl_json("tls-policy", "wrong.example")
        assert not told["secure"] and told["exchangers"][0]["security"] == "opportunistic"
    finally:
        daemon.close()
