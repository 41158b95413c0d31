"""A started daemon for tests with real clients: own directory, own ports, TLS, real files."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

from tests.fakes.certificates import make_certificate

ROOT = Path(__file__).resolve().parents[2]
TWISTD = str(Path(sys.executable).parent / "twistd")
PASSWORD = "correct horse"
SERVICES = ("imaps", "imap", "submissions", "submission", "smtp", "https", "http")
START_TIME = 30.0

CONFIG = """\
[server]
hostname = "mail.example.com"
domains = ["example.com"]
data_dir = "data"

[tls]
certificate = "mail.example.com.pem"
key = "mail.example.com.key"

[listen]
{ports}
lmtp = ["unix:lmtp"]
control = ["unix:control:mode=600"]

[directory]
backend = "local"

[reception]
greet_delay = 0
{reception}

[limits]
smtp_per_ip = 200
smtp_per_minute = 100000
failures_per_ip = 1000
failure_delay = 0
{more}
"""


NO_NAMES = """
[dns]
servers = ["127.0.0.1:1"]
timeout = 1
attempts = 1
"""
"""Nobody answers there: mail to other hosts waits, and no test asks the world's name servers."""


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Daemon:
    """One daemon in a directory; C{start} and C{kill} as often as a test likes."""

    prefix: tuple[str, ...] = ()
    """Words before the daemon's command line."""

    def __init__(self, directory: Path, more: str = "", address: str = "127.0.0.1", reception: str = "") -> None:
        self.directory = directory
        self.address = address
        self.ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
        self.config = directory / "trekmail.toml"
        self.certificate, _ = make_certificate(directory, "mail.example.com", "localhost")
        lines = (f'{name} = ["tcp:{port}:interface={address}"]' for name, port in self.ports.items())
        more += "" if "[dns]" in more else NO_NAMES
        self.config.write_text(CONFIG.format(ports="\n".join(lines), more=more, reception=reception))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """For commands of ours, so that they run from the checkout."""
        return {**os.environ, "PYTHONPATH": str(ROOT)}

    @property
    def log(self) -> str:
        """Everything the daemon wrote so far, over all its starts."""
        return (self.directory / "log").read_text()

    @property
    def lmtp(self) -> str:
        """Path of the LMTP socket."""
        return str(self.directory / "lmtp")

    def start(self, *options: str) -> None:
        """Start, with further options of C{twistd trekmail}, and wait until it answers on every port."""
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                [
                    *(*self.prefix, TWISTD, "--nodaemon", "--pidfile="),
                    *("trekmail", "--config", str(self.config), *options),
                ],
                cwd=self.directory,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_TIME
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the daemon did not start:\n{self.log}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            for port in self.ports.values():
                self.connect(port).close()
        except OSError:
            return False
        return (self.directory / "control").exists() and (self.directory / "lmtp").exists()

    def connect(self, port: int) -> socket.socket:
        """A connection to one of its ports."""
        return socket.create_connection((self.address, port), 1)

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(30)
        self.process = None
        return status

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)
        self.process = None

    def close(self) -> None:
        """End it, if it runs."""
        if self.process is not None:
            self.kill()

    def trekctl(self, *arguments: str, input: str | None = None, status: int | None = 0) -> str:
        """Run C{trekctl}; its standard output, both outputs unless C{status} is 0 (C{None} accepts any)."""
        finished = subprocess.run(
            [sys.executable, "-m", "trekd.cli.main", "--config", str(self.config), *arguments],
            cwd=self.directory,
            env=self.environment,
            input=input,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert status in (None, finished.returncode), (arguments, finished)
        return finished.stdout if status == 0 else finished.stdout + finished.stderr

    def trekctl_json(self, *arguments: str) -> object:
        """Run C{trekctl --json}."""
        return json.loads(self.trekctl("--json", *arguments))

    def add_accounts(self, plans: dict[str, str], password: str = PASSWORD) -> None:
        """Add accounts, address to plan, to the embedded directory."""
        rows = (f"{address},{password},{plan}\n" for address, plan in plans.items())
        file = self.directory / "accounts.csv"
        file.write_text("address,password,plan\n" + "".join(rows))
        self.trekctl("account", "import", str(file))

    @property
    def client_tls(self) -> ssl.SSLContext:
        """A client's context that trusts the daemon's certificate, and only that."""
        return ssl.create_default_context(cafile=self.certificate)
