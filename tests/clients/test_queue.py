"""A started daemon's queue: trekctl shows and steers it, a restart keeps it, a damaged one is said at the start."""

from __future__ import annotations

import smtplib
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.clients.daemon import PASSWORD, TWISTD, Daemon, free_ports
from tests.clients.programs import require, run
from tests.clients.test_imaplib import log_in


def submit(daemon: Daemon, *recipients: str) -> None:
    run(
        *(require("swaks"), "--server", "127.0.0.1", "--port", str(daemon.ports["submissions"]), "--tls-on-connect"),
        *("--auth", "PLAIN", "--auth-user", "alice@example.com", "--auth-password", PASSWORD),
        *("--from", "alice@example.com", "--to", ",".join(recipients), "--header", "Subject: waits"),
    )


def waiting(daemon: Daemon, *filters: str) -> list[dict[str, Any]]:
    found: Any = daemon.trekctl_json("queue", "list", *filters)
    entries: list[dict[str, Any]] = found["entries"]
    return entries


class SmartHost(threading.Thread):
    """A server on a port of its own that takes everything, but for recipients that begin with C{nobody}."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.messages: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", port))

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rwb") as stream:
            stream.write(b"220 smart.example ESMTP\r\n")
            stream.flush()
            while line := stream.readline():
                stream.write(self._answer(line, stream))
                stream.flush()

    def _answer(self, line: bytes, stream: Any) -> bytes:
        if line.upper().startswith(b"RCPT TO:<NOBODY"):
            return b"550 5.1.1 nobody of that name\r\n"
        if not line.upper().startswith(b"DATA"):
            return b"250 2.0.0 OK\r\n"
        stream.write(b"354 go ahead\r\n")
        stream.flush()
        octets = b""
        while (more := stream.readline()) not in (b".\r\n", b""):
            octets += more
        self.messages.append(octets)
        return b"250 2.0.0 taken\r\n"


def with_smart_host(daemon: Daemon) -> int:
    """Let mail leave through a port of this machine, on which nobody listens yet."""
    (port,) = free_ports(1)
    more = f'\n[relay]\nsmarthost = "127.0.0.1:{port}"\nsmarthost_tls = "none"\n'
    daemon.config.write_text(daemon.config.read_text() + more)
    return port


def until(answer: Callable[[], object], daemon: Daemon) -> None:
    """Ask again and again."""
    deadline = time.monotonic() + 30
    while not answer():
        assert time.monotonic() < deadline, daemon.log
        time.sleep(0.05)


def test_the_queue_is_steered_and_survives_a_restart(own_daemon: Daemon) -> None:
    port = with_smart_host(own_daemon)
    own_daemon.start()
    submit(own_daemon, "one@elsewhere.example", "two@elsewhere.example", "three@other.example")
    assert "one@elsewhere.example" in own_daemon.trekctl("queue", "list", "--sender", "alice@example.com")
    until(lambda: all(one["attempts"] for one in waiting(own_daemon)), own_daemon)
    assert own_daemon.trekctl("queue", "hold", "--all", "--why", "not today") == "3 copies held\n"
    own_daemon.kill()
    host = SmartHost(port)
    host.start()
    own_daemon.start()
    assert [one["held"] for one in waiting(own_daemon, "--held")] == ["not today"] * 3
    number = str(waiting(own_daemon, "--recipient", "other.example")[0]["number"])
    assert "Subject: waits" in own_daemon.trekctl("queue", "show", number)
    assert own_daemon.trekctl("queue", "drop", "--recipient", "two@elsewhere.example") == "1 copy dropped\n"
    assert own_daemon.trekctl("queue", "release", "--all") == "2 copies released\n"
    until(lambda: not waiting(own_daemon), own_daemon)
    assert len(host.messages) == 1 and b"Subject: waits" in host.messages[0]
    host.close()
    own_daemon.trekctl("queue", "drop", "--all", status=1)
    own_daemon.stop()
    assert "Traceback" not in own_daemon.log


def test_who_is_unknown_elsewhere_comes_back_and_is_refused_next_time(own_daemon: Daemon) -> None:
    host = SmartHost(with_smart_host(own_daemon))
    host.start()
    own_daemon.start()
    submit(own_daemon, "friend@elsewhere.example", "nobody@elsewhere.example")
    until(lambda: not waiting(own_daemon), own_daemon)
    assert len(host.messages) == 1
    with log_in(own_daemon, "alice") as client:
        client.select("INBOX", readonly=True)
        notice = client.fetch("*", "(BODY.PEEK[])")[1][0][1]
    assert b"Final-Recipient: rfc822; nobody@elsewhere.example\r\nAction: failed\r\nStatus: 5.1.1" in notice
    assert b"Diagnostic-Code: smtp; 550 5.1.1 nobody of that name" in notice
    with smtplib.SMTP_SSL("localhost", own_daemon.ports["submissions"], context=own_daemon.client_tls) as smtp:
        smtp.login("alice@example.com", PASSWORD)
        smtp.mail("alice@example.com")
        assert smtp.rcpt("friend@elsewhere.example")[0] == 250
        code, text = smtp.rcpt("nobody@elsewhere.example")
        assert code == 550 and b"nobody of that name" in text
        own_daemon.trekctl("queue", "suppressions", "remove", "nobody@elsewhere.example")
        assert smtp.rcpt("nobody@elsewhere.example")[0] == 250
    host.close()
    own_daemon.stop()
    assert "Traceback" not in own_daemon.log


def test_a_damaged_queue_is_said_and_nothing_is_thrown_away(own_daemon: Daemon) -> None:
    own_daemon.start()
    own_daemon.stop()
    path: Path = own_daemon.directory / "data" / "queue" / "queue.sqlite"
    path.write_bytes(b"damaged" * 4096)
    command = [TWISTD, "--nodaemon", "--pidfile=", "trekmail", "--config", str(own_daemon.config)]
    ended = subprocess.run(
        command, cwd=own_daemon.directory, env=own_daemon.environment, capture_output=True, timeout=60, check=False
    )
    said = (ended.stdout + ended.stderr).decode()
    assert ended.returncode != 0
    assert str(path) in said and "move it away" in said
    assert "Traceback" not in said
    assert path.read_bytes() == b"damaged" * 4096
