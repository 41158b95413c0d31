"""A kernel's view of TCP connections whose peers live, stop reading or vanish, by a Clock."""

from __future__ import annotations

import socket
import struct
from typing import Any

from twisted.internet.task import Clock

from tests.fakes.connections import FakeConnection


class FakeSocket:
    """
    Answers C{TCP_INFO} as Linux does: a peer acknowledges after one round trip, a vanished one never.

    @ivar is_shut: the peer's window is shut, and it answers the kernel's probes.
    """

    def __init__(self, clock: Clock, round_trip: float = 0.02) -> None:
        self.clock = clock
        self.round_trip = round_trip
        self.vanished: float | None = None
        self.is_shut = False
        self.size = 232
        self.options = {socket.TCP_KEEPIDLE: 120, socket.TCP_KEEPINTVL: 30, socket.TCP_KEEPCNT: 4}
        self._sent: float | None = None
        self._acked = clock.seconds()
        self._hastened: float | None = None
        self._octets = 0

    def send(self) -> None:
        """Octets leave."""
        self._settle()
        self._sent = self.clock.seconds()
        self._octets += 18

    def vanish(self) -> None:
        """Nobody acknowledges from now on."""
        self._settle()
        self.vanished = self.clock.seconds()

    def hear(self) -> None:
        """The peer's kernel sent something."""
        self._acked = self.clock.seconds()

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """Keepalive times."""
        self.options[option] = value
        if option == socket.TCP_KEEPIDLE:
            self._settle()
            self._hastened = self.clock.seconds() if value == 1 else None

    def getsockopt(self, level: int, option: int, size: int = 0) -> Any:
        """Keepalive times and C{struct tcp_info}."""
        if option != socket.TCP_INFO:
            return self.options[option]
        self._settle()
        now = self.clock.seconds()
        octets = bytearray(280)
        octets[3] = self._probes()
        waits = self._sent is not None and self._sent > self._acked
        struct.pack_into("=I", octets, 24, int(waits))
        struct.pack_into("=I", octets, 44, int(1000 * (now - (self._sent or 0))))
        struct.pack_into("=I", octets, 56, int(1000 * (now - self._acked)))
        struct.pack_into("=I", octets, 68, int(1_000_000 * self.round_trip))
        struct.pack_into("=Q", octets, 120, 0 if waits else self._octets)
        struct.pack_into("=I", octets, 144, 5000 * self.is_shut)
        return bytes(octets[: min(self.size, size)])

    def _probes(self) -> int:
        if self._hastened is None or self.vanished is None:
            return 2 * (self.is_shut and self.vanished is not None)
        return 1 + int((self.clock.seconds() - self._hastened) / self.options[socket.TCP_KEEPINTVL])

    def _settle(self) -> None:
        """Let acknowledgements that are due by now have come."""
        for asked in (self._sent, self._hastened):
            if asked is None or asked <= self._acked or (self.vanished is not None and asked >= self.vanished):
                continue
            if self.clock.seconds() >= asked + self.round_trip:
                self._acked = asked + self.round_trip


class KernelConnection(FakeConnection):
    """
    A connection with such a socket.

    @ivar can_beat: the protocol allows a heartbeat now.
    @ivar is_stuck: heartbeats stay in this process, because the reactor is busy.
    """

    def __init__(self, clock: Clock, round_trip: float = 0.02) -> None:
        super().__init__()
        self.socket = FakeSocket(clock, round_trip)
        self.can_beat = True
        self.is_stuck = False
        self.beats = 0

    def kernel_socket(self) -> Any:
        """See L{IConnection}."""
        return self.socket

    def heartbeat(self) -> bool:
        """See L{IConnection}."""
        if self.can_beat:
            self.beats += 1
            if not self.is_stuck:
                self.socket.send()
        return self.can_beat
