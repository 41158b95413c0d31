"""
Which server is asked: the first of the list that is up.

A server that fails is passed over for a while (C{retry_down_after}).  Then one thread tries it, beside the logins,
which go on with the others; when no server is up, a login itself is the try, once a second, and the rest are told at
once that the directory is down.  What goes wrong on a connection that was open before is tried once more on a fresh
one: servers close idle connections, and restart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Protocol, TypeVar

from twisted.logger import Logger

from trekd.directory.interfaces import DirectoryServer
from trekd.directory.ldap.entries import ISession, ServerFailed
from trekd.errors import DirectoryDown

T = TypeVar("T")

_NONE_UP_INTERVAL = 1.0
"""Seconds between tries while no server is up."""


class ICheckedSession(ISession, Protocol):
    """A session that can be tried without a question."""

    def check(self) -> None:
        """Connect and bind as the service account."""


@dataclass(slots=True)
class _Server:
    """
    One server as all threads see it.

    @ivar failed_at: clock seconds, C{None} while it is up.
    @ivar is_tried: a thread is trying it now.
    @ivar outages: how often it went down.
    """

    uri: str
    failed_at: float | None = None
    reason: str = ""
    is_tried: bool = False
    outages: int = 0


Channel = dict[str, ICheckedSession]
"""A thread's sessions by URI."""


class Failover:
    """
    The servers, and idle sessions with them; may be used by several threads.

    As many sessions with a server are open as threads have used it at one time.
    """

    log = Logger()

    def __init__(
        self,
        uris: Sequence[str],
        connect: Callable[[str], ICheckedSession],
        hold: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        @param uris: in order of preference.
        @param connect: makes a session, which need not be connected yet.
        @param hold: seconds for which a server that failed is passed over.
        """
        self._servers = [_Server(uri) for uri in uris]
        self._connect = connect
        self._hold = hold
        self._clock = clock
        self._lock = Lock()
        self._idle: list[Channel] = []

    def call(self, operation: Callable[[ISession], T]) -> T:
        """
        Do something with a server.

        @param operation: may be called more than once, for more than one server.
        @raise DirectoryDown: no server answered.
        """
        channel = self._borrow()
        faults: list[ServerFailed] = []
        try:
            for server in self._candidates(faults):
                try:
                    return self._try(server, channel, operation)
                except ServerFailed as fault:
                    self._fell(server, fault.reason)
                    faults.append(fault)
        finally:
            self._give_back(channel)
        raise DirectoryDown("; ".join(f"{server.uri}: {server.reason}" for server in self._servers))

    def is_try_due(self) -> bool:
        """Whether L{try_fallen} has something to do."""
        with self._lock:
            return any(self._is_due(server) for server in self._servers)

    def try_fallen(self) -> None:
        """Try servers that have been passed over for long enough; never raises."""
        channel = self._borrow()
        try:
            for server in self._servers:
                if self._claim(server):
                    try:
                        self._try(server, channel, lambda session: session.check())
                    except ServerFailed as fault:
                        self._fell(server, fault.reason)
        finally:
            self._give_back(channel)

    def servers(self) -> tuple[DirectoryServer, ...]:
        """The servers as they are now."""
        with self._lock:
            return tuple(
                DirectoryServer(each.uri, "" if each.failed_at is None else each.reason or "down", each.outages)
                for each in self._servers
            )

    def close(self) -> None:
        """End all idle sessions."""
        with self._lock:
            idle, self._idle = self._idle, []
        for channel in idle:
            for session in channel.values():
                session.close()

    def _candidates(self, faults: Sequence[ServerFailed]) -> Iterator[_Server]:
        """
        The servers to ask, one after the other: those that are up, then fallen ones, the longest untried first.

        @param faults: of those asked before; a user who has waited for a silent server does not wait for fallen ones.
        """
        for server in self._servers:
            if server.failed_at is None:
                yield server
        for server in sorted(self._servers, key=lambda each: each.failed_at or 0.0):
            if any(fault.was_timeout for fault in faults):
                return
            if self._claim(server):
                yield server

    def _try(self, server: _Server, channel: Channel, operation: Callable[[ICheckedSession], T]) -> T:
        was_open = server.uri in channel
        if not was_open:
            channel[server.uri] = self._connect(server.uri)
        session = channel[server.uri]
        try:
            result = operation(session)
        except ServerFailed as fault:
            session.close()
            channel.pop(server.uri, None)
            if was_open and not fault.was_timeout:
                return self._try(server, channel, operation)
            raise
        except Exception:
            # It answered, or we are at fault: not for the next server to mend.
            self._rose(server)
            raise
        self._rose(server)
        return result

    def _claim(self, server: _Server) -> bool:
        with self._lock:
            if not self._is_due(server):
                return False
            server.is_tried = True
            return True

    def _is_due(self, server: _Server) -> bool:
        if server.failed_at is None or server.is_tried:
            return False
        is_any_up = any(each.failed_at is None for each in self._servers)
        hold = self._hold if is_any_up else min(self._hold, _NONE_UP_INTERVAL)
        return self._clock() >= server.failed_at + hold

    def _rose(self, server: _Server) -> None:
        with self._lock:
            was_down = server.failed_at is not None
            server.failed_at, server.is_tried = None, False
        if was_down:
            self.log.info("LDAP: {uri} is up again", uri=server.uri)

    def _fell(self, server: _Server, reason: str) -> None:
        with self._lock:
            is_news = server.failed_at is None or server.reason != reason
            server.outages += server.failed_at is None
            server.failed_at, server.is_tried, server.reason = self._clock(), False, reason
        if is_news:
            self.log.warn("LDAP: {uri} is down: {reason}", uri=server.uri, reason=reason)

    def _borrow(self) -> Channel:
        with self._lock:
            return self._idle.pop() if self._idle else {}

    def _give_back(self, channel: Channel) -> None:
        with self._lock:
            self._idle.append(channel)
