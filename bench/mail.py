"""
Mail taken and passed on, beside Debian's Postfix on the same disk: C{PYTHONPATH=. python -m bench.mail}, as root.

Nothing counts that did not arrive: local mailboxes are counted, and so is what a sink behind the relay took.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.client import Client
from bench.servers import PLANS, USER
from tests.clients.daemon import Daemon, free_ports
from tests.clients.postfix import Postfix
from tests.fakes.certificates import make_certificate

PASSWORD = "bench-password"
OUTSIDE = "someone@outside.example"
TICK = os.sysconf("SC_CLK_TCK")
PATIENCE = 60.0
"""Seconds that accepted mail has to arrive."""


class Sink:
    """Postfix's own C{smtp-sink}: takes everything and counts."""

    def __init__(self, directory: Path, port: int = 0) -> None:
        """@param port: to listen at; 0 for any."""
        self.port = port or free_ports(1)[0]
        self._counts = directory / "sink"
        with open(self._counts, "wb") as counts:
            self._process = subprocess.Popen(
                ["smtp-sink", "-c", "-u", "nobody", f"127.0.0.1:{self.port}", "1000"],
                stdout=counts,
                stderr=subprocess.DEVNULL,
            )
        deadline = time.monotonic() + 10
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("smtp-sink did not start")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except OSError:
            return False
        return True

    def count(self) -> int:
        """Messages taken so far."""
        with open(self._counts, "rb") as counts:
            counts.seek(max(0, counts.seek(0, os.SEEK_END) - 200))
            found = re.findall(rb"mesg=(\d+)", counts.read())
        return int(found[-1]) if found else 0

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()


class Host(Protocol):
    """A mail host under measurement."""

    name: str
    submissions: int

    def processes(self) -> list[int]:
        """Its first processes; their children count with them."""

    def arrived(self) -> int:
        """Messages in its only mailbox."""

    def stop(self) -> None:
        """End it."""


class TrekMail:
    """Ours; mail to other domains goes to the sink."""

    def __init__(self, directory: Path, sink: Sink, engine: str) -> None:
        self.name = f"TrekMail ({engine})"
        directory.mkdir(parents=True)
        relay = f'[relay]\nsmarthost = "127.0.0.1:{sink.port}"\nsmarthost_tls = "none"\n'
        plan = PLANS + 'outbound = "any"\nmessages_per_hour = 0\nmessages_per_day = 0\nnew_recipients_per_day = 0\n'
        self.daemon = Daemon(directory, plan + f'[store]\nengine = "{engine}"\n' + relay)
        self.daemon.add_accounts({USER: "bench"}, PASSWORD)
        self.daemon.start()
        self.submissions = self.daemon.ports["submissions"]

    def processes(self) -> list[int]:
        """The daemon's."""
        assert self.daemon.process is not None
        return [self.daemon.process.pid]

    def arrived(self) -> int:
        """What STATUS says."""
        client = Client(self.daemon.ports["imaps"], USER, PASSWORD)
        found = re.search(rb"MESSAGES (\d+)", client.ask(b"STATUS INBOX (MESSAGES)"))
        client.close()
        return int(found[1]) if found else -1

    def stop(self) -> None:
        """End it."""
        self.daemon.stop()


LOGINS = """\
base_dir = {directory}/run
log_path = {directory}/log
protocols =
ssl = no
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}}
service auth {{
  unix_listener {directory}/queue/private/auth {{
    mode = 0666
  }}
}}
auth_mechanisms = plain login
"""


