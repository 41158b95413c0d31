"""The servers of calendars and contacts that are measured, each in a directory of its own, and a client for all."""

from __future__ import annotations

import base64
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.servers import PASSWORD, PLANS, USER
from tests.clients.daemon import Daemon, free_ports

PATIENCE = 900.0
"""Seconds for one answer; peers take their time."""

Items = Iterable[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    status: int
    body: bytes


class Client:
    """One connection, kept where the server keeps it."""

    def __init__(self, port: int, is_secure: bool, user: str) -> None:
        self._address = ("127.0.0.1", port)
        self._is_secure = is_secure
        self._login = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
        self._stream: socket.socket | None = None
        self._buffer = b""

    def ask(self, method: str, path: str, body: bytes = b"", **fields: str) -> Reply:
        """One request; underscores in names of fields stand for hyphens."""
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {self._login}\r\n{lines}"
        octets = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        is_fresh = self._stream is None
        try:
            self._connected().sendall(octets)
            return self._reply()
        except (ConnectionError, ssl.SSLError):
            self.close()
            if is_fresh:
                raise
            self._connected().sendall(octets)
            return self._reply()

    def required(self, method: str, path: str, body: bytes = b"", **fields: str) -> bytes:
        """
        The body of an answer.

        @raise RuntimeError: it is an error.
        """
        reply = self.ask(method, path, body, **fields)
        if reply.status >= 300:
            raise RuntimeError(f"{method} {path}: {reply.status} {reply.body[:300]!r}")
        return reply.body

    def close(self) -> None:
        """Drop the connection."""
        if self._stream is not None:
            self._stream.close()
        self._stream, self._buffer = None, b""

    def _connected(self) -> socket.socket:
        if self._stream is None:
            plain = socket.create_connection(self._address, PATIENCE)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._stream = _trusting().wrap_socket(plain) if self._is_secure else plain
        return self._stream

    def _reply(self) -> Reply:
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        fields = dict(re.findall(rb"(?m)^([^:\r\n]+):[ \t]*([^\r\n]*)", head.lower()))
        status = int(head.split(None, 2)[1])
        if status == 100:
            return self._reply()
        if fields.get(b"transfer-encoding") == b"chunked":
            body = b"".join(iter(self._chunk, b""))
        elif b"content-length" in fields:
            body = self._take(int(fields[b"content-length"]))
        elif status in (204, 304):
            body = b""
        else:
            body = self._rest()
        if fields.get(b"connection") == b"close" or head.startswith(b"HTTP/1.0"):
            self.close()
        return Reply(status, body)

    def _chunk(self) -> bytes:
        while b"\r\n" not in self._buffer:
            self._fill()
        size, _, self._buffer = self._buffer.partition(b"\r\n")
        return self._take(int(size, 16) + 2)[:-2]

    def _take(self, count: int) -> bytes:
        pieces, have = [self._buffer], len(self._buffer)
        while have < count:
            pieces.append(self._received())
            have += len(pieces[-1])
        octets = b"".join(pieces)
        self._buffer = octets[count:]
        return octets[:count]

    def _rest(self) -> bytes:
        pieces = [self._buffer]
        try:
            while True:
                pieces.append(self._received())
        except ConnectionError:
            return b"".join(pieces)

    def _fill(self) -> None:
        self._buffer += self._received()

    def _received(self) -> bytes:
        octets = self._connected().recv(1 << 18)
        if not octets:
            raise ConnectionError("closed by the server")
        return octets


def _trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class TrekMail:
    """Ours, as C{twistd trekmail} runs it: over TLS, with a login."""

    calendar = f"/dav/calendars/{USER}/calendar/"
    contacts = f"/dav/addressbooks/{USER}/contacts/"

    def __init__(self, directory: Path, engine: str) -> None:
        self.name = f"TrekMail ({engine})"
        directory.mkdir(parents=True)
        self._daemon = Daemon(directory, PLANS + f'[store]\nengine = "{engine}"\n')
        self._daemon.add_accounts({USER: "bench"}, PASSWORD)
        self._daemon.start()

    def client(self) -> Client:
        """A connection."""
        return Client(self._daemon.ports["https"], True, USER)

    def fill(self, events: Items, contacts: Items) -> None:
        """By PUT."""
        client = self.client()
        for home, items in ((self.calendar, events), (self.contacts, contacts)):
            for name, body in items:
                client.required("PUT", home + name, body, Content_Type=_media_type(name))
        client.close()

    @property
    def process(self) -> int:
        """The daemon's id."""
        assert self._daemon.process is not None
        return self._daemon.process.pid

    def stop(self) -> None:
        """End it."""
        self._daemon.stop()


class _Peer:
    """A server on plain HTTP that trusts everybody."""

    name = ""
    calendar = ""
    contacts = ""

    def __init__(self, directory: Path, program: str) -> None:
        directory.mkdir(parents=True)
        self._directory, self._program = directory, program
        self._port = free_ports(1)[0]
        with open(directory / "log", "wb") as log:
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=log, cwd=directory)
        deadline = time.monotonic() + 30
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((directory / "log").read_text())
            time.sleep(0.05)

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port)).close()
        except OSError:
            return False
        return True

    def client(self) -> Client:
        """A connection."""
        return Client(self._port, False, "bench")

    @property
    def process(self) -> int:
        """Its id."""
        return self._process.pid

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()


