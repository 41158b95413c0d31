"""
What the kernel knows of a TCP connection's other end (tcp(7), C{TCP_INFO}).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

_PROBES = struct.Struct("=3xB")
_UNACKED = struct.Struct("=24xI")
_TIMES = struct.Struct("=44xI8xI")
_ROUND_TRIP = struct.Struct("=68xI")
_ACKED = struct.Struct("=120xQ")
_NOT_SENT = struct.Struct("=144xI")
_SIZE = _NOT_SENT.size
"""Octets of C{struct tcp_info} up to the last field used (C{linux/tcp.h}; complete since Linux 4.6)."""


_NEVER = 127
"""Keepalive probes after which the kernel itself ends a connection, at most: the verdict is ours."""


@dataclass(frozen=True, slots=True)
class TCPState:
    """
    One look at a connection.

    @ivar probes: of a closed window, or of keepalive, not answered since the last acknowledgement.
    @ivar unacked: segments on the way.
    @ivar not_sent: octets that wait in the kernel.
    @ivar since_sent: milliseconds since octets were sent, or sent again; probes carry none.
    @ivar since_ack: milliseconds since the peer's kernel acknowledged anything, a probe included.
    @ivar acked: octets acknowledged in all.
    @ivar round_trip: smoothed, in seconds.
    """

    probes: int = 0
    unacked: int = 0
    not_sent: int = 0
    since_sent: int = 0
    since_ack: int = 0
    acked: int = 0
    round_trip: float = 0.0

    @classmethod
    def parse(cls, octets: bytes) -> TCPState:
        """
        Read C{struct tcp_info}.

        @raise ValueError: this kernel tells too little.
        """
        if len(octets) < _SIZE:
            raise ValueError(f"TCP_INFO has {len(octets)} octets of {_SIZE}")
        since_sent, since_ack = _TIMES.unpack_from(octets)
        return cls(
            probes=_PROBES.unpack_from(octets)[0],
            unacked=_UNACKED.unpack_from(octets)[0],
            not_sent=_NOT_SENT.unpack_from(octets)[0],
            since_sent=since_sent,
            since_ack=since_ack,
            acked=_ACKED.unpack_from(octets)[0],
            round_trip=_ROUND_TRIP.unpack_from(octets)[0] / 1_000_000,
        )

    @property
    def waits_for_ack(self) -> bool:
        """
        Whether octets were sent after the peer's last acknowledgement.

        Octets that the peer dropped because its window is shut are on the way too, but each copy of them is
        acknowledged: the peer lives.
        """
        return self.unacked > 0 and self.since_sent < self.since_ack

    @property
    def has_output(self) -> bool:
        """Whether octets are on the way or wait, so that the kernel asks the peer without being told to."""
        return self.unacked > 0 or self.not_sent > 0


def look(handle: socket.socket | None) -> TCPState | None:
    """Look at a connection; C{None} when it is no TCP, closed already, or the kernel tells too little."""
    if handle is None:
        return None
    try:
        return TCPState.parse(handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 512))
    except (OSError, ValueError):
        return None


def hasten_keepalive(handle: socket.socket, interval: int) -> Callable[[], None]:
    """
    Let the kernel send a keepalive probe now and at an interval, if the peer was silent for a second.

    For connections without output: the kernel sends no keepalive while octets wait to be acknowledged.

    @param interval: seconds.
    @return: puts the usual times back; the connection may be closed by then.
    """
    # The time last: setting it is what starts the kernel's timer anew.
    options = (socket.TCP_KEEPCNT, socket.TCP_KEEPINTVL, socket.TCP_KEEPIDLE)
    usual = [handle.getsockopt(socket.IPPROTO_TCP, option) for option in options]

    def set_options(values: list[int]) -> None:
        for option, value in zip(options, values, strict=True):
            handle.setsockopt(socket.IPPROTO_TCP, option, value)

    def restore() -> None:
        try:
            set_options(usual)
        except OSError:
            return  # closed

    set_options([_NEVER, interval, 1])
    return restore
