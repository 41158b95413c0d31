"""
IDLE (RFC 2177).
"""

from __future__ import annotations

from collections.abc import Callable

from trekd.errors import SyntaxFault, Unavailable
from trekd.imap.grammar.commands import Idle
from trekd.imap.grammar.fragments import CommandOctets, CommandRefused, ContinuationLine, Event, command_tag
from trekd.imap.session import Session
from trekd.imap.wire import Wire


async def idle(session: Session, command: Idle) -> bytes:
    """
    Announce what happens as it happens, until the client ends it.

    Between announcements the session holds nothing of the store.  Commands in one packet with DONE follow its OK
    (quirk C{done-with-commands}).
    """
    wire = session.wire
    wire.reader.expect_line()
    wire.write(b"+ idling\r\n")
    heartbeat = _Heartbeat(wire, session.config.heartbeat)
    session.is_idling = True
    try:
        return _ended(session, await _line(session))
    finally:
        session.is_idling = False
        heartbeat.stop()


async def _line(session: Session) -> Event:
    """Announce until the client sends something."""
    wire = session.wire
    while True:
        if session.has_news(expunge=True):
            await _announce(session)
        waiting = wire.drained()
        if waiting is not None:
            await waiting
        event = await wire.next_event()
        if event is not None:
            return event


async def _announce(session: Session) -> None:
    """Announce; a store that does not answer is asked again with the next heartbeat."""
    try:
        await session.announce(expunge=True, uid=False)
    except Unavailable:
        if session.selected is not None:
            session.selected.must_look()


def _ended(session: Session, event: Event) -> bytes:
    """
    The end of IDLE: C{DONE}, or, with some clients, the next command (quirk C{idle-by-tag}).
    """
    if isinstance(event, CommandRefused):
        raise event.fault
    assert isinstance(event, ContinuationLine)
    if event.octets.upper() != b"DONE":
        fragments = (event.octets,)
        if command_tag(fragments) == b"*" or event.octets.endswith(b"}"):
            raise SyntaxFault("DONE")
        session.next_command = CommandOctets(fragments)
    return b"OK IDLE terminated"


class _Heartbeat:
    """Sends C{* OK Still here} now and then (quirk C{idle-heartbeat})."""

    __slots__ = ("_cancel", "_interval", "_wire")

    def __init__(self, wire: Wire, interval: float) -> None:
        self._wire = wire
        self._interval = interval
        self._cancel: Callable[[], None] = wire.call_later(interval, self._beat)

    def _beat(self) -> None:
        self._wire.heartbeat()
        self._wire.wake()
        self._cancel = self._wire.call_later(self._interval, self._beat)

    def stop(self) -> None:
        """No more of them."""
        self._cancel()
