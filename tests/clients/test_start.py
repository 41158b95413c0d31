"""The start and the reload of the daemon: what a sysadmin sees when something is wrong."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from tests.clients.daemon import PASSWORD, TWISTD, Daemon
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
        monkeypatch.setitem(os.environ, "WATCHDOG_USEC", "300000000")
        own_daemon.start()
        assert own_daemon.process is not None
        assert notify.recv(4096) == b"READY=1"
        assert notify.recv(4096) == b"WATCHDOG=1"
        own_daemon.process.send_signal(signal.SIGHUP)
        assert notify.recv(4096) == b"RELOADING=1"
        assert notify.recv(4096) == b"READY=1"
        assert own_daemon.stop() in (0, -signal.SIGTERM)
        assert notify.recv(4096) == b"STOPPING=1"


def served_certificate(daemon: Daemon) -> str:
    return ssl.get_server_certificate(("127.0.0.1", daemon.ports["imaps"]))


def test_hangup_reloads_certificates_and_says_what_needs_a_restart(own_daemon: Daemon) -> None:
    own_daemon.start()
    before = served_certificate(own_daemon)
    make_certificate(own_daemon.directory, "mail.example.com", "localhost")
    text = own_daemon.config.read_text()
    changed = text.replace('lmtp = ["unix:lmtp"]', 'lmtp = ["unix:lmtp", "unix:another"]')
    assert changed != text
    own_daemon.config.write_text(changed)
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


def open_tls(daemon: Daemon, service: str) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", daemon.ports[service]), 30)
    return daemon.client_tls.wrap_socket(plain, server_hostname="localhost")


def test_sigterm_takes_leave_of_sessions(own_daemon: Daemon) -> None:
    """IMAP in BYE (RFC 3501 §7.1.5), SMTP in 421 (RFC 5321 §3.8); an APPEND under way is kept or not acknowledged."""
    own_daemon.start()
    assert own_daemon.process is not None
    with (
        open_tls(own_daemon, "imaps") as imap,
        open_tls(own_daemon, "submissions") as smtp,
        open_tls(own_daemon, "imaps") as appending,
    ):
        for session, begin in ((imap, b"* OK"), (smtp, b"220 "), (appending, b"* OK")):
            assert session.recv(4096).startswith(begin)
        for session in (imap, appending):
            session.sendall(f'a LOGIN alice@example.com "{PASSWORD}"\r\n'.encode())
            assert b"a OK" in session.recv(4096)
        smtp.sendall(b"EHLO client.example.com\r\n")
        assert b"250 " in smtp.recv(4096)
        message = b"Subject: last\r\n\r\nwords\r\n"
        whole = b"b APPEND INBOX {%d+}\r\n%b\r\n" % (len(message), message)
        appending.sendall(whole * 20)
        own_daemon.process.send_signal(signal.SIGTERM)
        assert b"* BYE" in read_to_end(imap)
        assert b"421 " in read_to_end(smtp)
        acknowledged = read_to_end(appending).count(b"b OK")
    assert own_daemon.process.wait(30) in (0, -signal.SIGTERM)
    own_daemon.process = None
    own_daemon.start()
    account = own_daemon.trekctl_json("account", "show", "alice@example.com")
    assert isinstance(account, dict)
    assert acknowledged <= account.get("messages", 0) <= 20
    assert own_daemon.trekctl_json("check") == [{"account": "alice@example.com", "complaints": []}]


def read_to_end(session: ssl.SSLSocket) -> bytes:
    """What comes until the connection ends, however it ends."""
    octets = b""
    try:
        while piece := session.recv(65536):
            octets += piece
    except OSError:
        pass
    return octets


def test_log_json_has_a_line_for_login_refusal_and_delivery(own_daemon: Daemon) -> None:
    """And nothing else than JSON, and no password."""
    own_daemon.start("--log-json")
    with open_tls(own_daemon, "imaps") as imap:
        imap.sendall(b'a LOGIN alice@example.com "not her secret"\r\n')
        imap.sendall(f'b LOGIN alice@example.com "{PASSWORD}"\r\nc LOGOUT\r\n'.encode())
        assert b"b OK" in read_to_end(imap)
    with smtplib.LMTP(own_daemon.lmtp) as lmtp:
        lmtp.sendmail("out@example.net", "bob@example.com", b"Subject: words\r\n\r\nsecret words\r\n")
    own_daemon.stop()
    events = [json.loads(line) for line in own_daemon.log.splitlines()]
    assert all({"time", "level", "room", "message"} <= event.keys() for event in events)

    def find(begin: str) -> dict[str, object]:
        (event,) = (event for event in events if event["message"].startswith(begin))
        return event  # type: ignore[no-any-return]

    login = find("login ")
    assert (login["principal"], login["peer"], login["service"]) == ("alice@example.com", "127.0.0.1", "imap")
    refusal = find("refused login ")
    assert (refusal["login"], refusal["reason"]) == ("alice@example.com", "wrong name or password")
    assert refusal["session"] == login["session"]
    delivery = find("delivered ")
    assert (delivery["principal"], delivery["mailbox"]) == ("bob@example.com", "INBOX")
    for secret in (PASSWORD, "not her secret", "secret words"):
        assert secret not in own_daemon.log
