"""
What a session sees of its connection; L{trekd.imap.protocol} provides it.

Output is collected and leaves with L{Wire.flush}, which the protocol calls itself after each command; who writes
much awaits L{Wire.drained} between the pieces.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

from trekd.imap.grammar.fragments import CommandReader, Event
from trekd.store.interfaces import Listing


class Hangup(Exception):
    """The connection is gone or being closed; ends the command that runs, without an answer."""


class Wire(Protocol):
    """One connection's octets, time and identity."""

    session: str
    peer: str
    reader: CommandReader

    @property
    def is_closed(self) -> bool:
        """Whether the connection is gone or being closed."""

    @property
    def is_secure(self) -> bool:
        """Whether TLS protects the connection."""

    @property
    def can_start_tls(self) -> bool:
        """Whether STARTTLS is possible: there is a certificate and no TLS yet."""

    def tls_state(self) -> Any:
        """The connection's TLS state, an C{OpenSSL.SSL.Connection}; only when L{is_secure}."""

    def write(self, octets: bytes) -> None:
        """Collect octets for the client; dropped when the connection is gone."""

    def flush(self) -> None:
        """Hand what was collected to the transport."""

    def drained(self) -> Awaitable[None] | None:
        """
        Flush; C{None} when more may be written at once, else an awaitable: write nothing more until it is done.

        @raise Hangup: (when awaited) the connection is gone.
        """

    def turn(self, octets: int) -> Awaitable[None] | None:
        """
        Ask to write much: C{None} when it may be done at once, else an awaitable, so that other sessions get their
        turn.
        """

    def next_event(self) -> Awaitable[Event | None]:
        """
        The client's next event for the command that runs.

        @return: C{None} when L{wake} was called first.
        @raise Hangup: the connection is gone or the server shuts down.
        """

    def wake(self) -> None:
        """Let L{next_event} return C{None}, the one that waits or the next."""

    def attend(self) -> None:
        """Let the session announce what happened as soon as no command runs."""

    def heartbeat(self) -> bool:
        """Send an untagged OK, unless the client is behind with reading; whether it was sent."""

    @property
    def is_compressed(self) -> bool:
        """Whether L{start_compression} was called."""

    def start_compression(self) -> None:
        """Drop all input in clear; from now on both directions are compressed (RFC 4978 §3)."""

    def start_tls(self) -> None:
        """Drop all input in clear and start TLS (RFC 3501 §6.2.1)."""

    def close(self) -> None:
        """Send what was collected, then close; no further command runs."""

    def logged_in(self) -> None:
        """From now on the limits and timeouts of a logged-in client hold."""

    def logged_out(self) -> None:
        """From now on the limits and timeouts of a client that has not logged in hold again."""

    def call_later(self, seconds: float, function: Callable[[], None]) -> Callable[[], None]:
        """Call a function once; returns what cancels it."""

    def now(self) -> float:
        """Monotonic seconds."""


async def send_listing(wire: Wire, listing: AsyncIterator[Listing]) -> int:
    """
    Write a listing as fast as the client reads it.

    @return: how many messages it had.
    """
    messages = 0
    async for piece in listing:
        messages += piece.messages
        turn = wire.turn(len(piece.octets))
        if turn is not None:
            await turn
        wire.write(piece.octets)
        waiting = wire.drained()
        if waiting is not None:
            await waiting
    return messages
