"""
The SMTP protocol as Twisted sees it: the only module that knows twisted.mail's server.

L{SubmissionProtocol} is a C{twisted.mail.smtp.ESMTP} for whoever holds one, but reads, queues and answers on
its own: the stock reader, command lookup, DATA, AUTH and STARTTLS have faults that no hook mends.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from socket import AF_UNIX, socket
from typing import Any

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IPushProducer, ITCPTransport
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.mail import smtp
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from zope.interface import implementer

from trekd.errors import BadCredentials, Broken, TrekError
from trekd.portal.interfaces import IConnection, ILease, IMailUser, IPeerPassword, IPeerProof, Logout
from trekd.smtp import replies
from trekd.smtp.commands.table import TABLE
from trekd.smtp.session import Service, Session, Site
from trekd.smtp.stream import ConnectionEnded, InputStream

log = Logger()

LINGER = 30
"""Seconds in which a client can read our last words before the connection is dropped."""


@implementer(IPushProducer)
class OutputGate:
    """
    Shut while the client reads too slowly: the transport says so by pausing its producer.
    """

    def __init__(self) -> None:
        self._shut = False
        self._ended = False
        self._opens: Deferred[None] | None = None

    def pauseProducing(self) -> None:
        """Enough waits to be sent."""
        self._shut = True

    def resumeProducing(self) -> None:
        """The client has read."""
        self._shut = False
        opens, self._opens = self._opens, None
        if opens is not None:
            opens.callback(None)

    def stopProducing(self) -> None:
        """The connection is lost."""
        self.end()

    def end(self) -> None:
        """Whoever waits gets L{ConnectionEnded}."""
        self._ended = True
        opens, self._opens = self._opens, None
        if opens is not None:
            opens.errback(ConnectionEnded())

    async def open(self) -> None:
        """Wait until more can be sent."""
        if self._shut and not self._ended:
            self._opens = Deferred()
            await self._opens


@implementer(IConnection)
class SubmissionProtocol(smtp.ESMTP):
    """
    One connection of submission or LMTP.

    @ivar session: identifier of the session, for logs and C{trekctl}.
    @ivar peer: the client's IP address, C{""} on a local socket.
    """

    noisy = False
    transport: Any
    portal: Any

    def __init__(self, site: Site, service: Service, context_factory: object | None = None) -> None:
        """
        @param context_factory: for STARTTLS; C{None} does not offer it.
        """
        smtp.ESMTP.__init__(self, None, context_factory)
        self.host = site.hostname.encode()
        self.portal = site.portal
        self.service = service.name
        self.session = secrets.token_hex(6)
        self.peer = ""
        self._site = site
        self._offer = service
        self._gate = OutputGate()
        self._lease: ILease | None = None
        self._log_out: Logout | None = None
        self._dialogue: Session | None = None
        self._farewell: IDelayedCall | None = None
        self._lost: list[Deferred[None]] = []
        self._gone = False
        self._octets_in = self._octets_out = 0
        self._heard = 0.0

    # --- What Twisted calls -----------------------------------------------------------------------

    def connectionMade(self) -> None:
        """Enter the connection in the ledger, then greet."""
        transport, bottom = self.transport, self._bottom()
        # Twisted calls local sockets TCP too, and old releases then ask their kernel for TCP options.
        if ITCPTransport.providedBy(bottom) and self.kernel_socket() is not None:
            bottom.setTcpNoDelay(True)
        self.peer = getattr(transport.getPeer(), "host", "") or ""
        self._heard = self._site.clock.seconds()
        self.canStartTLS = self.ctx is not None and not self._offer.implicit_tls
        transport.registerProducer(self._gate, True)
        self._stream = InputStream(transport)
        try:
            self._lease = self._site.ledger.open(self)
        except TrekError as error:
            self.write(replies.answer(error).wire())
            self.close()
            return
        self._dialogue = Session(self._site, self._offer, self, self._stream, TABLE)
        Deferred.fromCoroutine(self._dialogue.run()).addErrback(self._session_failed)

    def dataReceived(self, data: bytes) -> None:
        """Hand octets to the session when it is ready for them."""
        self._octets_in += len(data)
        self._heard = self._site.clock.seconds()
        if not self._gone:
            self._stream.received(data)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Give back what the connection holds."""
        self._gone = True
        self._stream.end()
        self._gate.end()
        if self._farewell is not None and self._farewell.active():
            self._farewell.cancel()
        if self._log_out is not None:
            log_out, self._log_out = self._log_out, None
            log_out()
        if self._lease is not None:
            self._lease.close()
        lost, self._lost = self._lost, []
        for waiting in lost:
            waiting.callback(None)

    # --- What the session calls -------------------------------------------------------------------

    def write(self, octets: bytes) -> None:
        """Send octets; nothing after the end."""
        if not self._gone:
            self._octets_out += len(octets)
            self.transport.write(octets)

    async def drained(self) -> None:
        """Wait until the client has read enough to be sent more."""
        await self._gate.open()

    async def log_in(self, credentials: IPeerPassword | IPeerProof) -> IMailUser:
        """
        Log in through the portal.

        @raise TrekError: why not.
        """
        try:
            _, avatar, log_out = await self.portal.login(credentials, self._lease, smtp.IMessageDelivery)
        except UnauthorizedLogin:
            raise BadCredentials from None
        user: IMailUser | None = IMailUser(avatar, None)
        if self._gone or user is None:
            log_out()
            raise ConnectionEnded if self._gone else Broken(f"the realm's avatar is no {IMailUser.__name__}")
        self.delivery, self._log_out, self.authenticated = avatar, log_out, True
        return user

    def withdraw(self) -> None:
        """Undo a login that the client does not agree to in the end."""
        log_out, self._log_out = self._log_out, None
        self.delivery, self.authenticated = None, False
        if log_out is not None:
            log_out()

    def tls_state(self) -> Any:
        """The connection's TLS state, an C{OpenSSL.SSL.Connection}; only inside TLS."""
        return self.transport.getHandle()

    @property
    def can_start_tls(self) -> bool:
        """Whether STARTTLS is offered here."""
        return bool(self.canStartTLS) and not self.startedTLS

    def start_tls(self) -> None:
        """Everything from the next octet on is TLS."""
        self.startedTLS = True
        self.transport.startTLS(self.ctx)

    def close(self) -> None:
        """Close when the client has read what was sent, or has had its time to."""
        if self._gone:
            return
        self._gone = True
        self._stream.end()
        self._gate.end()
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        self._farewell = self._site.clock.callLater(LINGER, self.abort)

    # --- What the ledger calls --------------------------------------------------------------------

    def describe(self) -> Mapping[str, Any]:
        """For C{trekctl sessions}."""
        return {
            "client": self._dialogue.hello if self._dialogue is not None else "",
            "idle": self._site.clock.seconds() - self._heard,
            "octets_in": self._octets_in,
            "octets_out": self._octets_out,
        }

    def kernel_socket(self) -> socket | None:
        """The TCP socket below any TLS."""
        found = getattr(self._bottom(), "socket", None)
        return found if isinstance(found, socket) and found.family != AF_UNIX else None

    def _bottom(self) -> Any:
        """The transport below any TLS, which does not say itself what it stands on."""
        transport = self.transport
        while isinstance(transport, ProtocolWrapper):
            transport = transport.transport
        return transport

    def heartbeat(self) -> bool:
        """SMTP has no octets that mean nothing."""
        return False

    def say_goodbye(self) -> Deferred[None]:
        """Send 421 after the command that runs and close."""
        gone: Deferred[None] = Deferred()
        self._lost.append(gone)
        if self._dialogue is not None:
            self._dialogue.leave()
        return gone

    def abort(self) -> None:
        """Drop the connection."""
        self.transport.abortConnection()

    def _session_failed(self, failure: Failure) -> None:
        log.failure("session failed", failure, session=self.session, peer=self.peer)
        self.abort()


class SubmissionFactory(smtp.SMTPFactory):
    """Makes the protocols of one listener of submission or LMTP."""

    noisy = False

    def __init__(self, site: Site, service: Service, context_factory: object | None = None) -> None:
        """
        @param context_factory: for STARTTLS; C{None} does not offer it.
        """
        smtp.SMTPFactory.__init__(self, site.portal)
        self.domain = site.hostname.encode()
        self._site = site
        self._service = service
        self._context_factory = context_factory

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """A new connection."""
        protocol = SubmissionProtocol(self._site, self._service, self._context_factory)
        protocol.factory = self
        return protocol
