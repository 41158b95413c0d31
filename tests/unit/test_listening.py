"""L{trekd.listening}: ports open at once, or one line says why not."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from twisted.internet.protocol import Factory

from trekd.errors import ConfigFault
from trekd.listening import listen


@pytest.fixture
def opened() -> object:
    """Open a port with the real reactor, and close all of them in the end."""
    from twisted.internet import reactor

    ports = []

    def opening(endpoint: str, base: str = "/") -> object:
        port = listen(reactor, "imaps", endpoint, Factory(), base)
        ports.append(port)
        return port

    yield opening
    for port in ports:
        port.stopListening()
    reactor.iterate(0)  # type: ignore[attr-defined]


def test_a_busy_port_is_one_clear_line(opened: object) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        number = other.getsockname()[1]
        with pytest.raises(ConfigFault) as caught:
            opened(f"tcp:{number}:interface=127.0.0.1")
    assert "[listen] imaps" in str(caught.value)
    assert "another program listens there" in str(caught.value)
    assert f"port {number} is taken" in str(caught.value)
    assert f"(process {os.getpid()})" in str(caught.value)
    assert len(caught.value.complaints) == 1


def test_tcp_answers_leave_at_once(opened: object) -> None:
    port = opened("tcp:0:interface=127.0.0.1")
    assert port.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    with socket.create_connection(("127.0.0.1", port.getHost().port)):
        accepted, _ = port.socket.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_many_can_come_at_once(opened: object) -> None:
    """A connection that finds the kernel's queue full waits at least a second."""
    port = opened("tcp:0:interface=127.0.0.1")
    clients = [socket.create_connection(("127.0.0.1", port.getHost().port), 0.5) for _ in range(200)]
    for client in clients:
        client.close()


def test_a_relative_socket_path_starts_from_the_base(opened: object, tmp_path: Path) -> None:
    opened("unix:../run/control:mode=600", str(tmp_path / "etc"))
    path = tmp_path / "run" / "control"
    assert path.is_socket()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_socket_is_closed_to_other_users_unless_its_mode_is_said(opened: object, tmp_path: Path) -> None:
    opened(f"unix:{tmp_path}/closed")
    opened(f"unix:{tmp_path}/open:mode=666")
    assert (tmp_path / "closed").stat().st_mode & 0o777 == 0o660
    assert (tmp_path / "open").stat().st_mode & 0o777 == 0o666


def test_a_dead_process_socket_is_replaced(opened: object, tmp_path: Path) -> None:
    path = str(tmp_path / "control")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    opened(f"unix:{path}")
    assert os.path.exists(path)


def test_a_living_socket_is_not_taken_over(opened: object, tmp_path: Path) -> None:
    path = str(tmp_path / "control")
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(path)
        living.listen()
        with pytest.raises(ConfigFault, match="another program"):
            opened(f"unix:{path}")


@pytest.mark.parametrize("endpoint", ["tcp:99999999", "nonsense:1", "tcp:port", "systemd:domain=INET:index=0"])
def test_an_impossible_endpoint_is_a_complaint(opened: object, endpoint: str) -> None:
    with pytest.raises(ConfigFault, match="imaps"):
        opened(endpoint)
