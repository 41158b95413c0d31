"""Submitted mail leaves to a Postfix beyond a name server: whole, once, and whatever goes wrong on the way."""

from __future__ import annotations

import smtplib
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.clients.daemon import PASSWORD, Daemon, free_ports
from tests.clients.hostile import SMTP
from tests.clients.postfix import Postfix, require_postfix
from tests.clients.programs import require, run
from tests.fakes.nameserver import NameServerProcess
from tests.fakes.vectors import VECTORS

ZONE = {"outside.example": ["MX 10 mx.outside.example."], "mx.outside.example": ["A 127.0.0.1"]}
PATIENCE = 60.0


class World:
    """
    The daemon and, beyond its name server, the exchanger of outside.example.

    @ivar port: where that one is, or would be.
    """

    def __init__(self, directory: Path, open_to_postfix: Path) -> None:
        """@param open_to_postfix: a directory that other users may enter, which those of pytest are not."""
        require_postfix()
        for name in ("dns", "daemon"):
            (directory / name).mkdir()
        self.names = NameServerProcess(directory / "dns", ZONE)
        self.port = free_ports(1)[0]
        self.postfix = Postfix(
            open_to_postfix / "postfix",
            {"myhostname": "mx.outside.example", "virtual_mailbox_domains": "outside.example"},
            {f"127.0.0.1:{self.port}": ""},
        )
        dns = f'[dns]\nservers = ["127.0.0.1:{self.names.port}"]\ntimeout = 1\nattempts = 1\n'
        relay = f'[relay]\nmx_port = {self.port}\nallowed_networks = ["127.0.0.0/8"]\ncommand_timeout = 10\n'
        self.daemon = Daemon(directory / "daemon", dns + relay)
        self.daemon.add_accounts({"alice@example.com": "pro"})
        self.daemon.start()

    def submit(self, subject: str) -> None:
        """Alice writes to the outside."""
        with smtplib.SMTP_SSL("localhost", self.daemon.ports["submissions"], context=self.daemon.client_tls) as client:
            client.login("alice@example.com", PASSWORD)
            message = f"From: alice@example.com\r\nSubject: {subject}\r\n\r\n{subject}\r\n"
            client.sendmail("alice@example.com", ["bob@outside.example"], message)

    def waiting(self) -> list[dict[str, Any]]:
        """What the daemon's queue holds."""
        found: Any = self.daemon.trekctl_json("queue", "list")
        entries: list[dict[str, Any]] = found["entries"]
        return entries

    def heal(self) -> None:
        """The exchanger works, and what waits is tried at once until nothing waits."""
        if self.postfix.process is None:
            self.postfix.start()

        def is_empty() -> bool:
            self.daemon.trekctl("queue", "retry", "--all", status=None)
            return not self.waiting()

        until(is_empty)
        until(lambda: not self.postfix.queued())

    def subjects(self) -> Counter[str]:
        """Of what arrived."""
        lines = [line for octets in self.postfix.received() for line in octets.decode().splitlines()]
        return Counter(line.removeprefix("Subject: ") for line in lines if line.startswith("Subject: "))

    def close(self) -> None:
        """End everything."""
        self.daemon.close()
        self.postfix.stop()
        self.names.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Everything runs but the exchanger."""
    with TemporaryDirectory(prefix="trekmail-postfix-") as directory:
        made = World(tmp_path, Path(directory))
        try:
            yield made
        finally:
            made.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait for something outside this process."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.1)


class Rascal(threading.Thread):
    """
    What stands in the exchanger's place and misbehaves.

    @ivar served: connections that it has met.
    """

    def __init__(self, port: int, serve: Callable[[socket.socket], None]) -> None:
        super().__init__(daemon=True)
        self.served = 0
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", port), reuse_port=False)
        self._kept: list[socket.socket] = []
        self.start()

    def run(self) -> None:
        """Misbehave."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._kept.append(connection)
            self.served += 1
            try:
                self._serve(connection)
            except OSError:
                pass

    def close(self) -> None:
        """Give the place free."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._kept:
            connection.close()


def garbage(connection: socket.socket) -> None:
    """No SMTP at all."""
    connection.sendall(bytes(range(256)) * 40 + b"\r\n")


def closing_in_data(connection: socket.socket) -> None:
    """Away in the middle of the message."""
    stream = connection.makefile("rwb")
    for answer in (b"220 hello", b"250 hello", b"250 OK", b"250 OK", b"354 go"):
        stream.write(answer + b"\r\n")
        stream.flush()
        stream.readline()
    stream.readline()
    stream.close()
    connection.shutdown(socket.SHUT_RDWR)


def greeting_late(connection: socket.socket) -> None:
    """A connection and never a word."""


@pytest.mark.parametrize("manner", [garbage, closing_in_data, greeting_late])
def test_mail_waits_for_an_exchanger_that_misbehaves_and_arrives_once(
    world: World, manner: Callable[[socket.socket], None]
) -> None:
    rascal = Rascal(world.port, manner)
    world.submit("patience")
    until(lambda: bool([entry for entry in world.waiting() if entry["attempts"]]))
    assert rascal.served
    rascal.close()
    world.heal()
    assert world.subjects() == {"patience": 1}
    assert "Traceback" not in world.daemon.log


@pytest.mark.parametrize("fault", ["silent", "servfail", "garbage", "cut", "wrong-id", "wrong-name"])
def test_mail_waits_for_names_that_cannot_be_had(world: World, fault: str) -> None:
    world.postfix.start()
    world.names.change(ZONE, faults={"outside.example": fault})
    world.submit("names")
    until(lambda: bool([entry for entry in world.waiting() if entry["attempts"]]))
    assert not world.subjects()
    world.names.change(ZONE)
    world.heal()
    assert world.subjects() == {"names": 1}
    assert "Traceback" not in world.daemon.log


def test_octets_arrive_as_they_were_sent(world: World) -> None:
    """Dots, 8-bit octets and lines of 990 octets, from swaks to Postfix's mailbox (RFC 5321 §4.5.2)."""
    world.postfix.start()
    body = "Hello\r\n.\r\n.leading dot\r\n..two\r\n\tçédille €\r\n" + "x" * 990 + "\r\n\r\n.\r\nend\r\n"
    sent = f"From: alice@example.com\r\nTo: bob@outside.example\r\nSubject: octets\r\n\r\n{body}"
    run(
        *(require("swaks"), "--server", "127.0.0.1", "--port", str(world.daemon.ports["submissions"])),
        *("--tls-on-connect", "--auth", "PLAIN", "--auth-user", "alice@example.com", "--auth-password", PASSWORD),
        *("--from", "alice@example.com", "--to", "bob@outside.example", "--data", "-"),
        input=sent.encode(),
    )
    world.heal()
    assert world.subjects() == {"octets": 1}
    (received,) = world.postfix.received()
    header, _, text = received.partition(b"\n\n")
    assert text.replace(b"\n", b"\r\n") == body.encode() + b"\r\n"  # swaks ends it with one more CRLF
    assert b"Return-Path: <alice@example.com>" in header


