"""
What one message of 50 MB costs: C{PYTHONPATH=. python -m bench.large}.

Submission with DKIM on, the relay's turn, and LMTP, one after the other, each with the daemon's peak of resident memory
above what it had before its first large message.  What arrives must be what was sent, octet for octet, and dkimpy must
find the signatures good.
"""

from __future__ import annotations

import argparse
import base64
import random
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dkim

from bench.client import Client
from bench.delivery import Deliverer, ended_by_sigterm
from bench.mail import OUTSIDE, PASSWORD, Submitter, TrekMail
from bench.servers import USER

SIZE = 50_000_000
ALLOWED = 8 * 1024 * 1024
"""Octets of memory that one such message may cost."""

PATIENCE = 300.0


class Sink:
    """
    A mail server that keeps every message, and greets nobody before it is opened.

    @ivar messages: whole, dot-stuffing undone.
    """

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._is_open = threading.Event()
        self._arrived = threading.Condition()
        threading.Thread(target=self._serve, daemon=True).start()

    def open(self) -> None:
        """Take mail from now on."""
        self._is_open.set()

    def shut(self) -> None:
        """Greet nobody."""
        self._is_open.clear()

    def wait(self, count: int) -> None:
        """
        Wait until so many messages are there.

        @raise TimeoutError: they are not.
        """
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.messages) >= count, PATIENCE):
                raise TimeoutError("the relayed message did not arrive")

    def stop(self) -> None:
        """Listen no more."""
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        self._is_open.wait()
        connection.sendall(b"220 sink ESMTP\r\n")
        lines = connection.makefile("rb", buffering=1 << 20)
        while line := lines.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                connection.sendall(b"354 go on\r\n")
                kept = []
                while (line := lines.readline()) not in (b".\r\n", b""):
                    kept.append(line[line.startswith(b".") :])
                with self._arrived:
                    self.messages.append(b"".join(kept))
                    self._arrived.notify_all()
            if verb == b"EHLO":
                connection.sendall(b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 0\r\n")
            else:
                connection.sendall(b"250 2.0.0 OK\r\n")
            if verb == b"QUIT":
                break
            if verb == b"DATA" and not self._is_open.is_set():
                break  # a connection that is kept would let the next message through
        connection.close()


def made() -> bytes:
    """A message with an attachment of L{SIZE} octets, and lines that canonicalisation and dot-stuffing change."""
    head = (
        f"From: {USER}\r\nTo: {OUTSIDE}\r\nSubject: large\r\nDate: Mon, 05 Jan 2026 10:00:00 +0000\r\n"
        "Message-ID: <large@example.com>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\n.a dot\r\n..two  and\tblanks \t\r\n\r\n"
        "--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    ).encode()
    source = random.Random(1)
    lines = [base64.b64encode(source.randbytes(57)) + b"\r\n" for _ in range(4096)]
    return head + b"".join(lines) * (SIZE // (78 * 4096)) + b"--b--\r\n\r\n"


def resident(process: int, name: str) -> int:
    """Octets that C{/proc} says a process has, or had at most: C{VmRSS}, C{VmHWM}."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(name)


@dataclass(slots=True)
class Measured:
    """
    One way of a message.

    @ivar extra: octets of resident memory at the worst moment, above the start; of each round.
    @ivar seconds: of each round.
    """

    title: str
    extra: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


class Host:
    """TrekMail with keys for its domain, and the sink that its mail goes to."""

    def __init__(self, directory: Path, engine: str) -> None:
        self.sink = Sink()
        self._ours = TrekMail(directory, self.sink, engine)
        self.daemon = self._ours.daemon
        self.name = self._ours.name
        self.daemon.trekctl("dkim", "create", "example.com", "--selector", "s")
        (self.process,) = self._ours.processes()
        self.base = 0

    def submit(self, message: bytes) -> None:
        """Submit; it is durable in the queue when this returns."""
        client = Submitter(self._ours.submissions)
        client.send(OUTSIDE, message.replace(b"\r\n.", b"\r\n.."))
        client.close()

    def deliver(self, message: bytes) -> None:
        """Deliver by LMTP; it is durable in the mailbox when this returns."""
        client = Deliverer(self.daemon.lmtp)
        client.send(USER, message.replace(b"\r\n.", b"\r\n.."))
        client.close()

    def relay(self) -> None:
        """Let the sink have what waits."""
        wanted = len(self.sink.messages) + 1
        self.sink.open()
        self.sink.wait(wanted)
        self.sink.shut()

    def stored(self) -> list[bytes]:
        """The messages in the mailbox, each as FETCH gives it, with the words around it."""
        client = Client(self.daemon.ports["imaps"], USER, PASSWORD)
        client.ask(b"SELECT INBOX")
        count = int(client.ask(b"STATUS INBOX (MESSAGES)").partition(b"(MESSAGES ")[2].partition(b")")[0])
        found = [client.ask(b"FETCH %d (BODY.PEEK[])" % (number + 1)) for number in range(count)]
        client.close()
        return found

    def records(self) -> dict[str, bytes]:
        """What the keys' names say in DNS."""
        keys: Any = self.daemon.trekctl_json("dkim", "list")
        return {f"{key['name']}.": key["record"].encode() for key in keys}

    def measure(self, into: Measured, work: Callable[[], None]) -> None:
        """The peak of memory, and the time, while something is done."""
        Path(f"/proc/{self.process}/clear_refs").write_text("5")
        begun = time.monotonic()
        work()
        into.seconds.append(time.monotonic() - begun)
        into.extra.append(resident(self.process, "VmHWM") - self.base)

    def stop(self) -> None:
        """End it and its sink."""
        self._ours.stop()
        self.sink.stop()


def run(host: Host, rounds: int) -> list[Measured]:
    """
    All ways, one after the other; a small message goes each way first.

    @raise AssertionError: something was lost, or is not what was sent.
    """
    small, large = made()[:300] + b"\r\n", made()
    results = [Measured("submission, signed and queued"), Measured("relayed"), Measured("LMTP to the mailbox")]
    host.submit(small)
    host.relay()
    host.deliver(small)
    host.base = resident(host.process, "VmRSS")
    for _ in range(rounds):
        for result, work in zip(
            results, (lambda: host.submit(large), host.relay, lambda: host.deliver(large)), strict=True
        ):
            host.measure(result, work)
    _check(host, large, rounds)
    return results


def _check(host: Host, sent: bytes, rounds: int) -> None:
    """Whether everything arrived, as it was sent, signed."""
    relayed, records = host.sink.messages[1:], host.records()
    assert len(relayed) == rounds, f"LOST: {rounds - len(relayed)} of the relayed messages"
    for message in relayed:
        assert message.endswith(sent), "a relayed message is not what was submitted"
    for index in range(len(records)):
        assert dkim.DKIM(relayed[0]).verify(idx=index, dnsfunc=lambda name, timeout=5: records.get(name.decode()))
    stored = host.stored()[1:]
    assert len(stored) == rounds, f"LOST: {rounds - len(stored)} of the delivered messages"
    for answer in stored:
        assert sent in answer, "a delivered message is not what was sent"


def _print(names: Sequence[str], columns: Sequence[Sequence[Measured]]) -> bool:
    """Print the table; whether a message cost too much."""
    print(f"| one message of {SIZE // 1_000_000} MB: extra memory at the peak, MB / seconds | {' | '.join(names)} |")
    print("|---" * (len(names) + 1) + "|")
    for row in zip(*columns, strict=True):
        cells = [f"{max(one.extra) / 2**20:.1f} / {sorted(one.seconds)[len(one.seconds) // 2]:.1f}" for one in row]
        print(f"| {row[0].title} | {' | '.join(cells)} |")
    return any(max(one.extra) > ALLOWED for column in columns for one in column)


def main() -> int:
    """Run; status 1 when a message cost more than L{ALLOWED}, was lost or changed."""
    parser = argparse.ArgumentParser(description="Measure what a message of 50 MB costs TrekMail.")
    parser.add_argument("--directory", type=Path, help="where hosts keep mail; a real disk (default: a new one in .)")
    parser.add_argument("--rounds", type=int, default=3, help="large messages on each way")
    options = parser.parse_args()
    with ended_by_sigterm():
        directory = Path(tempfile.mkdtemp(prefix="trekmail-bench-", dir=options.directory or ".")).resolve()
        names, columns = [], []
        try:
            for engine in ("apsw", "sqlite3"):
                host = Host(directory / engine, engine)
                try:
                    names.append(host.name)
                    columns.append(run(host, options.rounds))
                finally:
                    host.stop()
        finally:
            shutil.rmtree(directory)
    return int(_print(names, columns))


if __name__ == "__main__":
    sys.exit(main())
