"""
The connection: octets in both directions, time, and the ledger's view of it.

The one place that knows C{twisted.mail.imap4} and transports.  C{IMAP4Server} gives the class and the factory that a
Twisted administrator expects; none of its reading, queueing and answering is used.

Invariants: commands run one at a time, in the order of their octets; what comes meanwhile waits in the reader, and
the peer waits when that is full.  A command starts only when the client has taken the answers before it, so that a
client that does not read costs no more than one piece of output.
"""

from __future__ import annotations

import ipaddress
import socket
import zlib
from collections.abc import Awaitable, Callable, Mapping
from secrets import token_hex
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, fail, succeed
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IOpenSSLServerConnectionCreator,
    IReactorTime,
    ISSLTransport,
    ITCPTransport,
    ITLSTransport,
)
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.mail import imap4
from twisted.python.failure import Failure
from zope.interface import implementer

from trekd.errors import TooManyUnauthenticated
from trekd.imap import dispatch
from trekd.imap.compression import Inflation
from trekd.imap.grammar.fragments import CommandReader, Event, ReaderLimits
from trekd.imap.grammar.tokens import ParseOptions
from trekd.imap.output import Output
from trekd.imap.responses import SERVER_BUG, answer
from trekd.imap.session import Services, Session, State
from trekd.imap.turns import Turns
from trekd.imap.wire import Hangup
from trekd.portal.interfaces import IConnection, ILease, ILedger

_STALL = 300.0
"""Seconds after which a client that owes reading, and takes nothing, is cut off."""
_GRACE = 10.0
"""Seconds for the last octets to leave."""
_LIMITS_BEFORE_LOGIN = ReaderLimits(max_line=8_192, max_literal=8_192, max_literals=8, max_append=1)