class Radicale(_Peer):
    """Radicale with files that it syncs, as by default; filled on disk."""

    name = "Radicale"
    calendar = "/bench/calendar/"
    contacts = "/bench/contacts/"

    def _command(self) -> list[str]:
        return [
            *(self._program, "--config", "", "--server-hosts", f"127.0.0.1:{self._port}", "--auth-type", "none"),
            *("--storage-filesystem-folder", str(self._directory / "store"), "--logging-level", "error"),
        ]

    def fill(self, events: Items, contacts: Items) -> None:
        """As files with the names that it would give them."""
        for name, kind, items in (("calendar", "VCALENDAR", events), ("contacts", "VADDRESSBOOK", contacts)):
            home = self._directory / "store/collection-root/bench" / name
            home.mkdir(parents=True)
            (home / ".Radicale.props").write_text(json.dumps({"tag": kind}))
            for item, body in items:
                (home / item).write_bytes(body)


class Xandikos(_Peer):
    """Xandikos, which leaves syncing to the system; filled on disk, in one commit."""

    name = "Xandikos"
    calendar = "/user/calendars/calendar/"
    contacts = "/user/contacts/addressbook/"

    def _command(self) -> list[str]:
        return [
            *(self._program, "-d", str(self._directory / "store"), "--defaults", "--current-user-principal", "/user/"),
            *("-l", "127.0.0.1", "-p", str(self._port)),
        ]

    def fill(self, events: Items, contacts: Items) -> None:
        """As files of its repositories."""
        client = self.client()
        for path, items in ((self.calendar, events), (self.contacts, contacts)):
            client.required("PROPFIND", path, Depth="0")
            home = self._directory / ("store" + path)
            for item, body in items:
                (home / item).write_bytes(body)
            for words in (("add", "."), ("commit", "-qm", "filled")):
                subprocess.run(
                    ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.com", *words],
                    cwd=home,
                    check=True,
                    stdout=subprocess.DEVNULL,
                )


Server = TrekMail | Radicale | Xandikos


def cpu(server: Server) -> float:
    """CPU seconds that a server used so far, by the kernel's clock of the process; ended threads count."""
    return time.clock_gettime(((~server.process) << 3) | 2)


def memory(server: Server) -> int:
    """Resident octets."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{server.process}/status").read_text())
    return int(found[1]) * 1024 if found else 0


def start(directory: Path, peers: str | None) -> list[Server]:
    """
    All that this machine has; the absence of a peer is said aloud.

    @param peers: where the peers' programs are; C{None}: in C{PATH}.
    """
    servers: list[Server] = [TrekMail(directory / "apsw", "apsw"), TrekMail(directory / "sqlite3", "sqlite3")]
    for program, peer in (("radicale", Radicale), ("xandikos", Xandikos)):
        found = shutil.which(program, path=peers)
        if found is None or (peer is Xandikos and shutil.which("git") is None):
            print(f"NOT COMPARED: needs {program} (and git)", file=sys.stderr)
        else:
            servers.append(peer(directory / program, found))
    return servers


def _media_type(name: str) -> str:
    return "text/calendar" if name.endswith(".ics") else "text/vcard"


