"""What is measured: one function per line of the result."""

from __future__ import annotations

import hashlib
import re
import socket
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from bench.client import Client
from bench.corpus import messages
from bench.servers import USER, Server, cpu, memory, password

LISTING = 20_000
LARGE = 100_000
IDLE = 2_000


@dataclass(frozen=True, slots=True)
class Figure:
    """
    One measurement.

    @ivar answer: digest of what the server said, where the servers must agree; '' otherwise.
    """

    value: float
    answer: str = ""


def connect(server: Server, user: str = USER) -> Client:
    """Log in."""
    return Client(server.port, user, password(server))


def fill(server: Server, mailbox: bytes, count: int, size: int) -> None:
    """Fill a mailbox, fifty messages a command."""
    client = connect(server)
    client.ask(b"CREATE " + mailbox)
    source = messages(count, size)
    while batch := list(islice(source, 50)):
        client.append(mailbox, *batch)
    client.close()


def _digest(answer: bytes) -> str:
    """What two servers must agree on: the FETCH lines, without \\Recent, times of arrival and modification."""
    lines = [line for line in answer.split(b"\r\n") if line.startswith(b"* ")]
    plain = b"\n".join(lines).replace(b"\\Recent", b"").replace(b'"+0000"', b"")
    plain = re.sub(rb'INTERNALDATE "[^"]*" ?', b"", plain)
    return hashlib.sha256(plain).hexdigest()[:12]


def _fetch(server: Server, items: bytes, runs: int = 5) -> Figure:
    client = connect(server)
    client.ask(b"SELECT listing")
    client.ask(b"NOOP")
    costs = []
    for _ in range(runs):
        before = cpu(server)
        answer = client.ask(b"FETCH 1:* " + items)
        costs.append(cpu(server) - before)
    client.close()
    return Figure(min(costs) * 1000, _digest(answer))


def fetch_flags(server: Server) -> Figure:
    """FETCH 1:* (UID FLAGS), 20,000 messages: server CPU, ms."""
    return _fetch(server, b"(UID FLAGS)")


def fetch_envelopes(server: Server) -> Figure:
    """FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE), 20,000 messages: server CPU, ms."""
    return _fetch(server, b"(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)")


def fetch_structures(server: Server) -> Figure:
    """FETCH 1:* (UID BODYSTRUCTURE), 20,000 messages: server CPU, ms."""
    return _fetch(server, b"(UID BODYSTRUCTURE)")


def fetch_headers(server: Server) -> Figure:
    """FETCH 1:* (BODY.PEEK[HEADER.FIELDS (FROM SUBJECT DATE)]), 20,000 messages: server CPU, ms."""
    return Figure(_fetch(server, b"(BODY.PEEK[HEADER.FIELDS (FROM SUBJECT DATE)])").value)


def _append(server: Server, clients: int, each: int) -> float:
    bodies = list(messages(each, 8000, seed=clients))
    connections = [connect(server) for _ in range(clients)]

    def stream(client: Client) -> None:
        for body in bodies:
            client.append(b"INBOX", body)

    threads = [threading.Thread(target=stream, args=(client,)) for client in connections]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.monotonic() - begun
    for client in connections:
        client.close()
    return clients * each / taken


def append_one(server: Server) -> Figure:
    """APPEND of 8 KB, one client, durable: messages/s."""
    return Figure(_append(server, 1, 200))


def append_eight(server: Server) -> Figure:
    """APPEND of 8 KB, eight clients, durable: messages/s."""
    return Figure(_append(server, 8, 100))


def select_large(server: Server) -> Figure:
    """SELECT of 100,000 messages: server CPU, ms."""
    client = connect(server)
    costs = []
    answer = b""
    for _ in range(5):
        client.ask(b"SELECT INBOX")
        before = cpu(server)
        answer = client.ask(b"SELECT large")
        costs.append(cpu(server) - before)
    client.close()
    exists = re.search(rb"\* (\d+) EXISTS", answer)
    return Figure(statistics.median(costs) * 1000, exists[1].decode() if exists else "no EXISTS")


def noop(server: Server) -> Figure:
    """NOOP, one by one: server CPU, us."""
    client = connect(server)
    client.ask(b"SELECT INBOX")
    before = cpu(server)
    for _ in range(2000):
        client.ask(b"NOOP")
    used = cpu(server) - before
    client.close()
    return Figure(used / 2000 * 1e6)


def idle_memory(server: Server) -> Figure:
    """Idle TLS connections, mailbox selected, in IDLE: KB each (PSS)."""
    first = connect(server)
    before = memory(server)
    clients = []
    for _ in range(IDLE if not _forks(server) else IDLE // 10):
        client = connect(server)
        client.ask(b"SELECT INBOX")
        client.socket.sendall(b"t IDLE\r\n")
        client.line()
        clients.append(client)
    used = memory(server) - before
    for client in clients:
        client.close()
    first.close()
    return Figure(used / len(clients) / 1024)


def _forks(server: Server) -> bool:
    """Whether each connection is a process; then a tenth of the connections shows as much."""
    return server.name.startswith("Dovecot")


def idle_notice(server: Server) -> Figure:
    """LMTP delivery to EXISTS in IDLE, counted from the last octet of the message: median ms."""
    watcher = connect(server)
    watcher.ask(b"SELECT INBOX")
    watcher.socket.sendall(b"t IDLE\r\n")
    watcher.line()
    delays = []
    with ThreadPoolExecutor(1) as pool:
        for body in messages(20, 2000, seed=5):
            arrival = pool.submit(_wait_exists, watcher)
            handed_over = _deliver(server.lmtp, body)
            delays.append(arrival.result(10) - handed_over)
    watcher.close()
    return Figure(statistics.median(delays) * 1000)


def _wait_exists(client: Client) -> float:
    while b"EXISTS" not in client.line():
        pass
    return time.monotonic()


def _deliver(path: str, body: bytes) -> float:
    """Deliver by LMTP; when the message had been handed over whole."""
    with socket.socket(socket.AF_UNIX) as lmtp:
        lmtp.connect(path)
        stream = lmtp.makefile("rwb")
        stream.readline()

        def ask(octets: bytes) -> bytes:
            stream.write(octets)
            stream.flush()
            while (line := stream.readline())[3:4] == b"-":
                pass
            return line

        ask(b"LHLO bench\r\n")
        ask(b"MAIL FROM:<sender@example.org>\r\n")
        ask(b"RCPT TO:<%b>\r\n" % USER.encode())
        ask(b"DATA\r\n")
        handed_over = time.monotonic()
        reply = ask(body + b".\r\n")
        if not reply.startswith(b"250"):
            raise RuntimeError(reply.decode("utf-8", "replace"))
        return handed_over


@dataclass(frozen=True, slots=True)
class Line:
    """
    A line of the result.

    @ivar more_is_better: for rates; else less is.
    """

    measure: Callable[[Server], Figure]
    more_is_better: bool = False

    @property
    def title(self) -> str:
        """What it says of itself."""
        return (self.measure.__doc__ or "").strip().rstrip(".")


LINES = (
    Line(noop),
    Line(fetch_flags),
    Line(fetch_envelopes),
    Line(fetch_structures),
    Line(fetch_headers),
    Line(append_one, more_is_better=True),
    Line(append_eight, more_is_better=True),
    Line(select_large),
    Line(idle_notice),
    Line(idle_memory),
)