@implementer(IConnection)
class IMAPProtocol(imap4.IMAP4Server):
    """
    One client's connection, and the L{Wire<trekd.imap.wire.Wire>} of its session.

    @ivar session: identifier for logs.
    @ivar peer: the client's IP address.
    """

    service = "imap"
    log = Logger()
    factory: IMAPFactory
    transport: Any

    def __init__(self, factory: IMAPFactory) -> None:
        super().__init__(contextFactory=factory.tls)  # type: ignore[no-untyped-call]
        self.factory = factory
        self.session = token_hex(5)
        self.peer = ""
        self.reader = CommandReader(_LIMITS_BEFORE_LOGIN)
        self._output: Output = None  # type: ignore[assignment]
        self._session: Session | None = None
        self._lease: ILease | None = None
        self._inflation: Inflation | None = None
        self._octets_in = 0
        self._heard = 0.0
        self._is_pumping = False
        self._is_running = False
        self._is_woken = False
        self._is_closed = False
        self._is_parting = False
        self._is_deaf = False
        self._waiting: Deferred[Event | None] | None = None
        self._gone: Deferred[None] | None = None

    # --- What Twisted calls -------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """Enter the ledger and greet (RFC 3501 §7.1, greeting)."""
        self._set_up_transport()
        self._set_timeout(self.factory.services.config.login_timeout)
        try:
            self._lease = self.factory.ledger.open(self)
        except TooManyUnauthenticated as error:
            self.write(b"* BYE " + answer(error).text + b"\r\n")
            self.close()
            return
        self._session = Session(self.factory.services, self, self._lease)
        hostname = self.factory.services.hostname.encode("ascii", "replace")
        self.write(b"* OK [CAPABILITY %b] %b ready\r\n" % (self._session.capabilities, hostname))
        self.flush()

    def dataReceived(self, data: bytes) -> None:
        """Take octets; before login they do not put off the deadline."""
        self._octets_in += len(data)
        self._heard = self.now()
        if self._is_closed or self._session is None:
            return
        if self._session.user is not None and not self._output.is_paused:
            self.resetTimeout()  # type: ignore[no-untyped-call]
        (self._inflation or self.reader).feed(data)
        self._pump()

    def timeoutConnection(self) -> None:
        """Nothing came, or nothing left, for too long."""
        if self._is_closed or self._session is None or self._output.is_paused:
            self.abort()
        elif self._is_running and self._waiting is None:
            self._set_timeout(self.timeOut)  # ours is the delay
        elif self._session.state is State.NOT_AUTHENTICATED:
            self._session.bye(b"Login took too long")
        else:
            self._session.bye(b"Autologout; nothing heard for too long")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Give back everything; the command that runs ends at its next wait for the client."""
        self._set_timeout(None)
        why = "closed here" if self._is_closed else reason.getErrorMessage()
        self._is_closed = True
        self._output.close()
        if self._session is not None:
            self._log_end(self._session, why)
            self._session.leave()
        if self._lease is not None:
            self._lease.close()
        self._hang_up()
        gone, self._gone = self._gone, succeed(None)
        if gone is not None:
            gone.callback(None)

    def callLater(self, period: float, func: Callable[[], None]) -> IDelayedCall:
        """The clock of C{TimeoutMixin}."""
        return self.factory.reactor.callLater(period, func)

    # --- Wire: input --------------------------------------------------------------------------------

    def next_event(self) -> Awaitable[Event | None]:
        """See L{Wire<trekd.imap.wire.Wire>}."""
        if self._is_closed or self._is_parting:
            return fail(Hangup())
        if self._is_woken:
            self._is_woken = False
            return succeed(None)
        event = self._read()
        if event is not None:
            return succeed(event)
        if self.is_closed:
            return fail(Hangup())
        self._waiting = Deferred()
        self.flush()
        self._throttle()
        return self._waiting

    def wake(self) -> None:
        """See L{Wire<trekd.imap.wire.Wire>}."""
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            self._is_woken = True
        else:
            waiting.callback(None)
            self.flush()

    def attend(self) -> None:
        """See L{Wire<trekd.imap.wire.Wire>}."""
        self._pump()

    def _pump(self) -> None:
        """Take events while there are any and somebody wants them."""
        if self._is_pumping:
            return
        self._is_pumping = True
        try:
            while self._wants_event() and (event := self._pull()) is not None:
                self._take(event)
            self._announce()
        except Exception:
            self.log.failure("IMAP session {session} failed", session=self.session, peer=self.peer)
            self._bye(SERVER_BUG.text)
        finally:
            self._is_pumping = False
        self.flush()
        self._throttle()

    def _wants_event(self) -> bool:
        if self._is_closed:
            return False
        return self._waiting is not None or not (self._is_running or self._output.is_paused)

    def _pull(self) -> Event | None:
        session = self._session
        if session is not None and session.next_command is not None and not self._is_running:
            event, session.next_command = session.next_command, None
            return event
        return self._read()

    def _read(self) -> Event | None:
        """The reader's next event; what is compressed is inflated as far as that takes."""
        event = self.reader.next_event()
        if event is not None or self._inflation is None:
            return event
        try:
            while event is None and (octets := self._inflation.take()):
                self.reader.feed(octets)
                event = self.reader.next_event()
        except zlib.error:
            self._bye(b"This is not what DEFLATE makes")
        return event

    def _take(self, event: Event) -> None:
        """Hand an event to the command that waits for it, or start the next command."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(event)
            return
        assert self._session is not None
        pending = dispatch.start(self._session, event, self.factory.options)
        if pending is not None:
            self._is_running = True
            ensureDeferred(pending).addBoth(self._command_ended)  # type: ignore[arg-type]

    def _announce(self) -> None:
        """Announce what happened, when no command runs to do that."""
        session = self._session
        if session is None or self._is_running or self._is_closed or self._output.is_paused:
            return
        if session.has_news_between_commands():
            self._is_running = True
            ensureDeferred(session.announce_between_commands()).addBoth(self._command_ended)

    def _command_ended(self, result: object) -> None:
        self._is_running = False
        self._is_woken = False
        if isinstance(result, Failure) and not isinstance(result.value, Hangup):
            self.log.failure("IMAP session {session} failed", result, session=self.session, peer=self.peer)
            self._bye(SERVER_BUG.text)
        if self._is_parting:
            self._bye(b"Server shutting down")
        self._pump()

    def _throttle(self) -> None:
        """Let the peer wait while enough of its input is here."""
        is_full = (self._inflation or self.reader).is_full
        deaf = is_full and not self._is_closed and self._waiting is None
        if deaf != self._is_deaf:
            self._is_deaf = deaf
            if deaf:
                self.transport.pauseProducing()
            else:
                self.transport.resumeProducing()

    def _hang_up(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.errback(Hangup())

    # --- Wire: output -------------------------------------------------------------------------------

    def write(self, octets: bytes) -> None:
        """See L{Wire<trekd.imap.wire.Wire>}."""
        self._output.write(octets)

    def flush(self) -> None:
        """See L{Wire<trekd.imap.wire.Wire>}."""
        self._output.flush()

    def drained(self) -> Awaitable[None] | None:
        """See L{Wire<trekd.imap.wire.Wire>}."""
        return self._output.drained()

    def turn(self, octets: int) -> Awaitable[None] | None:
        """See L{Wire<trekd.imap.wire.Wire>}."""
        return self.factory.turns.take(octets)

    def close(self) -> None:
        """See L{Wire<trekd.imap.wire.Wire>}."""
        if self._is_closed:
            return
        self._is_closed = True
        self._output.finish()
        self._throttle()
        self.transport.loseConnection()
        self._set_timeout(_GRACE)
        self._hang_up()

    def output_paused(self) -> None:
        """See L{OutputListener<trekd.imap.output.OutputListener>}."""
        if self._session is not None and self._session.user is not None:
            self._set_timeout(_STALL)

    def output_resumed(self) -> None:
        """See L{OutputListener<trekd.imap.output.OutputListener>}."""
        if self._session is not None and self._session.user is not None:
            self._set_timeout(self.factory.services.config.idle_timeout)
        self._pump()

    # --- Wire: the rest -----------------------------------------------------------------------------

    @property
    def is_closed(self) -> bool:
        """See L{Wire<trekd.imap.wire.Wire>}."""
        return self._is_closed

    @property
    def is_secure(self) -> bool:
        """See L{Wire<trekd.imap.wire.Wire>}."""
        return ISSLTransport.providedBy(self.transport)

    @property
    def can_start_tls(self) -> bool:
        """See L{Wire<trekd.imap.wire.Wire>}."""
        return self.factory.tls is not None and not self.is_secure and ITLSTransport.providedBy(self.transport)

    def tls_state(self) -> Any:
        """See L{Wire<trekd.imap.wire.Wire>}."""
        return self.transport.getHandle()

    def start_tls(self) -> None:
        """See L{Wire<trekd.imap.wire.Wire>}."""
        self.reader.take_rest()
        self.flush()
        self.transport.startTLS(self.factory.tls)

    @property
    def is_compressed(self) -> bool:
        """See L{Wire<trekd.imap.wire.Wire>}."""
        return self._output.is_compressed

    def start_compression(self) -> None:
        """See L{Wire<trekd.imap.wire.Wire>}."""
        self.reader.take_rest()
        self._output.compress()
        self._inflation = Inflation()

    def logged_in(self) -> None:
        """See L{Wire<trekd.imap.wire.Wire>}."""
        self.reader.limits = self.factory.limits
        self._set_timeout(self.factory.services.config.idle_timeout)

    def logged_out(self) -> None:
        """See L{Wire<trekd.imap.wire.Wire>}."""
        self.reader.limits = _LIMITS_BEFORE_LOGIN
        self._set_timeout(self.factory.services.config.login_timeout)

    def call_later(self, seconds: float, function: Callable[[], None]) -> Callable[[], None]:
        """See L{Wire<trekd.imap.wire.Wire>}."""
        return _canceller(self.factory.reactor.callLater(seconds, function))

    def now(self) -> float:
        """See L{Wire<trekd.imap.wire.Wire>}."""
        return self.factory.reactor.seconds()

    # --- IConnection --------------------------------------------------------------------------------

    def describe(self) -> Mapping[str, Any]:
        """See L{IConnection}."""
        session = self._session
        selected = session.selected if session is not None else None
        return {
            "client": session.client if session is not None else "",
            "mailbox": str(selected.name) if selected is not None else "",
            "idle": self.now() - self._heard,
            "octets_in": self._octets_in,
            "octets_out": self._output.octets,
        }

    def kernel_socket(self) -> socket.socket | None:
        """See L{IConnection}."""
        handle = getattr(_innermost(self.transport), "socket", None)
        if isinstance(handle, socket.socket) and handle.family in (socket.AF_INET, socket.AF_INET6):
            return handle
        return None

    def heartbeat(self) -> bool:
        """See L{IConnection}: an untagged OK, in IDLE and between commands (RFC 3501 §5.3)."""
        session = self._session
        if session is None or session.user is None or self._is_closed or self._output.is_paused:
            return False
        if self._is_running and not session.is_idling:
            return False
        self.write(b"* OK Still here\r\n")
        self.flush()
        return True

    def say_goodbye(self) -> Awaitable[None] | None:
        """See L{IConnection}; done when the connection is gone."""
        if self._gone is None:
            self._gone = Deferred()
        gone = self._gone
        self._is_parting = True
        if not self._is_running or self._waiting is not None:
            self._bye(b"Server shutting down")
        return gone

    def abort(self) -> None:
        """See L{IConnection}."""
        self.transport.abortConnection()

    # --- Details ------------------------------------------------------------------------------------

    def _set_timeout(self, seconds: float | None) -> None:
        self.setTimeout(seconds)  # type: ignore[no-untyped-call]

    def _bye(self, text: bytes) -> None:
        if self._session is not None:
            self._session.bye(text)
        else:
            self.close()

    def _set_up_transport(self) -> None:
        transport = self.transport
        self.peer = _host(transport.getPeer())
        self._heard = self.now()
        self._output = Output(transport, self)
        _innermost(transport).bufferSize = self.factory.services.config.max_output_buffer
        # Twisted calls local sockets TCP too, and old releases then ask their kernel for TCP options.
        if ITCPTransport.providedBy(transport) and self.peer:
            transport.setTcpNoDelay(True)
            transport.setTcpKeepAlive(True)

    def _log_end(self, session: Session, why: str) -> None:
        self.log.info(
            "IMAP session of {principal} from {peer} ended: {octets_in} octets in, {octets_out} out; {why}",
            principal=session.user.account.principal if session.user is not None else None,
            peer=self.peer,
            session=self.session,
            mailbox=str(session.selected.name) if session.selected is not None else None,
            octets_in=self._octets_in,
            octets_out=self._output.octets,
            client=session.client,
            why=why,
        )


class IMAPFactory(ServerFactory):
    """
    Makes the connections of one listener.

    @ivar portal: where clients log in, as C{twisted.mail} factories have it.
    """

    noisy = False

    def __init__(
        self,
        services: Services,
        ledger: ILedger,
        reactor: IReactorTime,
        tls: IOpenSSLServerConnectionCreator | None = None,
    ) -> None:
        """
        @param tls: for STARTTLS; a listener with implicit TLS needs none.
        """
        self.services = services
        self.portal = services.portal
        self.ledger = ledger
        self.reactor = reactor
        self.tls = tls
        config = services.config
        self.limits = ReaderLimits(
            max_line=config.max_line, max_literal=config.max_line, max_append=config.max_message
        )
        self.turns = Turns(reactor)
        self.options = ParseOptions(max_nesting=config.max_nesting, max_items=config.max_list)

    def buildProtocol(self, addr: IAddress | None) -> IMAPProtocol:  # type: ignore[override]
        """See C{IProtocolFactory}."""
        return IMAPProtocol(self)


def _innermost(transport: Any) -> Any:
    """The transport below TLS."""
    inner = getattr(transport, "transport", None)
    return transport if inner is None else inner


def _host(address: IAddress) -> str:
    """An IP address as text, IPv4 inside IPv6 as IPv4; empty for anything else."""
    try:
        found = ipaddress.ip_address(getattr(address, "host", "").partition("%")[0])
    except ValueError:
        return ""
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)


def _canceller(call: IDelayedCall) -> Callable[[], None]:
    def cancel() -> None:
        if call.active():
            call.cancel()

    return cancel
