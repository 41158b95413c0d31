"""L{trekd.wiring}: a configuration becomes the parts of a daemon; a reload changes what it says it changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.certificates import make_certificate
from tests.fakes.connections import FakeConnection
from tests.fakes.inmemory import InMemoryReactor
from trekd.assembly.host import Host
from trekd.config.loader import load
from trekd.config.schema import Config, TLSConfig
from trekd.errors import ConfigFault, TooManyUnauthenticated
from trekd.queue.interfaces import Route, RouteKind
from trekd.values import Address
from trekd.wiring import compose

CONFIG = """\
[server]
hostname = "mail.example.com"
domains = ["example.com"]
data_dir = "data"
[tls]
certificate = "mail.example.com.pem"
key = "mail.example.com.key"
[listen]
imaps = ["tcp:993"]
imap = ["tcp:143"]
submissions = ["tcp:465"]
submission = ["tcp:587"]
https = ["tcp:443"]
http = ["tcp:80", "tcp:8080"]
lmtp = ["unix:lmtp"]
control = ["unix:control"]
[store]
backend = "memory"
"""


def read(directory: Path, more: str = "", **replaced: str) -> Config:
    """The configuration, with keys of other values."""
    lines = [
        f"{line.split(' = ')[0]} = {replaced[line.split(' = ')[0]]}" if line.split(" = ")[0] in replaced else line
        for line in CONFIG.splitlines()
    ]
    return load("\n".join(lines) + f"\n{more}", str(directory / "trekmail.toml"))


def no_reload() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Nobody asks."""
    raise AssertionError


def composed(config: Config) -> Host:
    return compose(config, InMemoryReactor(), no_reload)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    make_certificate(tmp_path, "mail.example.com")
    return composed(read(tmp_path))


def test_each_endpoint_of_each_service_gets_a_factory(host: Host, tmp_path: Path) -> None:
    assert [(service, endpoint) for service, endpoint, _ in host.listeners] == [
        ("imaps", "tcp:993"),
        ("imap", "tcp:143"),
        ("submissions", "tcp:465"),
        ("submission", "tcp:587"),
        ("lmtp", f"unix:{tmp_path}/lmtp"),
        ("https", "tcp:443"),
        ("http", "tcp:80"),
        ("http", "tcp:8080"),
        ("control", f"unix:{tmp_path}/control"),
    ]
    assert host.status()["listeners"][0] == ["imaps", "tcp:993"]
    assert host.status()["hostname"] == "mail.example.com"


def test_without_a_tls_listener_no_certificate_is_read(tmp_path: Path) -> None:
    config = read(tmp_path, imaps="[]", imap="[]", submissions="[]", submission="[]", https="[]", http="[]")
    assert composed(config).tls is None


def test_a_certificate_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigFault, match=r"mail\.example\.com\.pem"):
        composed(read(tmp_path))


def test_port_25_does_without_a_certificate(tmp_path: Path) -> None:
    """RFC 3207 §4: STARTTLS is offered where it can be."""
    off = dict.fromkeys(("imap", "submissions", "submission", "https", "http"), "[]")
    config = read(tmp_path, imaps='[]\nsmtp = ["tcp:25"]', **off)
    host = composed(replace(config, tls=TLSConfig()))
    assert ("smtp", "tcp:25") in [(service, endpoint) for service, endpoint, _ in host.listeners]
    assert host.tls is None
    make_certificate(tmp_path, "mail.example.com")
    assert composed(replace(config, server=replace(config.server, data_dir=str(tmp_path / "other")))).tls is not None


def test_a_scanner_that_nobody_has_is_named(tmp_path: Path) -> None:
    make_certificate(tmp_path, "mail.example.com")
    with pytest.raises(ConfigFault, match=r"\[reception\] filters = 'sieve': no such provider"):
        composed(read(tmp_path, '[reception]\nfilters = ["sieve"]\n'))


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    make_certificate(tmp_path, "mail.example.com")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigFault, match=r"data_dir = .*file/data"):
        composed(read(tmp_path, data_dir='"file/data"'))