HEADER = b"From: alice@example.com\r\nSubject: "
SECOND = b"MAIL FROM:<alice@example.com>\r\nRCPT TO:<bob@outside.example>\r\nDATA\r\n" + HEADER + b"smuggled\r\n\r\nx"


def test_no_submitter_makes_two_messages_of_one_at_the_next_server(world: World) -> None:
    """
    Postfix 3.7 as it comes takes C{LF . LF} and its like for the end of a message: nothing of the kind may reach it.
    What the daemon takes, by DATA or BDAT, is one message there, whatever dots stand wherever.
    """
    world.postfix.start()
    taken = refused = 0
    with SMTP(world.daemon) as client:
        for number, vector in enumerate(VECTORS):
            octets = HEADER + b"one\r\n\r\nfirst" + vector + SECOND + b"\r\n"
            reply = client.deliver(octets, b"bob@outside.example")
            assert reply.startswith(b"550 5.6.0"), vector
            client.begin(b"bob@outside.example")
            client.send(b"BDAT %d LAST\r\n" % len(octets) + octets)
            assert client.reply().startswith(b"550 5.6.0"), vector
            assert client.works()
            refused += 2
            # The same between line ends that mail has, so that it is only a dot.
            dots = vector.replace(b"\0", b"").replace(b"\r", b"").replace(b"\n", b"\r\n")
            octets = HEADER + b"legal %d\r\n\r\nfirst" % number + dots + SECOND + b"\r\n"
            client.begin(b"bob@outside.example")
            client.send(b"BDAT %d LAST\r\n" % len(octets) + octets)
            assert client.reply().startswith(b"250"), vector
            taken += 1
    world.heal()
    assert refused == 2 * len(VECTORS)
    # The text behind the dot names a subject in the body, which is not one more message.
    assert len(world.postfix.received()) == taken
    firsts = [octets.partition(b"Subject: ")[2].partition(b"\n")[0] for octets in world.postfix.received()]
    assert sorted(firsts) == sorted(b"legal %d" % number for number in range(len(VECTORS)))


@pytest.mark.parametrize("edge", [16_384, 32_768, 65_536, 262_144])
def test_dots_at_the_edges_of_pieces_stay_dots(world: World, edge: int) -> None:
    """RFC 5321 §4.5.2, at every edge that some layer cuts at."""
    world.postfix.start()
    wanted = {}
    with SMTP(world.daemon) as client:
        for off in range(-3, 3):
            head = HEADER + b"edge %d\r\n\r\n" % off
            lines = b"x" * 62 + b"\r\n"
            count, rest = divmod(edge + off - len(head) - 2, len(lines))
            body = lines * count + b"y" * rest + b"\r\n.\r\n..\r\n.end\r\n"
            wanted[b"edge %d" % off] = body
            client.begin(b"bob@outside.example")
            client.send(b"BDAT %d LAST\r\n" % len(head + body) + head + body)
            assert client.reply().startswith(b"250")
    world.heal()
    found = {}
    for octets in world.postfix.received():
        header, _, body = octets.replace(b"\n", b"\r\n").partition(b"\r\n\r\n")
        found[header.partition(b"Subject: ")[2].partition(b"\r\n")[0]] = body
    assert found == wanted


def test_what_was_acknowledged_before_a_kill_arrives(world: World) -> None:
    """kill -9 amid submissions: nothing acknowledged is lost, and at most what was on its way comes twice."""
    acknowledged: list[str] = []

    def stream(name: str) -> None:
        try:
            for number in range(1000):
                world.submit(f"{name}{number}")
                acknowledged.append(f"{name}{number}")
        except (OSError, smtplib.SMTPException):
            pass

    world.postfix.start()
    clients = [threading.Thread(target=stream, args=(name,)) for name in "abcd"]
    for client in clients:
        client.start()
    until(lambda: len(acknowledged) >= 25)
    world.daemon.kill()
    for client in clients:
        client.join()
    world.daemon.start()
    world.heal()
    arrived = world.subjects()
    assert not set(acknowledged) - set(arrived)
    assert len(set(arrived) - set(acknowledged)) <= len(clients)
    # Each destination begins with two connections: a kill catches few messages between the other side's 250 and ours.
    assert sum(count - 1 for count in arrived.values()) <= 20
    assert max(arrived.values()) <= 2
