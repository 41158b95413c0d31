"""
A connection to one of our web sites: counted by the ledger, and with little time for each request.

Twisted's idle timeout begins anew with every octet, so that a request that drips in would last for weeks; each has a
deadline of its own here.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from functools import partial
from secrets import token_hex
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from zope.interface import implementer

from trekd.errors import TooManyUnauthenticated
from trekd.portal.interfaces import IConnection, ILease

HEADER_TIME = 60.0
"""Seconds from connecting, or from a request's first octet, to the end of its header."""
BODY_TIME = 600.0
"""Seconds for a request's body."""
BODY_PACE = 1024 * 1024
"""Octets of a body of any size that must have come in this time to be given as much again."""
GRACE = 1.0
"""Seconds for a client that waits for nothing to take part in the end of TLS."""
_CLIENT = 200
"""Characters of a User-Agent that are shown."""


@implementer(IConnection)
class SiteChannel(HTTPChannel):
    """
    One connection.

    @ivar lease: its place in the ledger; C{None} on sites without one.  A resource that verifies credentials
        logs in with it (L{trekd.portal.interfaces}), and the connection is no longer an unauthenticated one.
    """

    log = Logger()
    transport: Any
    site: Any
    peer = ""

    def __init__(self) -> None:
        super().__init__()
        self.session = token_hex(5)
        self.lease: ILease | None = None
        self._client = ""
        self._octets_in = self._octets_out = self._octets_at_start = 0
        self._heard = 0.0
        self._is_ending = False
        self._deadline: IDelayedCall | None = None
        self._gone: Deferred[None] | None = None

    @property
    def service(self) -> str:
        """See L{IConnection}."""
        name: str = self.site.service
        return name

    # --- What Twisted calls -------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """Enter the ledger; whoever has too many connections is dropped before TLS costs anything."""
        super().connectionMade()
        self.peer = getattr(self.transport.getPeer(), "host", "") or ""
        self._heard = self.site.reactor.seconds()
        self._start_deadline(HEADER_TIME)
        if self.site.ledger is not None:
            try:
                self.lease = self.site.ledger.open(self)
            except TooManyUnauthenticated:
                self._is_ending = True
                self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        """Take octets; the first of a request starts its deadline."""
        self._octets_in += len(data)
        self._heard = self.site.reactor.seconds()
        if self._deadline is None and not self.requests:
            self._start_deadline(HEADER_TIME)
        super().dataReceived(data)

    def allHeadersReceived(self) -> None:
        """The body has a deadline of its own."""
        self._start_deadline(BODY_TIME)
        agent = self.requests[-1].requestHeaders.getRawHeaders(b"user-agent", [b""])[0]
        self._client = agent[:_CLIENT].decode("utf-8", "replace")
        super().allHeadersReceived()

    def allContentReceived(self) -> None:
        """The request is complete: now we take the time."""
        self._stop_deadline()
        self.requests[-1].is_received = True
        super().allContentReceived()

    def _send100Continue(self) -> None:
        """Who takes the body says whether it is worth sending (RFC 9110 §10.1.1)."""
        request = self.requests[-1]
        if request.taker is None:
            super()._send100Continue()
        else:
            request.taker.invite(partial(self._go_on, request), partial(self._answer_now, request))

    def _go_on(self, request: Any) -> None:
        if not request.is_received and not request.taker.size:
            super()._send100Continue()

    def _answer_now(self, request: Any) -> None:
        """Answer without the body; nobody knows whether the client sends it still, so this is the last answer."""
        # Not now: the header's last line is being read.
        self.site.reactor.callLater(0, self._answer_without_body, request)

    def _answer_without_body(self, request: Any) -> None:
        if not request.is_received and request in self.requests:
            self.persistent = False
            request.setHeader(b"connection", b"close")
            self.allContentReceived()

    def lineLengthExceeded(self, line: bytes) -> None:
        """
        Answer and close; drop who goes on sending.

        The stock class waits for a producer that it is itself, and reads on meanwhile.
        """
        if self._is_ending:
            self.transport.abortConnection()
            return
        self._is_ending = True
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        self.loseConnection()

    def requestDone(self, request: Any) -> None:
        """Between two requests a connection ends in good order."""
        super().requestDone(request)
        if self._gone is not None:
            self.loseConnection()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """Give everything back."""
        self._stop_deadline()
        super().connectionLost(reason)
        if self.lease is not None:
            self.lease.close()
        gone, self._gone = self._gone, None
        if gone is not None:
            gone.callback(None)

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Any) -> None:
        """Send the beginning of an answer; old releases of Twisted give the header as pairs."""
        pairs = tuple((name, (value,)) for name, value in headers) if isinstance(headers, list) else ()
        fields = pairs or tuple(headers.getAllRawHeaders())
        self._octets_out += len(version + code + reason) + 6
        self._octets_out += sum(len(name) + len(value) + 4 for name, values in fields for value in values)
        super().writeHeaders(version, code, reason, headers)

    def write(self, octets: bytes) -> None:
        """Send octets of an answer."""
        self._octets_out += len(octets)
        super().write(octets)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Send octets of an answer."""
        pieces = tuple(iovec)
        self._octets_out += sum(map(len, pieces))
        super().writeSequence(pieces)

    # --- IConnection --------------------------------------------------------------------------------

    def describe(self) -> Mapping[str, Any]:
        """See L{IConnection}."""
        return {
            "client": self._client,
            "idle": self.site.reactor.seconds() - self._heard,
            "octets_in": self._octets_in,
            "octets_out": self._octets_out,
        }

    def kernel_socket(self) -> socket.socket | None:
        """See L{IConnection}."""
        inner = getattr(self.transport, "transport", None)
        handle = getattr(self.transport if inner is None else inner, "socket", None)
        return handle if isinstance(handle, socket.socket) and handle.family != socket.AF_UNIX else None

    def heartbeat(self) -> bool:
        """See L{IConnection}: HTTP has no octets that mean nothing."""
        return False

    def say_goodbye(self) -> Deferred[None]:
        """See L{IConnection}; after the request that is answered now."""
        gone: Deferred[None] = Deferred()
        self._gone = gone
        if not self.requests:
            self._stop_deadline()
            self._deadline = self.site.reactor.callLater(GRACE, self.abort)
            self.loseConnection()
        return gone

    def abort(self) -> None:
        """See L{IConnection}."""
        self.transport.abortConnection()

    # --- The deadline -------------------------------------------------------------------------------

    def _start_deadline(self, seconds: float) -> None:
        self._stop_deadline()
        self._octets_at_start = self._octets_in
        self._deadline = self.site.reactor.callLater(seconds, self._deadline_passed)

    def _stop_deadline(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None and deadline.active():
            deadline.cancel()

    def _deadline_passed(self) -> None:
        is_large = bool(self.requests) and getattr(self.requests[-1], "taker", None) is not None
        if is_large and self._octets_in - self._octets_at_start >= BODY_PACE:
            self._deadline = None
            self._start_deadline(BODY_TIME)
            return
        self.log.info("request from {peer} took too long to arrive", peer=self.peer, session=self.session)
        self.transport.abortConnection()
