"""Two network namespaces with a cable between them that a test can pull: a host and its clients."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from typing import TypeVar

import pytest

from tests.clients.programs import require

T = TypeVar("T")
_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)

HOST = "10.231.77.1"
CLIENTS = ("10.231.77.2", "10.231.77.3")


class Cable:
    """The two namespaces and what joins them; named after this process."""

    def __init__(self) -> None:
        self._ip = require("ip")
        self.host, self.client = (f"trek{os.getpid()}{end}" for end in "hc")
        if os.geteuid() != 0:
            pytest.skip("NOT TESTED: network namespaces need root")
        try:
            self.ip("netns", "add", self.host)
            self.ip("netns", "add", self.client)
            peer = ("peer", "name", "cable", "netns", self.client)
            self.ip("link", "add", "cable", "netns", self.host, "type", "veth", *peer)
        except subprocess.CalledProcessError as error:
            self.close()
            pytest.skip(f"NOT TESTED: no network namespaces here: {error.stderr.decode().strip()}")
        self.ip("-n", self.host, "addr", "add", f"{HOST}/24", "dev", "cable")
        for address in CLIENTS:
            self.ip("-n", self.client, "addr", "add", f"{address}/24", "dev", "cable")
        for namespace in (self.host, self.client):
            for device in ("lo", "cable"):
                self.ip("-n", namespace, "link", "set", device, "up")

    def ip(self, *arguments: str) -> None:
        """Run ip(8)."""
        subprocess.run([self._ip, *arguments], check=True, capture_output=True)

    def inside(self, namespace: str, function: Callable[[], T]) -> T:
        """Call a function in a namespace; a socket that it makes stays there."""
        results: list[T] = []
        faults: list[BaseException] = []

        def run() -> None:
            try:
                with open(f"/run/netns/{namespace}") as file:
                    if _LIBC.setns(file.fileno(), _CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                results.append(function())
            except BaseException as fault:
                faults.append(fault)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if faults:
            raise faults[0]
        return results[0]

    def connect(self, port: int, source: str = CLIENTS[0]) -> socket.socket:
        """Connect from the clients' end."""
        return self.inside(self.client, lambda: socket.create_connection((HOST, port), 10, (source, 0)))

    def pull(self) -> None:
        """Everybody at the clients' end is gone without a word."""
        self.ip("-n", self.client, "link", "set", "cable", "down")

    def plug(self) -> None:
        """Put it back."""
        self.ip("-n", self.client, "link", "set", "cable", "up")

    def close(self) -> None:
        """Remove both namespaces."""
        for namespace in (self.host, self.client):
            subprocess.run([self._ip, "netns", "del", namespace], check=False, capture_output=True)
