"""What is measured: one function per line of the result."""

from __future__ import annotations

import hashlib
import re
import socket
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from bench.client import Client
from bench.corpus import messages
from bench.servers import USER, Server, cpu, memory, password

MAILBOXES = {"listing": (20_000, 2000), "bodies": (4_000, 8000), "large": (100_000, 400)}
"""Number and size of the messages in the mailboxes that are read."""
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


def fill(server: Server, mailbox: str) -> None:
    """Fill one of L{MAILBOXES}, fifty messages a command."""
    client = connect(server)
    client.ask(b"CREATE " + mailbox.encode())
    source = messages(*MAILBOXES[mailbox])
    while batch := list(islice(source, 50)):
        client.append(mailbox.encode(), *batch)
    client.close()


def _digest(answer: bytes) -> str:
    """What two servers must agree on: the FETCH lines, without \\Recent, times of arrival and modification."""
    lines = [line for line in answer.split(b"\r\n") if line.startswith(b"* ")]
    plain = b"\n".join(lines).replace(b"\\Recent", b"").replace(b'"+0000"', b"")
    plain = re.sub(rb'INTERNALDATE "[^"]*" ?', b"", plain)
    return hashlib.sha256(plain).hexdigest()[:12]


def _least_cost(server: Server, mailbox: bytes, *commands: bytes, runs: int = 5) -> Figure:
    """The least server CPU, in ms, of the commands together, and the digest of what was answered last."""
    client = connect(server)
    client.ask(b"SELECT " + mailbox)
    client.ask(b"NOOP")
    costs = []
    for _ in range(runs):
        before = cpu(server)
        answers = [client.ask(command) for command in commands]
        costs.append(cpu(server) - before)
    client.close()
    return Figure(min(costs) * 1000, _digest(b"".join(answers)))


def _fetch(server: Server, items: bytes) -> Figure:
    return _least_cost(server, b"listing", b"FETCH 1:* " + items)


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


def fetch_whole_headers(server: Server) -> Figure:
    """FETCH 1:* (BODY.PEEK[HEADER]), 20,000 messages: server CPU, ms."""
    return _fetch(server, b"(BODY.PEEK[HEADER])")


def fetch_bodies(server: Server) -> Figure:
    """FETCH 1:* (BODY.PEEK[]), 4,000 messages of 8 KB: server CPU, ms."""
    return _least_cost(server, b"bodies", b"FETCH 1:* (BODY.PEEK[])")


def fetch_one(server: Server) -> Figure:
    """FETCH n (UID BODY.PEEK[]), 8 KB, one by one: server CPU, us."""
    commands = [b"FETCH %d (UID BODY.PEEK[])" % number for number in range(3, 4000, 20)]
    figure = _least_cost(server, b"bodies", *commands)
    return Figure(figure.value * 1000 / len(commands), figure.answer)


def fetch_one_part(server: Server) -> Figure:
    """FETCH n (UID BODY.PEEK[1]<0.2048>), one by one: server CPU, us."""
    commands = [b"FETCH %d (UID BODY.PEEK[1]<0.2048>)" % number for number in range(3, 4000, 20)]
    figure = _least_cost(server, b"bodies", *commands)
    return Figure(figure.value * 1000 / len(commands), figure.answer)


def search_subject(server: Server) -> Figure:
    """SEARCH SUBJECT "calendar invoice", 20,000 messages: server CPU, ms."""
    return _least_cost(server, b"listing", b'SEARCH SUBJECT "calendar invoice"')


def _search_text(server: Server, key: bytes) -> Figure:
    settled(server)
    return _least_cost(server, b"bodies", b"SEARCH " + key, runs=3)


def settled(server: Server) -> None:
    """Wait until the server does nothing of its own any more; an index of text is made by then."""
    idle = 0
    while idle < 5:
        before = cpu(server)
        time.sleep(1)
        idle = idle + 1 if cpu(server) - before < 0.02 else 0


def search_body(server: Server) -> Figure:
    """SEARCH BODY "calendar invoice meeting", 4,000 messages of 8 KB: server CPU, ms."""
    return _search_text(server, b'BODY "calendar invoice meeting"')


def search_common(server: Server) -> Figure:
    """SEARCH BODY of a word in every one of 4,000 messages of 8 KB: server CPU, ms."""
    return _search_text(server, b'BODY "calendar"')


def search_rare(server: Server) -> Figure:
    """SEARCH TEXT of a word in 2 of 4,000 messages of 8 KB: server CPU, ms."""
    return _search_text(server, b'TEXT "quince"')


def search_absent(server: Server) -> Figure:
    """SEARCH BODY of a word that is nowhere, 4,000 messages of 8 KB: server CPU, ms."""
    return _search_text(server, b'BODY "zeppelin"')


