"""Endpoint strings."""

from __future__ import annotations

from trekd.config.endpoints import socket_path


def test_socket_path_of_endpoints() -> None:
    assert socket_path("unix:/run/trekmail/control:mode=600") == "/run/trekmail/control"
    assert socket_path("unix:address=/x") == "/x"
    assert socket_path("tcp:993") is None