class Peer:
    """Debian's Postfix with Dovecot's logins, as its documentation has it; mail to other domains goes to the sink."""

    def __init__(self, directory: Path, sink: Sink) -> None:
        self.name = "Postfix"
        self.submissions = free_ports(1)[0]
        directory.mkdir(parents=True)
        certificate, key = make_certificate(directory, "mail.example.com")
        self._postfix = Postfix(
            directory / "postfix",
            {
                "myhostname": "mail.example.com",
                "virtual_mailbox_domains": "example.com",
                "relayhost": f"[127.0.0.1]:{sink.port}",
                "smtpd_tls_cert_file": certificate,
                "smtpd_tls_key_file": key,
                "smtpd_sasl_type": "dovecot",
                "smtpd_sasl_path": "private/auth",
                "message_size_limit": "60000000",
                "virtual_mailbox_limit": "0",
            },
            {
                f"127.0.0.1:{self.submissions}": "-o smtpd_tls_wrappermode=yes -o smtpd_sasl_auth_enable=yes"
                " -o smtpd_relay_restrictions=permit_sasl_authenticated,reject"
            },
        )
        self._postfix.start()
        settings = directory / "dovecot.conf"
        settings.write_text(LOGINS.format(directory=self._postfix.directory, password=PASSWORD))
        self._logins = subprocess.Popen(["dovecot", "-F", "-c", str(settings)])
        while not (self._postfix.directory / "queue/private/auth").exists():
            time.sleep(0.05)

    def processes(self) -> list[int]:
        """Postfix's master and Dovecot's."""
        assert self._postfix.process is not None
        return [self._postfix.process.pid, self._logins.pid]

    def arrived(self) -> int:
        """Files in the mailbox."""
        with suppress(FileNotFoundError):
            return len(os.listdir(self._postfix.directory / "mail/box/new"))
        return 0

    def stop(self) -> None:
        """End both."""
        self._postfix.stop()
        self._logins.terminate()
        self._logins.wait()


def cpu(host: Host) -> float:
    """CPU seconds of a host's processes, of those that have ended too."""
    children: dict[int, list[int]] = {}
    used: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = entry.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(entry.parent.name))
            used[int(entry.parent.name)] = sum(map(int, fields[11:15]))
    total, wanted = 0, host.processes()
    while wanted:
        one = wanted.pop()
        total += used.get(one, 0)
        wanted += children.get(one, [])
    return total / TICK


