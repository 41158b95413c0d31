"""Peers that vanish without a word lose their slots, living ones never do (DESIGN §6)."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.clients.daemon import PASSWORD, Daemon
from tests.clients.namespaces import CLIENTS, HOST, Cable

NANO = "nano@example.com"
SWEEP = 5


class CabledDaemon(Daemon):
    """A daemon at the host's end of a cable."""

    def __init__(self, directory: Path, cable: Cable, interval: str) -> None:
        super().__init__(directory, f'heartbeat_interval = "{interval}"', HOST)
        self.cable = cable
        self.prefix = ("ip", "netns", "exec", cable.host)

    def connect(self, port: int) -> socket.socket:
        """See L{Daemon}."""
        return self.cable.inside(self.cable.host, lambda: socket.create_connection((HOST, port), 1))

    def local_client(self, name: str = NANO) -> Client:
        """Log in from the host's own end, where no cable is pulled."""
        return Client(self.connect(self.ports["imaps"]), self.client_tls, name)

    def sessions(self, name: str = NANO) -> int:
        """How many sessions the account has."""
        return len(self.trekctl_json("sessions", name))


class Client:
    """One IMAP connection over TLS, logged in unless refused."""

    def __init__(self, connection: socket.socket, tls: ssl.SSLContext, name: str = NANO) -> None:
        self.socket = tls.wrap_socket(connection, server_hostname="mail.example.com")
        self.socket.settimeout(20)
        self.file = self.socket.makefile("rb")
        self.file.readline()
        self.answer = self.command(f'LOGIN {name} "{PASSWORD}"')

    def command(self, text: str) -> bytes:
        """Send a command; its tagged answer."""
        self.send(f"t {text}\r\n".encode())
        return self.line(b"t ")

    def send(self, octets: bytes) -> None:
        """Send octets as they are."""
        self.socket.sendall(octets)

    def line(self, start: bytes) -> bytes:
        """Read up to a line that starts so; b'' when the connection ends first."""
        while (line := self.file.readline()) and not line.startswith(start):
            pass
        return line


def idle(client: Client) -> None:
    client.command("SELECT INBOX")
    client.send(b"i IDLE\r\n")
    client.line(b"+")


def between_commands(client: Client) -> None:
    client.command("NOOP")


def in_a_line(client: Client) -> None:
    client.send(b"n SELECT INB")


def in_a_literal(client: Client) -> None:
    client.send(b"a APPEND INBOX {400}\r\n")
    client.line(b"+")
    client.send(b"Subject: half a mess")


def with_a_shut_window(client: Client) -> None:
    client.command("SELECT INBOX")
    client.send(b"f FETCH 1 BODY[]\r\nf FETCH 1 BODY[]\r\nf FETCH 1 BODY[]\r\n")
    # Until everything between the two programs is full.
    time.sleep(1.5)


STATES: tuple[Callable[[Client], None], ...] = (idle, between_commands, in_a_line, in_a_literal)


@pytest.fixture
def cable() -> Iterator[Cable]:
    made = Cable()
    yield made
    made.close()


@pytest.fixture
def host(tmp_path: Path, cable: Cable) -> Iterator[CabledDaemon]:
    """A daemon whose sweep comes too late for any test."""
    yield from started(tmp_path, cable, "1h")


@pytest.fixture
def sweeping(tmp_path: Path, cable: Cable) -> Iterator[CabledDaemon]:
    """A daemon that looks for ghosts every few seconds."""
    yield from started(tmp_path, cable, f"{SWEEP}s")


def started(directory: Path, cable: Cable, interval: str) -> Iterator[CabledDaemon]:
    with closing(CabledDaemon(directory, cable, interval)) as made:
        made.add_accounts({NANO: "nano"})
        made.start()
        yield made


def open_clients(
    host: CabledDaemon, count: int, source: str, state: Callable[[Client], None] | None = None
) -> list[Client]:
    """Log in that often; each in the state given, or all states in turn."""
    clients = []
    for number in range(count):
        client = Client(host.cable.connect(host.ports["imaps"], source), host.client_tls)
        assert client.answer.startswith(b"t OK"), client.answer
        (state or STATES[number % len(STATES)])(client)
        clients.append(client)
    return clients