def search_short(server: Server) -> Figure:
    """SEARCH BODY of two characters, 4,000 messages of 8 KB: server CPU, ms."""
    return _search_text(server, b'BODY "qu"')


def store_all(server: Server) -> Figure:
    r"""STORE 1:* +FLAGS.SILENT, then -FLAGS.SILENT (\Flagged), 4,000 messages: server CPU, ms."""
    change = rb"STORE 1:* %bFLAGS.SILENT (\Flagged)"
    return _least_cost(server, b"bodies", change % b"+", change % b"-")


def status_all(server: Server) -> Figure:
    """STATUS (MESSAGES UNSEEN UIDNEXT) of 200 mailboxes: server CPU, ms."""
    client = connect(server)
    names = [b"status%d" % number for number in range(200)]
    for name in names:
        client.ask(b"CREATE " + name)
    client.close()
    figure = _least_cost(server, b"INBOX", *[b"STATUS %b (MESSAGES UNSEEN UIDNEXT)" % name for name in names])
    return Figure(figure.value)  # the order of the items is the server's choice


def copy_and_expunge(server: Server) -> Figure:
    r"""COPY of 1,000 messages, then STORE \Deleted and EXPUNGE of the copies: server CPU, ms."""
    client = connect(server)
    client.ask(b"CREATE copies")
    costs = []
    for _ in range(3):
        client.ask(b"SELECT bodies")
        before = cpu(server)
        client.ask(b"COPY 1:1000 copies")
        client.ask(b"SELECT copies")
        client.ask(rb"STORE 1:* +FLAGS.SILENT (\Deleted)")
        answer = client.ask(b"EXPUNGE")
        costs.append(cpu(server) - before)
    client.close()
    return Figure(min(costs) * 1000, f"{answer.count(b' EXPUNGE')} expunged")  # in an order of the server's choice


def noop_beside_listings(server: Server) -> Figure:
    """NOOP while two clients of the account list 20,000 envelopes over and over: 99th percentile, ms."""
    is_over = threading.Event()

    def list_on() -> None:
        lister = connect(server)
        lister.ask(b"SELECT listing")
        while not is_over.is_set():
            lister.ask(b"FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)")
        lister.close()

    client = connect(server)
    client.ask(b"SELECT INBOX")
    threads = [threading.Thread(target=list_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    delays = []
    for _ in range(500):
        begun = time.monotonic()
        client.ask(b"NOOP")
        delays.append(time.monotonic() - begun)
        time.sleep(0.005)
    is_over.set()
    for thread in threads:
        thread.join()
    client.close()
    return Figure(statistics.quantiles(delays, n=100)[98] * 1000)


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
    """APPEND of 8 KB, one client, durable: messages/s, median of five rounds."""
    return Figure(_append(server, 1, 100))


def append_eight(server: Server) -> Figure:
    """APPEND of 8 KB, eight clients, durable: messages/s, median of five rounds."""
    return Figure(_append(server, 8, 50))


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

    @ivar reads: which of L{MAILBOXES} it needs.
    @ivar more_is_better: for rates; else less is.
    @ivar rounds: how often each server is measured, in turn, where the machine's other work would distort one
        measurement; the median counts.
    """

    measure: Callable[[Server], Figure]
    reads: str = ""
    more_is_better: bool = False
    rounds: int = 1

    @property
    def title(self) -> str:
        """What it says of itself."""
        return (self.measure.__doc__ or "").strip().rstrip(".")

    def figures(self, servers: Sequence[Server]) -> list[Figure]:
        """Measure each server."""
        rounds = [[self.measure(server) for server in servers] for _ in range(self.rounds)]
        return [
            Figure(statistics.median(figure.value for figure in figures), figures[-1].answer)
            for figures in zip(*rounds, strict=True)
        ]


LINES = (
    Line(noop),
    Line(fetch_flags, "listing"),
    Line(fetch_envelopes, "listing"),
    Line(fetch_structures, "listing"),
    Line(fetch_headers, "listing"),
    Line(fetch_whole_headers, "listing"),
    Line(fetch_bodies, "bodies"),
    Line(fetch_one, "bodies"),
    Line(fetch_one_part, "bodies"),
    Line(search_subject, "listing"),
    Line(search_body, "bodies"),
    Line(search_common, "bodies"),
    Line(search_rare, "bodies"),
    Line(search_absent, "bodies"),
    Line(search_short, "bodies"),
    Line(store_all, "bodies"),
    Line(copy_and_expunge, "bodies"),
    Line(status_all),
    Line(append_one, more_is_better=True, rounds=5),
    Line(append_eight, more_is_better=True, rounds=5),
    Line(select_large, "large"),
    Line(noop_beside_listings, "listing"),
    Line(idle_notice),
    Line(idle_memory),
)