def test_a_reload_takes_over_plans_and_limits_and_tells_what_it_left(host: Host, tmp_path: Path) -> None:
    """And tells it again at the next reload, for it still waits for a restart."""
    changed = read(
        tmp_path,
        "[plans.nano]\nconnections_per_ip = 1\n[limits]\nunauthenticated_per_ip = 1\n[imap]\nmax_nesting = 20\n",
        hostname='"other.example.com"',
    )
    assert host.reconfigure(changed) == (("limits", "plans", "tls"), ("imap", "server"))
    assert host.accounts.plan_figures["nano"].connections_per_ip == 1
    assert host.config.limits.unauthenticated_per_ip == 1
    assert host.config.imap.max_nesting == 50
    assert host.status()["hostname"] == "mail.example.com"
    assert host.reconfigure(changed) == (("tls",), ("imap", "server"))


def test_new_limits_count_for_the_next_connection(host: Host, tmp_path: Path) -> None:
    host.reconfigure(read(tmp_path, "[limits]\nunauthenticated_per_ip = 1\n"))
    host.accounts.ledger.open(FakeConnection())
    with pytest.raises(TooManyUnauthenticated):
        host.accounts.ledger.open(FakeConnection())
    assert len(host.accounts.ledger.connections()) == 1


def test_a_plan_that_went_is_gone(tmp_path: Path) -> None:
    make_certificate(tmp_path, "mail.example.com")
    host = composed(read(tmp_path, "[plans.big]\nquota = 0\n"))
    assert "big" in host.accounts.plan_figures
    host.reconfigure(read(tmp_path))
    assert set(host.accounts.plan_figures) == {"nano", "starter", "pro", "agency"}


def test_a_reload_reads_certificates_again(host: Host, tmp_path: Path) -> None:
    before: Any = host.tls
    assert before.reload_if_changed() is False
    make_certificate(tmp_path, "mail.example.com")
    assert host.reconfigure(read(tmp_path)) == (("tls",), ())
    assert before.reload_if_changed() is False


def test_a_bad_certificate_changes_nothing_at_all(host: Host, tmp_path: Path) -> None:
    (tmp_path / "mail.example.com.key").write_text("no key")
    with pytest.raises(ConfigFault, match="key"):
        host.reconfigure(read(tmp_path, "[plans.nano]\nconnections_per_ip = 1\n"))
    assert host.accounts.plan_figures["nano"].connections_per_ip == 10
    assert host.config == read(tmp_path)


SMARTHOST = """[relay]
smarthost = "smtp.example.net:587"
smarthost_user = "site"
smarthost_password_file = "secret"
"""


def test_the_relay_takes_the_configured_way(tmp_path: Path) -> None:
    make_certificate(tmp_path, "mail.example.com")
    (tmp_path / "secret").write_text("password\n")
    route, address = Route(RouteKind.RELAY), Address("b", "remote.example")
    assert composed(read(tmp_path, SMARTHOST)).mail_out.relay.lane(route, address) == "smarthost"
    assert composed(read(tmp_path)).mail_out.relay.lane(route, address) == "mx:remote.example"


@pytest.mark.parametrize(("octets", "complaint"), [(b"", "its first line is empty"), (b"\xff\n", "is no text")])
def test_a_password_that_is_none_is_named(tmp_path: Path, octets: bytes, complaint: str) -> None:
    make_certificate(tmp_path, "mail.example.com")
    (tmp_path / "secret").write_bytes(octets)
    with pytest.raises(ConfigFault, match=rf"\[relay\] smarthost_password_file = .*secret': {complaint}"):
        composed(read(tmp_path, SMARTHOST))
    (tmp_path / "secret").unlink()
    with pytest.raises(ConfigFault, match="No such file"):
        composed(read(tmp_path, SMARTHOST))
