"""Postfix as the outside world: private instances, each with a directory and ports of its own."""

from __future__ import annotations

import os
import pwd
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.clients.programs import require

START_TIME = 30.0
STOP_TIME = 30.0

SETTINGS = """\
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file_prefixes = {directory}
maillog_file = {directory}/log
mynetworks = 127.0.0.0/8
inet_protocols = ipv4
inet_interfaces = loopback-only
smtputf8_enable = yes
biff = no
alias_maps =
alias_database =
mydestination =
local_transport = error:nobody lives here
virtual_mailbox_base = {directory}/mail
virtual_mailbox_maps = static:box/
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
"""

SERVICES = """\
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
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def require_postfix() -> None:
    """Skip the test, loudly, where no Postfix can be started: it must be installed, and needs root."""
    require("postfix")
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: only root can start Postfix")


class Postfix:
    """
    One instance.

    @ivar directory: of everything that belongs to it.
    """

    def __init__(self, directory: Path, settings: Mapping[str, str], services: Mapping[str, str]) -> None:
        """
        @param settings: of main.cf, added to ours and replacing them.
        @param services: of master.cf: what it listens at, such as C{127.0.0.1:2525}, to the options of C{smtpd}
            there, such as C{-o smtpd_tls_wrappermode=yes}.
        """
        self.directory = directory
        owner = pwd.getpwnam("nobody")
        self._configuration = directory / "etc"
        for name in ("etc", "queue", "data", "mail"):
            (directory / name).mkdir(parents=True)
        for above in (directory, *directory.parents[:-1]):
            above.chmod(above.stat().st_mode | 0o011)
        os.chown(directory / "mail", owner.pw_uid, owner.pw_gid)
        os.chown(directory / "data", pwd.getpwnam("postfix").pw_uid, -1)
        text = SETTINGS.format(directory=directory, uid=owner.pw_uid, gid=owner.pw_gid)
        lines = dict(line.split(" =", 1) for line in text.splitlines())
        lines.update({name: f" {value}" for name, value in settings.items()})
        (self._configuration / "main.cf").write_text("".join(f"{name} ={value}\n" for name, value in lines.items()))
        listeners = "".join(f"{place} inet n - n - - smtpd {options}\n" for place, options in services.items())
        (self._configuration / "master.cf").write_text(SERVICES + listeners)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """Everything it logged."""
        path = self.directory / "log"
        return path.read_text() if path.exists() else ""

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        self._postfix("check")
        with open(self.directory / "errors", "wb") as errors:
            self.process = subprocess.Popen(
                ["/usr/lib/postfix/sbin/master", "-c", str(self._configuration), "-d"],
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_TIME
        while "daemon started" not in self.log:
            if self.process.poll() is not None or time.monotonic() > deadline:
                errors_and_log = (self.directory / "errors").read_text() + self.log
                raise AssertionError(f"Postfix did not start:\n{errors_and_log}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it, if it runs, and what it started."""
        if self.process is None:
            return
        self.process.terminate()
        self.process.wait(STOP_TIME)
        self.process = None

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
        """Try what is queued now."""
        self._postfix("flush")

    def queued(self) -> int:
        """How many messages wait or are worked on."""
        names = ("maildrop", "incoming", "active", "deferred", "hold")
        return sum(len(files) for name in names for _, _, files in os.walk(self.directory / "queue" / name))

    def received(self) -> list[bytes]:
        """What lies in its only mailbox, in no order."""
        return [path.read_bytes() for path in (self.directory / "mail/box/new").glob("*")]

    def _postfix(self, command: str) -> None:
        finished = subprocess.run(
            ["postfix", "-c", str(self._configuration), command], capture_output=True, timeout=60, check=False
        )
        assert finished.returncode == 0, finished
