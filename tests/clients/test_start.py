"""The start and the reload of the daemon: what a sysadmin sees when something is wrong."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from tests.clients.daemon import TWISTD, Daemon
from tests.fakes.certificates import make_certificate


def start_fails(daemon: Daemon) -> str:
    """Standard error of a start that ends with status 1."""
    finished = subprocess.run(
        [TWISTD, "--nodaemon", "--pidfile=", "trekmail", "--config", str(daemon.config)],
        cwd=daemon.directory,
        env=daemon.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 1, finished
    assert "Traceback" not in finished.stdout + finished.stderr
    return finished.stderr


def test_a_busy_port_ends_the_start(own_daemon: Daemon) -> None:
    with socket.create_server(("127.0.0.1", own_daemon.ports["imaps"])):
        complaint = start_fails(own_daemon)
    assert complaint.count("\n") == 1
    assert "imaps" in complaint and "another program" in complaint


def test_an_unreadable_key_ends_the_start(own_daemon: Daemon) -> None:
    Path(own_daemon.certificate).with_suffix(".key").unlink()
    complaint = start_fails(own_daemon)
    assert complaint.count("\n") == 1
    assert ".key" in complaint and "No such file" in complaint


def test_every_mistake_of_the_configuration_is_told_at_once(own_daemon: Daemon) -> None:
    text = own_daemon.config.read_text()
    own_daemon.config.write_text(text.replace("hostname", "hostnam") + '[imap]\nidle_timeout = "5m"\n')
    complaint = start_fails(own_daemon)
    assert "hostname" in complaint and "idle_timeout" in complaint
    assert f"{own_daemon.config}:2:" in complaint
    assert own_daemon.trekctl("check-config", status=1).count("idle_timeout") == 1


def test_a_missing_configuration_is_named(own_daemon: Daemon) -> None:
    own_daemon.config.unlink()
    assert "trekmail.toml: No such file" in start_fails(own_daemon)


def test_readiness_is_told_after_all_ports_listen(own_daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(own_daemon.directory / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(30)
        monkeypatch.setitem(os.environ, "NOTIFY_SOCKET", path)
        own_daemon.start()
        assert b"READY=1" in notify.recv(4096)
        assert own_daemon.stop() in (0, -signal.SIGTERM)
        assert b"STOPPING=1" in notify.recv(4096)


def served_certificate(daemon: Daemon) -> str:
    return ssl.get_server_certificate(("127.0.0.1", daemon.ports["imaps"]))


def test_hangup_reloads_certificates_and_says_what_needs_a_restart(own_daemon: Daemon) -> None:
    own_daemon.start()
    before = served_certificate(own_daemon)
    make_certificate(own_daemon.directory, "mail.example.com", "localhost")
    text = own_daemon.config.read_text()
    own_daemon.config.write_text(text.replace("smtp = []", f'smtp = ["unix:{own_daemon.directory}/smtp"]'))
    own_daemon.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 10
    while served_certificate(own_daemon) == before:
        assert time.monotonic() < deadline
    while "need a restart" not in own_daemon.log:
        assert time.monotonic() < deadline
    assert "listen" in own_daemon.log.rpartition("need a restart")[2]
    # A mistake changes nothing.
    own_daemon.config.write_text("nonsense")
    assert "nonsense" not in own_daemon.trekctl("status", status=1)


def test_old_tls_is_refused(daemon: Daemon) -> None:
    for service in ("imaps", "submissions", "https"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning):
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with (
            socket.create_connection(("127.0.0.1", daemon.ports[service])) as plain,
            pytest.raises(ssl.SSLError),
        ):
            context.wrap_socket(plain)