class Submitter:
    """One client: TLS, AUTH, then message after message, MAIL, RCPT and DATA in one group (RFC 2920)."""

    def __init__(self, port: int) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", port), PATIENCE)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(plain)
        self._lines = self._socket.makefile("rb")
        self._expect(b"220")
        self._ask(b"EHLO bench", b"250")
        token = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())
        self._ask(b"AUTH PLAIN " + token, b"235")

    def send(self, recipient: str, message: bytes) -> None:
        """Send a message; it is durable there when this returns."""
        self._socket.sendall(f"MAIL FROM:<{USER}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode())
        for code in (b"250", b"250", b"354"):
            self._expect(code)
        self._socket.sendall(message)
        self._socket.sendall(b".\r\n")
        self._expect(b"250")

    def close(self) -> None:
        """Leave."""
        self._ask(b"QUIT", b"221")
        self._socket.close()

    def _ask(self, line: bytes, code: bytes) -> None:
        self._socket.sendall(line + b"\r\n")
        self._expect(code)

    def _expect(self, code: bytes) -> None:
        while (line := self._lines.readline())[3:4] == b"-":
            pass
        if not line.startswith(code):
            raise RuntimeError(line.decode("utf-8", "replace"))


def message(size: int) -> bytes:
    """A message of C{size} octets, give or take a line."""
    head = f"From: {USER}\r\nTo: {OUTSIDE}\r\nSubject: measured\r\n\r\n".encode()
    line = b"The quick brown fox jumps over the lazy dog and comes back again.\r\n"
    return head + line * ((size - len(head)) // len(line) + 1)


@dataclass(frozen=True, slots=True)
class Result:
    """
    One measurement.

    @ivar accepted: durable replies a second.
    @ivar passed_on: messages a second from the first command until the last one had arrived.
    @ivar cost: CPU of the host for one message, ms, its delivery included.
    @ivar lost: accepted, but not arrived.
    """

    accepted: float
    passed_on: float
    cost: float
    lost: int


def submit(host: Host, count: Callable[[], int], recipient: str, connections: int, each: int) -> Result:
    """Messages of 8 KB over several connections at once."""
    text = message(8192)
    clients = [Submitter(host.submissions) for _ in range(connections)]
    before = count()
    for client in clients:
        client.send(recipient, text)
    there, used = _wait_for(count, before + connections), cpu(host)

    def stream(client: Submitter) -> None:
        for _ in range(each):
            client.send(recipient, text)

    threads = [threading.Thread(target=stream, args=(client,)) for client in clients]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.monotonic() - begun
    sent = connections * each
    arrived = _wait_for(count, there + sent)
    until_all = time.monotonic() - begun
    cost = (cpu(host) - used) * 1000 / sent
    for client in clients:
        client.close()
    return Result(sent / taken, sent / until_all, cost, there + sent - arrived)


def _wait_for(count: Callable[[], int], wanted: int) -> int:
    """Wait until as many have arrived; how many did."""
    deadline = time.monotonic() + PATIENCE
    while (arrived := count()) < wanted and time.monotonic() < deadline:
        time.sleep(0.02)
    return arrived


def _row(title: str, results: list[Result]) -> str:
    ours, peer = results[0], results[-1]
    cells = [
        f"{one.accepted:.0f} / {one.passed_on:.0f} / {one.cost:.2f}{f' / LOST {one.lost}' if one.lost else ''}"
        for one in results
    ]
    ratio = f"{ours.accepted / peer.accepted:.1f} / {ours.passed_on / peer.passed_on:.1f} / {ours.cost / peer.cost:.1f}"
    return f"| {title} | {' | '.join(cells)} | {ratio} |"


def _median(results: list[Result]) -> Result:
    """The one with the median rate; what was lost in any of them."""
    middle = sorted(results, key=lambda one: one.accepted)[len(results) // 2]
    return Result(middle.accepted, middle.passed_on, middle.cost, sum(one.lost for one in results))


def _measure(hosts: list[Host], sink: Sink, rounds: int, only: str) -> bool:
    """Print a row for each case; whether anything was lost."""
    lost = False
    print("| 8 KB by submission over TLS | " + " | ".join(host.name for host in hosts) + " | first to last |")
    print("|---" * (len(hosts) + 2) + "|")
    for where, recipient in (("local", USER), ("outside", OUTSIDE)):
        for connections, each in ((1, 300), (16, 100)):
            title = f"{where}, {connections} connection{'s' if connections > 1 else ''}"
            if not re.search(only, title):
                continue
            runs: list[list[Result]] = [[] for _ in hosts]
            for _ in range(rounds):
                for host, results in zip(hosts, runs, strict=True):
                    count = host.arrived if recipient == USER else sink.count
                    results.append(submit(host, count, recipient, connections, each))
            medians = [_median(results) for results in runs]
            lost = lost or any(one.lost for one in medians)
            print(_row(title, medians), flush=True)
    return lost


def main() -> int:
    """Run; status 1 when something was lost."""
    parser = argparse.ArgumentParser(description="Measure TrekMail beside Debian's Postfix.")
    parser.add_argument("--directory", type=Path, help="where hosts keep mail; a real disk (default: a new one in .)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured, in turn")
    parser.add_argument("--only", default="", help="cases whose title has a match of this regular expression")
    options = parser.parse_args()
    # What ends us ends the hosts, too.
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, frame: sys.exit(128 + number))
    directory = Path(tempfile.mkdtemp(prefix="trekmail-bench-", dir=options.directory or ".")).resolve()
    directory.chmod(0o755)
    sink = Sink(directory)
    hosts: list[Host] = []
    try:
        for engine in ("apsw", "sqlite3"):
            hosts.append(TrekMail(directory / engine, sink, engine))
        hosts.append(Peer(directory / "postfix", sink))
        return int(_measure(hosts, sink, options.rounds, options.only))
    finally:
        for host in hosts:
            host.stop()
        sink.stop()
        shutil.rmtree(directory)


if __name__ == "__main__":
    sys.exit(main())