def fill_mailbox(host: CabledDaemon, octets: int) -> None:
    client = host.local_client()
    message = b"Subject: large\r\n\r\n" + b"x" * 78 + b"\r\n" + (b"y" * 78 + b"\r\n") * (octets // 80)
    client.send(b"a APPEND INBOX {%d+}\r\n" % len(message) + message + b"\r\n")
    assert client.line(b"a ").startswith(b"a OK")
    client.command("LOGOUT")


def test_slots_of_vanished_peers_are_reused_within_seconds(host: CabledDaemon) -> None:
    """DESIGN §6: 15 ghosts in every state on a Nano account."""
    ghosts = open_clients(host, 10, CLIENTS[0]) + open_clients(host, 5, CLIENTS[1])
    assert host.sessions() == 15
    host.cable.pull()
    time.sleep(1.5)
    started = time.monotonic()
    newcomers = [host.local_client() for _ in range(3)]
    took = time.monotonic() - started
    assert all(client.answer.startswith(b"t OK") for client in newcomers), [client.answer for client in newcomers]
    print(f"three logins among 15 ghosts: {took:.2f} s")
    assert took / 3 < 5
    assert host.sessions() == 15
    del ghosts


def test_ghosts_with_output_in_flight_give_way(host: CabledDaemon) -> None:
    """The kernel sends again and again, and nobody acknowledges."""
    ghosts = open_clients(host, 10, CLIENTS[0], idle) + open_clients(host, 5, CLIENTS[1], idle)
    host.cable.pull()
    fill_mailbox_over_lmtp(host)
    started = time.monotonic()
    assert host.local_client().answer.startswith(b"t OK")
    assert time.monotonic() - started < 5
    del ghosts


def fill_mailbox_over_lmtp(host: CabledDaemon) -> None:
    """Deliver one message: every session in IDLE is told."""
    with socket.socket(socket.AF_UNIX) as lmtp:
        lmtp.connect(host.lmtp)
        lmtp.settimeout(10)
        replies = lmtp.makefile("rb")
        for line in (b"LHLO me", b"MAIL FROM:<>", b"RCPT TO:<nano@example.com>", b"DATA", b"Subject: x\r\n\r\nx\r\n."):
            lmtp.sendall(line + b"\r\n")
            while (reply := replies.readline())[3:4] == b"-" or reply.startswith(b"220"):
                pass
        assert reply.startswith(b"250"), reply


def test_slow_but_living_peers_keep_their_slots(sweeping: CabledDaemon) -> None:
    """A stopped program, a shut window: the kernel acknowledges, so nobody is evicted, by login or sweep."""
    fill_mailbox(sweeping, 8_000_000)
    command = ("ip", "netns", "exec", sweeping.cable.client, sys.executable, "-c", _STOPPED)
    stopped = subprocess.Popen(
        [*command, HOST, str(sweeping.ports["imaps"]), str(sweeping.certificate), NANO, PASSWORD],
        stdout=subprocess.PIPE,
    )
    try:
        assert stopped.stdout is not None and stopped.stdout.readline() == b"idling\n"
        stopped.send_signal(signal.SIGSTOP)
        living = open_clients(sweeping, 4, CLIENTS[0], with_a_shut_window) + open_clients(sweeping, 5, CLIENTS[0])
        living += open_clients(sweeping, 5, CLIENTS[1])
        assert sweeping.sessions() == 15
        for _ in range(3):
            assert b"Maximum connections exceeded (15 of 15" in sweeping.local_client().answer
        time.sleep(2 * SWEEP + 6)
        assert b"Maximum connections exceeded" in sweeping.local_client().answer
        assert sweeping.sessions() == 15
        del living
    finally:
        stopped.kill()
        stopped.wait()


_STOPPED = """
import socket, ssl, sys
host, port, certificate, name, password = sys.argv[1:]
tls = ssl.create_default_context(cafile=certificate)
client = tls.wrap_socket(socket.create_connection((host, int(port))), server_hostname="mail.example.com")
lines = client.makefile("rb")
for command in (f'a LOGIN {name} "{password}"', "b SELECT INBOX", "c IDLE"):
    client.sendall(command.encode() + b"\\r\\n")
    while not (line := lines.readline()).startswith((command[:1].encode() + b" OK", b"+")):
        assert line
print("idling", flush=True)
lines.read()
"""


def test_the_sweep_finds_ghosts_without_any_login(sweeping: CabledDaemon) -> None:
    """Every state, output in flight, and a shut window, whose probes the kernel sends ever more rarely."""
    fill_mailbox(sweeping, 8_000_000)
    ghosts = open_clients(sweeping, 8, CLIENTS[0]) + open_clients(sweeping, 1, CLIENTS[0], with_a_shut_window)
    sweeping.cable.pull()
    fill_mailbox_over_lmtp(sweeping)  # two of them are in IDLE
    started = time.monotonic()
    while sweeping.sessions() > 1:
        assert time.monotonic() - started < 3 * SWEEP + 5, sweeping.trekctl("sessions")
        time.sleep(0.5)
    print(f"the sweep took {time.monotonic() - started:.1f} s")
    while sweeping.sessions():
        assert time.monotonic() - started < 60, sweeping.trekctl("sessions")
        time.sleep(0.5)
    print(f"with the shut window {time.monotonic() - started:.1f} s")
    assert sweeping.log.count("has vanished") == 9
    del ghosts


def test_a_short_outage_ends_no_session(sweeping: CabledDaemon) -> None:
    """A cable that is pulled for less than the sweep's patience."""
    clients = open_clients(sweeping, 4, CLIENTS[0], between_commands)
    sweeping.cable.pull()
    time.sleep(1)
    sweeping.cable.plug()
    time.sleep(2 * SWEEP)
    assert all(client.command("NOOP").startswith(b"t OK") for client in clients)
