"""Debian's unbound as the validating resolver of a test: a private instance that knows one signed zone."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import dns.message
import dns.query

from tests.clients.daemon import free_ports
from tests.clients.programs import require
from tests.fakes.signedzone import SignedZone

START_TIME = 30.0

CONFIG = """\
server:
  directory: "{directory}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  verbosity: 1
  do-daemonize: no
  num-threads: 1
  port: {port}
{interfaces}
  access-control: 0.0.0.0/0 allow
  module-config: "validator iterator"
  trust-anchor: "{anchor}"
  val-log-level: 2
  do-ip6: no
  local-zone: "com." refuse
  local-zone: "net." refuse
remote-control:
  control-enable: no
auth-zone:
  name: "{apex}"
  zonefile: "{directory}/zone"
  for-upstream: yes
  for-downstream: no
  fallback-enabled: no
"""


class Unbound:
    """
    One instance, running.

    @ivar port: UDP and TCP, at each of its addresses.
    """

    def __init__(self, directory: Path, apex: str, zone: SignedZone, addresses: Sequence[str] = ("127.0.0.1",)) -> None:
        program = require("unbound")
        (self.port,) = free_ports(1)
        (directory / "zone").write_text(zone.text)
        (directory / "unbound.conf").write_text(
            CONFIG.format(
                directory=directory,
                port=self.port,
                interfaces="\n".join(f"  interface: {address}" for address in addresses),
                anchor=zone.anchor,
                apex=apex,
            )
        )
        self._log = directory / "unbound.log"
        with open(self._log, "wb") as log:
            command = [program, "-d", "-p", "-c", str(directory / "unbound.conf")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + START_TIME
        while not self._answers(apex, addresses[0]):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"unbound did not start:\n{self.log}")
            time.sleep(0.05)

    @property
    def log(self) -> str:
        """What it said."""
        return self._log.read_text()

    def _answers(self, apex: str, address: str) -> bool:
        try:
            dns.query.tcp(dns.message.make_query(apex, "SOA"), address, 1, self.port)
        except (OSError, EOFError, dns.exception.DNSException):
            return False
        return True

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(30)
