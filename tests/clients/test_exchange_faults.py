"""Port 25 when too many come and stay, when files run out, and when the daemon is killed amid deliveries."""

from __future__ import annotations

import resource
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.clients.daemon import Daemon
from tests.clients.hostile import IMAP, SMTP, answer_time, bounded_memory, wait_until

pytestmark = pytest.mark.slow

MB = 1_000_000
MESSAGE = b"From: x@elsewhere.example\r\nSubject: %b\r\n\r\n" + b"x" * 900 + b"\r\ny"


class OpenDaemon(Daemon):
    """A daemon that lets one address have as many connections as it likes, within so many files."""

    def __init__(self, directory: Path, files: int) -> None:
        super().__init__(directory)
        text = self.config.read_text()
        self.config.write_text(text.replace("smtp_per_ip = 200", "smtp_per_ip = 5000\nsmtp_total = 5000"))
        self.prefix = ("prlimit", f"--nofile={files}:{files}")
        self.add_accounts({f"{name}@example.com": "pro" for name in ("alice", "bob")})


@contextmanager
def many_files() -> Iterator[None]:
    """This process may open as many files as the system lets it."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextmanager
def idle(daemon: Daemon, count: int) -> Iterator[list[socket.socket]]:
    """So many connections to port 25 that say nothing."""
    with many_files():
        connections = [daemon.connect(daemon.ports["smtp"]) for _ in range(count)]
        try:
            yield connections
        finally:
            for one in connections:
                one.close()


def stranger(daemon: Daemon) -> SMTP:
    client = SMTP(daemon, "smtp", name=None, secure=False)
    client.ask(b"EHLO mx.elsewhere.example")
    return client


def deliver(client: SMTP, name: bytes) -> bytes:
    """The reply to a message of a subject to bob from outside."""
    client.begin(sender=b"x@elsewhere.example")
    client.ask(b"DATA")
    client.send(MESSAGE % name + b"\r\n.\r\n")
    return client.reply()


def subjects(daemon: Daemon) -> list[bytes]:
    """What bob has."""
    with IMAP(daemon, "bob") as bob:
        bob.ask(b"s SELECT INBOX")
        lines = bob.ask(b"f FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
    return [line.removeprefix(b"Subject: ") for line in lines if line.startswith(b"Subject: ")]


def test_a_thousand_idle_strangers_are_no_trouble_to_others(tmp_path: Path) -> None:
    daemon = OpenDaemon(tmp_path, 2048)
    try:
        daemon.start()
        with IMAP(daemon) as neighbour, bounded_memory(daemon, 60 * MB), idle(daemon, 1000) as connections:
            for one in connections:
                one.settimeout(30)
                assert one.recv(4096).startswith(b"220 ")
            with stranger(daemon) as server, SMTP(daemon) as person:
                assert deliver(server, b"amid").startswith(b"250")
                assert person.works()
            assert answer_time(neighbour) < 2.0
            assert subjects(daemon) == [b"amid"]
        assert "Traceback" not in daemon.log
    finally:
        daemon.close()


def test_files_that_run_out_end_nobody_and_come_back(tmp_path: Path) -> None:
    """More connections than the system lets it have; who is inside stays, and who comes later gets in again."""
    daemon = OpenDaemon(tmp_path, 200)
    try:
        daemon.start()
        with IMAP(daemon) as inside, stranger(daemon) as server:
            with idle(daemon, 300):
                assert inside.works()
                assert server.works()
            wait_until(lambda: _gets_in(daemon))
            assert inside.works()
            assert deliver(server, b"after").startswith(b"250")
        assert subjects(daemon) == [b"after"]
        assert "EMFILE encountered" in daemon.log
        assert len(daemon.log) < 1_000_000
    finally:
        daemon.close()


def _gets_in(daemon: Daemon) -> bool:
    try:
        with SMTP(daemon) as person:
            return person.works()
    except (OSError, AssertionError):
        return False


def test_what_was_taken_before_a_kill_is_there(tmp_path: Path) -> None:
    """Port 25 and LMTP in parallel, SIGKILL in the middle: each 250 is a message, what had none at most one more."""
    daemon = OpenDaemon(tmp_path, 2048)
    acknowledged: list[bytes] = []
    lock = threading.Lock()

    def stream(worker: int) -> None:
        client = SMTP(daemon, "lmtp") if worker % 2 else stranger(daemon)
        for number in range(10_000):
            name = b"%d-%d" % (worker, number)
            try:
                reply = deliver(client, name)
            except (AssertionError, OSError):
                return
            if not reply:
                return
            assert reply.startswith(b"250"), reply
            with lock:
                acknowledged.append(name)

    try:
        for _ in range(2):
            daemon.start()
            acknowledged_before = len(acknowledged)
            with ThreadPoolExecutor(8) as pool:
                for worker in range(8):
                    pool.submit(stream, worker + 100 * acknowledged_before)
                deadline = time.monotonic() + 60
                while len(acknowledged) < acknowledged_before + 60:
                    assert time.monotonic() < deadline
                    time.sleep(0.01)
                daemon.kill()
        daemon.start()
        found = subjects(daemon)
        assert set(acknowledged) <= set(found)
        assert len(found) == len(set(found))
        assert len(found) <= len(acknowledged) + 2 * 8
        assert "none with faults" in daemon.trekctl("check")
        assert "Traceback" not in daemon.log
    finally:
        daemon.close()
