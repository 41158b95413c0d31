"""Raw connections for tests that speak badly, and what they look at besides the answers: memory, log, neighbours."""

from __future__ import annotations

import base64
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from tests.clients.daemon import PASSWORD, Daemon

PATIENCE = 30.0
"""Seconds after which a server that does not answer has failed."""

PIECE = 262_144
"""Octets read at once."""


class Line:
    """One connection, inside TLS unless said otherwise, with lines out and in."""

    def __init__(self, daemon: Daemon, service: str, secure: bool = True) -> None:
        """
        @param service: a key of C{daemon.ports}, or C{lmtp} or C{control} for the local sockets.
        @param secure: start with TLS (ignored on local sockets).
        """
        self._daemon = daemon
        if service in daemon.ports:
            self.socket: socket.socket = socket.create_connection(("127.0.0.1", daemon.ports[service]), PATIENCE)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(PATIENCE)
            self.socket.connect(str(daemon.directory / service))
            secure = False
        self.buffer = b""
        if secure:
            self.start_tls()

    def __enter__(self) -> Line:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection."""
        self.socket.close()

    def start_tls(self) -> None:
        """The rest is inside TLS."""
        self.buffer = b""
        self.socket = self._daemon.client_tls.wrap_socket(self.socket, server_hostname="localhost")

    def send(self, octets: bytes) -> None:
        """Send; a server that has closed meanwhile is no error here, it shows when its answer is read."""
        try:
            self.socket.sendall(octets)
        except (ConnectionError, ssl.SSLError):
            pass

    def line(self) -> bytes | None:
        """The next line, without its end; C{None} when the server has closed."""
        while b"\n" not in self.buffer:
            piece = self._receive()
            if not piece:
                return None
            self.buffer += piece
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.removesuffix(b"\r")

    def take(self, count: int) -> bytes:
        """Exactly so many octets, fewer only at the end."""
        pieces = [self.buffer]
        missing = count - len(self.buffer)
        while missing > 0 and (piece := self._receive()):
            pieces.append(piece)
            missing -= len(piece)
        octets = b"".join(pieces)
        self.buffer = octets[count:]
        return octets[:count]

    def _receive(self) -> bytes:
        try:
            return self.socket.recv(PIECE)
        except (ConnectionError, ssl.SSLError):
            return b""

    @property
    def is_closed(self) -> bool:
        """Whether the server closes, after whatever it still says."""
        while piece := self._receive():
            self.buffer += piece
        return True


class IMAP(Line):
    """An IMAP client that says anything."""

    def __init__(self, daemon: Daemon, name: str | None = "alice", service: str = "imaps", secure: bool = True) -> None:
        """
        @param name: who logs in, C{None} for nobody.
        """
        super().__init__(daemon, service, secure)
        self.greeting = self.line()
        if name is not None:
            assert self.ask(b'L LOGIN %b@example.com "%b"' % (name.encode(), PASSWORD.encode()))[-1].startswith(b"L OK")

    def answers(self, tag: bytes) -> list[bytes]:
        """All lines up to the tagged one (literals are lines as well); fewer only when the server closes."""
        lines = []
        while (line := self.line()) is not None:
            lines.append(line)
            if line.startswith(tag + b" "):
                break
        return lines

    def ask(self, command: bytes) -> list[bytes]:
        """Send a command, its CRLF added, and read until its tag."""
        self.send(command + b"\r\n")
        return self.answers(command.split(b" ", 1)[0])

    def works(self) -> bool:
        """Whether the connection is in sync: a NOOP is answered, and by nothing else."""
        return self.ask(b"sync NOOP") == [b"sync OK NOOP completed"]

    def append(self, message: bytes, mailbox: bytes = b"INBOX") -> bytes:
        """APPEND with a literal that does not wait; the tagged answer."""
        self.send(b"A APPEND %b {%d+}\r\n" % (mailbox, len(message)))
        self.send(message + b"\r\n")
        return self.answers(b"A")[-1]


class SMTP(Line):
    """An SMTP or LMTP client that says anything."""

    def __init__(
        self, daemon: Daemon, service: str = "submissions", name: str | None = "alice", secure: bool = True
    ) -> None:
        """
        @param name: who logs in, C{None} for nobody; ignored on C{lmtp}.
        @param secure: use TLS, after STARTTLS where it does not come first.
        """
        super().__init__(daemon, service, secure=secure and service != "submission")
        self.greeting = self.reply()
        if not secure:
            return
        if service == "lmtp":
            self.ask(b"LHLO client.example")
            return
        self.ask(b"EHLO client.example")
        if service == "submission":
            self.ask(b"STARTTLS")
            self.start_tls()
            self.ask(b"EHLO client.example")
        if name is not None:
            assert self.log_in(f"{name}@example.com", PASSWORD).startswith(b"235")

    def log_in(self, username: str, password: str) -> bytes:
        """AUTH PLAIN."""
        message = base64.b64encode(f"\0{username}\0{password}".encode())
        return self.ask(b"AUTH PLAIN " + message)

    def reply(self) -> bytes:
        """The next whole reply, lines joined; empty when the server has closed."""
        lines = [self.line() or b""]
        while lines[-1][3:4] == b"-":
            lines.append(self.line() or b"")
        return b"\n".join(lines)

    def ask(self, command: bytes) -> bytes:
        """Send a command, its CRLF added, and read one reply."""
        self.send(command + b"\r\n")
        return self.reply()

    def begin(self, recipient: bytes = b"bob@example.com", sender: bytes = b"alice@example.com") -> None:
        """A transaction up to its recipient."""
        assert self.ask(b"MAIL FROM:<%b>" % sender).startswith(b"250")
        assert self.ask(b"RCPT TO:<%b>" % recipient).startswith(b"250")

    def deliver(self, octets: bytes, recipient: bytes = b"bob@example.com") -> bytes:
        """A whole transaction with octets as they go over the wire, but for the end; its reply."""
        self.begin(recipient)
        assert self.ask(b"DATA").startswith(b"354")
        self.send(octets + b"\r\n.\r\n")
        return self.reply()

    def works(self) -> bool:
        """Whether the connection is in sync: a NOOP is answered, and by nothing else."""
        return self.ask(b"NOOP").startswith(b"250 2.0.0")


def has_clean_log(daemon: Daemon) -> bool:
    """Whether nothing was an error of ours, and no password was logged."""
    password = base64.b64encode(PASSWORD.encode()).decode().rstrip("=")
    return not any(text in daemon.log for text in ("Traceback", PASSWORD, "tr0ub4dor", password))


def memory(daemon: Daemon) -> int:
    """Resident octets of the daemon now."""
    return _status(daemon, "VmRSS")


@contextmanager
def bounded_memory(daemon: Daemon, octets: int) -> Iterator[None]:
    """The daemon's resident memory never rises by more than so much inside the block."""
    assert daemon.process is not None
    Path(f"/proc/{daemon.process.pid}/clear_refs").write_text("5")
    before = memory(daemon)
    yield
    grown = _status(daemon, "VmHWM") - before
    assert grown <= octets, f"the daemon grew by {grown / 1e6:.0f} MB, {octets / 1e6:.0f} MB are allowed"


def _status(daemon: Daemon, field: str) -> int:
    assert daemon.process is not None
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{daemon.process.pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def answer_time(client: IMAP | SMTP) -> float:
    """Seconds that a NOOP takes."""
    begun = time.monotonic()
    assert client.works()
    return time.monotonic() - begun


def wait_until(condition: object, seconds: float = PATIENCE) -> None:
    """Until a function is true."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this never happened"
        time.sleep(0.02)
