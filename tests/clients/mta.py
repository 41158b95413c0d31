"""
Private instances of Debian's Postfix: own configuration, queue, data and log, on one port of the loopback.

Postfix starts as root only; its own user must be able to reach what its configuration names.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.clients.daemon import free_ports
from tests.clients.programs import require

START_TIME = 60.0

MAIN = {
    "compatibility_level": "3.6",
    "inet_interfaces": "127.0.0.1",
    "inet_protocols": "ipv4",
    "myhostname": "mx.example.net",
    "mydestination": "",
    "mynetworks": "",
    "alias_maps": "",
    "local_recipient_maps": "",
    "maillog_file_prefixes": "/",
    "smtputf8_enable": "yes",
}

MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """
    One instance.

    @ivar port: of its smtpd, on 127.0.0.1.
    @ivar directory: open to all, for files and sockets that Postfix has to reach.
    """

    def __init__(self) -> None:
        self._program = require("postfix")
        if os.geteuid() != 0:
            pytest.skip("NOT TESTED: Postfix starts as root only")
        self.directory = Path(tempfile.mkdtemp(prefix="postfix-"))
        self.directory.chmod(0o755)
        (self.port,) = free_ports(1)
        self._config = self.directory / "etc"

    def start(self, settings: Mapping[str, str], services: str = "") -> None:
        """
        Start it and wait until it answers.

        @param settings: of main.cf, over L{MAIN}.
        @param services: further lines of master.cf.
        """
        for name in ("etc", "queue", "data"):
            (self.directory / name).mkdir(exist_ok=True)
        shutil.chown(self.directory / "data", "postfix", "postfix")
        own = {
            "queue_directory": str(self.directory / "queue"),
            "data_directory": str(self.directory / "data"),
            "maillog_file": str(self.directory / "log"),
        }
        lines = {**MAIN, **own, **settings}.items()
        (self._config / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in lines))
        (self._config / "master.cf").write_text(MASTER.format(port=self.port) + services)
        self._run("start")
        deadline = time.monotonic() + START_TIME
        while not self._is_running():
            assert time.monotonic() < deadline, self.log
            time.sleep(0.1)

    def stop(self) -> None:
        """End it and remove its files."""
        if (self._config / "main.cf").exists():
            subprocess.run([self._program, "-c", str(self._config), "abort"], capture_output=True, check=False)
            deadline = time.monotonic() + START_TIME
            while self._is_running() and time.monotonic() < deadline:
                time.sleep(0.05)
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def log(self) -> str:
        """What it logged."""
        path = self.directory / "log"
        return path.read_text() if path.exists() else ""

    def logged(self, text: str) -> str:
        """Wait until the log has a line with the text; that line."""
        deadline = time.monotonic() + START_TIME
        while True:
            for line in self.log.splitlines():
                if text in line:
                    return line
            assert time.monotonic() < deadline, f"{text!r} is not in\n{self.log}"
            time.sleep(0.05)

    def flush(self) -> None:
        """Try what waits in its queue now."""
        self._run("flush")

    def _run(self, command: str) -> None:
        finished = subprocess.run(
            [self._program, "-c", str(self._config), command], capture_output=True, text=True, check=False, timeout=120
        )
        assert finished.returncode == 0, (command, finished, self.log)

    def _is_running(self) -> bool:
        finished = subprocess.run(
            [self._program, "-c", str(self._config), "status"], capture_output=True, check=False, timeout=60
        )
        return finished.returncode == 0
