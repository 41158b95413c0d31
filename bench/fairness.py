"""
How long NOOP takes while others loop full listings: C{python -m bench.fairness}; see C{--help}.

Eight connections, in processes of their own, ask C{UID FETCH 1:* (FLAGS)} of 10,000 messages over and over; one more
sends NOOP every 20 ms and takes the time of each.  The answers' octets per second tell whether the listings pay for it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.client import Client
from bench.lines import settled
from bench.servers import USER, Dovecot, Server, TrekMail, available, password

MESSAGES = 10_000
_SMALL = b"Subject: message %d\r\nFrom: a@example.com\r\n\r\nText\r\n"


def _fill(server: Server) -> None:
    client = Client(server.port, USER, password(server))
    for start in range(0, MESSAGES, 500):
        client.append(b"INBOX", *(_SMALL % number for number in range(start, start + 500)))
    client.close()
    settled(server)


def _loop(port: int, secret: str, stop: Any, octets: Any) -> None:
    """Fetch until told to stop; the machine serves the server first, as if the clients were elsewhere."""
    os.nice(10)
    client = Client(port, USER, secret)
    client.ask(b"SELECT INBOX")
    received = 0
    while not stop.is_set():
        received += len(client.ask(b"UID FETCH 1:* (FLAGS)"))
    with octets.get_lock():
        octets.value += received
    client.close()


def _noops(port: int, secret: str, seconds: float) -> list[float]:
    """Milliseconds of each NOOP."""
    client = Client(port, USER, secret)
    client.ask(b"SELECT INBOX")
    taken = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.perf_counter()
        client.ask(b"NOOP")
        taken.append((time.perf_counter() - start) * 1000)
        time.sleep(0.02)
    client.close()
    return taken


def measure(server: Server, readers: int, seconds: float) -> str:
    """One server's line."""
    stop = multiprocessing.Event()
    octets = multiprocessing.Value("q", 0)
    secret = password(server)
    loops = [multiprocessing.Process(target=_loop, args=(server.port, secret, stop, octets)) for _ in range(readers)]
    for each in loops:
        each.start()
    time.sleep(1)
    taken = sorted(_noops(server.port, secret, seconds))
    stop.set()
    for each in loops:
        each.join(60)
    p99 = taken[int(len(taken) * 0.99)]
    rate = octets.value / (seconds + 1) / 1e6
    return f"{server.name}: p50 {statistics.median(taken):.2f} ms, p99 {p99:.2f} ms, listings {rate:.1f} MB/s"


def main() -> None:
    """Measure TrekMail, and Dovecot where it is installed."""
    parser = argparse.ArgumentParser(description="NOOP beside full listings.")
    parser.add_argument("--readers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="a server's name")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="trekmail-bench-", dir=".")).resolve()
    directory.chmod(0o755)
    servers: list[Server] = [TrekMail(directory / "apsw", "apsw"), TrekMail(directory / "sqlite3", "sqlite3")]
    if Dovecot in available():
        servers.append(Dovecot(directory / "mdbox", "mdbox"))
    try:
        for server in servers:
            if options.only in server.name:
                _fill(server)
                for _ in range(options.rounds):
                    print(measure(server, options.readers, options.seconds), flush=True)
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
