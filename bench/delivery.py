"""
Mail into mailboxes by LMTP, beside Dovecot's; and mail that waits relayed while nothing else runs, beside Postfix's:
C{PYTHONPATH=. python -m bench.delivery}, as root.

Nothing counts that did not arrive: the mailboxes are counted afterwards, and so is what the sink took.
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from bench import mail
from bench.client import Client
from bench.mail import OUTSIDE, Sink, Submitter
from bench.servers import USER, Dovecot, Server, TrekMail, available, cpu, password
from tests.clients.daemon import free_ports

H = TypeVar("H")

ACCOUNTS = tuple(f"bench{number}@example.com" for number in range(100))
CASES = {
    "LMTP, 1 account, 1 connection": ((USER,), 1, 600),
    "LMTP, 1 account, 16 connections": ((USER,), 16, 80),
    "LMTP, 100 accounts, 1 connection": (ACCOUNTS, 1, 600),
    "LMTP, 100 accounts, 16 connections": (ACCOUNTS, 16, 80),
}
"""Title: accounts, connections, messages over each."""

ALONE = "relaying alone, 1,500 messages that wait"
RELAYED = 1500
"""Messages that wait for the sink."""

PATIENCE = 120.0
"""Seconds that relayed mail has to arrive."""


class Deliverer:
    """One client of LMTP: MAIL, RCPT and DATA in one group, as Postfix sends them (RFC 2033, RFC 2920)."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE)
        self._socket.connect(path)
        self._lines = self._socket.makefile("rb")
        self._expect(b"220")
        self._socket.sendall(b"LHLO bench\r\n")
        self._expect(b"250")

    def send(self, recipient: str, message: bytes) -> None:
        """Deliver a message; it is durable in the mailbox when this returns."""
        self._socket.sendall(f"MAIL FROM:<a@outside.example>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode())
        for code in (b"250", b"250", b"354"):
            self._expect(code)
        self._socket.sendall(message + b".\r\n")
        self._expect(b"250")

    def close(self) -> None:
        """Leave."""
        self._socket.sendall(b"QUIT\r\n")
        self._expect(b"221")
        self._socket.close()

    def _expect(self, code: bytes) -> None:
        while (line := self._lines.readline())[3:4] == b"-":
            pass
        if not line.startswith(code):
            raise RuntimeError(line.decode("utf-8", "replace"))


@dataclass(frozen=True, slots=True)
class Result:
    """
    One measurement.

    @ivar rate: messages a second.
    @ivar cost: CPU of the host for one message, ms.
    @ivar lost: accepted, but not arrived.
    """

    rate: float
    cost: float
    lost: int


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the program as an exception does, so that what it started is stopped and removed."""

    def end(number: int, frame: object) -> NoReturn:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


# --- LMTP -------------------------------------------------------------------------------------------


def stored(server: Server, accounts: Sequence[str]) -> int:
    """Messages in the accounts' mailboxes."""
    total = 0
    for account in accounts:
        client = Client(server.port, account, password(server))
        found = re.search(rb"MESSAGES (\d+)", client.ask(b"STATUS INBOX (MESSAGES)"))
        total += int(found[1]) if found else 0
        client.close()
    return total


def deliver(server: Server, accounts: Sequence[str], connections: int, each: int) -> Result:
    """Messages of 8 KB over several connections at once, to the accounts in turn."""
    text = mail.message(8192)
    clients = [Deliverer(server.lmtp) for _ in range(connections)]
    for number in range(max(connections, len(accounts))):
        clients[number % connections].send(accounts[number % len(accounts)], text)
    before = stored(server, accounts)

    def stream(first: int) -> None:
        for number in range(first, connections * each, connections):
            clients[first].send(accounts[number % len(accounts)], text)

    threads = [threading.Thread(target=stream, args=(first,)) for first in range(connections)]
    used, begun = cpu(server), time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken, used = time.monotonic() - begun, cpu(server) - used
    for client in clients:
        client.close()
    sent = connections * each
    return Result(sent / taken, used * 1000 / sent, before + sent - stored(server, accounts))


def deliveries(servers: Sequence[Server], rounds: int, only: str) -> bool:
    """Print a row for each case; whether anything was lost."""
    lost = False
    _head("8 KB by LMTP", [server.name for server in servers])
    for title, (accounts, connections, each) in CASES.items():
        if re.search(only, title):
            results = _in_turn(servers, rounds, lambda one, a=accounts, c=connections, e=each: deliver(one, a, c, e))
            lost |= _print(title, results)
    return lost


# --- Relaying ---------------------------------------------------------------------------------------


class Gate:
    """
    A port for a sink that is there only while mail is to be relayed.

    @ivar port: of the sink.
    """

    def __init__(self) -> None:
        self.port = free_ports(1)[0]


class Ours(mail.TrekMail):
    """TrekMail, with what waits in its queue."""

    def waiting(self) -> int:
        """Messages in the queue."""
        found: Any = self.daemon.trekctl_json("queue", "list", "--limit", str(2 * RELAYED))
        return len(found["entries"])

    def release(self) -> None:
        """Try what waits now."""
        self.daemon.trekctl("queue", "retry", "--all")


class Theirs(mail.Peer):
    """Postfix, with what waits in its queue."""

    def waiting(self) -> int:
        """Messages in the queue."""
        return self._postfix.queued()

    def release(self) -> None:
        """Try what waits now."""
        self._postfix.flush()


def relay(host: Ours | Theirs, gate: Gate, directory: Path) -> Result:
    """
    Fill the queue while nobody takes mail, then let a sink take it.

    The rate counts from the sink's first message to its last: how long a command takes to start says nothing of it.
    """
    text = mail.message(8192)
    clients = [Submitter(host.submissions) for _ in range(4)]

    def fill(client: Submitter) -> None:
        for _ in range(RELAYED // len(clients)):
            client.send(OUTSIDE, text)

    threads = [threading.Thread(target=fill, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        client.close()
    wanted = RELAYED // len(clients) * len(clients)
    _settle(host)
    if (waiting := host.waiting()) != wanted:
        raise RuntimeError(f"{host.name}: {waiting} messages wait, not {wanted}")
    sink = Sink(directory, gate.port)
    try:
        used = mail.cpu(host)
        host.release()
        arrived, taken = _watched(sink.count, wanted)
        used = mail.cpu(host) - used
    finally:
        sink.stop()
    return Result(arrived / taken, used * 1000 / wanted, wanted - arrived)


def _settle(host: Ours | Theirs) -> None:
    """Wait until the host has given up for now: it uses no CPU for a second."""
    used = mail.cpu(host)
    while True:
        time.sleep(1)
        if (now := mail.cpu(host)) - used < 0.05:
            return
        used = now


def _watched(count: Callable[[], int], wanted: int) -> tuple[int, float]:
    """
    Wait for messages.

    @return: how many came after those seen first, and in how many seconds.
    """
    deadline = time.monotonic() + PATIENCE
    first = begun = 0.0
    while (arrived := count()) < wanted and time.monotonic() < deadline:
        if arrived and not begun:
            first, begun = arrived, time.monotonic()
        time.sleep(0.005)
    ended = time.monotonic()
    return arrived, (ended - begun) * arrived / max(1.0, arrived - first)


def relaying(hosts: Sequence[Ours | Theirs], gate: Gate, directory: Path, rounds: int) -> bool:
    """Print the row; whether anything was lost."""
    _head("8 KB to another host", [host.name for host in hosts])
    results = _in_turn(hosts, rounds, lambda host: relay(host, gate, directory))
    return _print(ALONE, results)


# --- Both -------------------------------------------------------------------------------------------


def _in_turn(hosts: Sequence[H], rounds: int, measure: Callable[[H], Result]) -> list[Result]:
    """For each host the round with the median rate, and what was lost in any of them."""
    runs: list[list[Result]] = [[] for _ in hosts]
    for _ in range(rounds):
        for host, results in zip(hosts, runs, strict=True):
            results.append(measure(host))
    medians = [sorted(results, key=lambda one: one.rate)[len(results) // 2] for results in runs]
    lost = [sum(one.lost for one in results) for results in runs]
    return [Result(one.rate, one.cost, many) for one, many in zip(medians, lost, strict=True)]


def _head(title: str, names: Sequence[str]) -> None:
    print(f"| {title} | {' | '.join(names)} | first to last |")
    print("|---" * (len(names) + 2) + "|", flush=True)


def _print(title: str, results: Sequence[Result]) -> bool:
    """Print a row; whether anything was lost."""
    ours, peer = results[0], results[-1]
    cells = [f"{one.rate:.0f} / {one.cost:.2f}{f' / LOST {one.lost}' if one.lost else ''}" for one in results]
    ratio = f"{ours.rate / peer.rate:.1f} / {ours.cost / max(peer.cost, 1e-9):.1f}"
    print(f"| {title} | {' | '.join(cells)} | {ratio} |", flush=True)
    return any(one.lost for one in results)


def _measure(directory: Path, rounds: int, only: str) -> bool:
    lost = False
    if any(re.search(only, title) for title in CASES):
        with ExitStack() as running:
            servers: list[Server] = []
            for name in ("apsw", "sqlite3"):
                servers.append(TrekMail(directory / name, name, (USER, *ACCOUNTS)))
                running.callback(servers[-1].stop)
            for mail_format in ("mdbox", "maildir") if Dovecot in available() else ():
                servers.append(Dovecot(directory / mail_format, mail_format))
                running.callback(servers[-1].stop)
            lost |= deliveries(servers, rounds, only)
    if re.search(only, ALONE):
        with ExitStack() as running:
            gate = Gate()
            hosts: list[Ours | Theirs] = []
            hosts.append(Ours(directory / "ours", gate, "auto"))
            running.callback(hosts[-1].stop)
            hosts.append(Theirs(directory / "postfix", gate))
            running.callback(hosts[-1].stop)
            lost |= relaying(hosts, gate, directory, rounds)
    return lost


def main() -> int:
    """Run; status 1 when something was lost."""
    parser = argparse.ArgumentParser(description="Measure deliveries of TrekMail beside Dovecot's and Postfix's.")
    parser.add_argument("--directory", type=Path, help="where hosts keep mail; a real disk (default: a new one in .)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured, in turn")
    parser.add_argument("--only", default="", help="cases whose title has a match of this regular expression")
    options = parser.parse_args()
    with ended_by_sigterm():
        directory = Path(tempfile.mkdtemp(prefix="trekmail-bench-", dir=options.directory or ".")).resolve()
        directory.chmod(0o755)
        try:
            return int(_measure(directory, options.rounds, options.only))
        finally:
            shutil.rmtree(directory)


if __name__ == "__main__":
    sys.exit(main())
