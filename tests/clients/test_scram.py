"""GNU SASL's gsasl logs in with SCRAM, bound to the TLS connection and not."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator

import pytest

from tests.clients.daemon import PASSWORD, Daemon
from tests.clients.programs import require

MECHANISMS = '[login]\nmechanisms = ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"]\n'


@pytest.fixture(scope="module")
def scram_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that offers both mechanisms."""
    daemon = Daemon(tmp_path_factory.mktemp("scram"), MECHANISMS)
    try:
        daemon.start()
        daemon.add_accounts({"alice@example.com": "pro"})
        yield daemon
    finally:
        daemon.close()


def gsasl(
    daemon: Daemon, service: str, mechanism: str, password: str, *options: str
) -> subprocess.CompletedProcess[str]:
    """Log in over STARTTLS."""
    port = daemon.ports[{"imap": "imap", "smtp": "submission"}[service]]
    command = [require("gsasl"), f"--{service}", f"--connect=localhost:{port}", "--starttls"]
    command += [f"--x509-ca-file={daemon.certificate}", "--mechanism", mechanism, *options]
    command += ["-a", "alice@example.com", "-z", "alice@example.com", "-p", password]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, input="", check=False)


@pytest.mark.parametrize("service", ["imap", "smtp"])
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "PLAIN", "LOGIN"])
def test_login(scram_daemon: Daemon, service: str, mechanism: str) -> None:
    """With a right password only."""
    options = ("--no-cb",) if mechanism == "SCRAM-SHA-256" else ()
    right = gsasl(scram_daemon, service, mechanism, PASSWORD, *options)
    assert right.returncode == 0, right.stdout + right.stderr
    wrong = gsasl(scram_daemon, service, mechanism, "wrong", *options)
    assert wrong.returncode != 0
    assert "Logged in" not in wrong.stdout


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_binding_under_each_version_of_tls(scram_daemon: Daemon, version: str) -> None:
    """tls-unique under 1.2, tls-exporter under 1.3."""
    priority = f"--priority=NORMAL:-VERS-ALL:+VERS-TLS{version}"
    bound = gsasl(scram_daemon, "imap", "SCRAM-SHA-256-PLUS", PASSWORD, priority)
    assert bound.returncode == 0, bound.stdout + bound.stderr


def test_account_without_keys_gets_them_at_its_next_login(scram_daemon: Daemon) -> None:
    """An account from before."""
    scram_daemon.stop()
    (file,) = scram_daemon.directory.rglob("directory.sqlite")
    with sqlite3.connect(file) as database:
        database.execute("UPDATE account SET scram = NULL")
    scram_daemon.start()
    assert gsasl(scram_daemon, "imap", "SCRAM-SHA-256", PASSWORD, "--no-cb").returncode != 0
    assert gsasl(scram_daemon, "imap", "PLAIN", PASSWORD).returncode == 0
    assert gsasl(scram_daemon, "imap", "SCRAM-SHA-256", PASSWORD, "--no-cb").returncode == 0
