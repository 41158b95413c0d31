"""
One client's session: its state, the loop that takes one command after the other, and its clocks.

Invariants:
 - One command at a time: the next line is read when the last one was answered, so replies keep the order of
 the
   commands however long one takes (RFC 2920 §3.2), and after STARTTLS nothing that came before it is left.
 - The session waits for the client with a deadline, and works without one; a client that does not read its
 replies
   stops its own session, not our memory.
 - A transaction ends by one way only, L{Session.reset}, which also frees what was received.
 - Whatever a command raises becomes one reply; only L{ConnectionEnded} ends the loop.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from typing import Any, Protocol

from twisted.cred.portal import Portal
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from trekd.config.schema import SMTPConfig
from trekd.errors import Broken, ConfigFault, TrekError
from trekd.portal.interfaces import ILedger, IMailUser, IMechanisms, IPeerPassword, IPeerProof
from trekd.queue.interfaces import IMailFlow, Recipient
from trekd.smtp import replies
from trekd.smtp.grammar.commands import Mail, parse
from trekd.smtp.grammar.data import ChunkReader, MessageLimits
from trekd.smtp.grammar.reply import Reply, reply
from trekd.smtp.intake import Intake
from trekd.smtp.reception import Reception
from trekd.smtp.stream import ConnectionEnded, InputStream

log = Logger()

MAX_COMMANDS = 1000
"""Commands, recipients of one message not counted, between two messages."""

SLOW_AFTER = 600
MINIMUM_RATE = 100
"""After L{SLOW_AFTER} seconds of one message it must have come with this many octets a second."""

_PROTOCOL_ERRORS = frozenset({500, 501, 502, 503, 504, 555})


@dataclass(frozen=True, slots=True)
class Service:
    """
    What a listener offers.

    @ivar name: for logs and C{trekctl}.
    @ivar lmtp: LHLO and one reply per recipient (RFC 2033); no login, mail for this host only.
    @ivar implicit_tls: the connection is encrypted from its first octet (RFC 8314 §3.3).
    @ivar exchange: mail of other servers comes here (RFC 5321 §3.9); no login, mail for this host only.
    """

    name: str
    lmtp: bool = False
    implicit_tls: bool = False
    exchange: bool = False

    @property
    def is_submission(self) -> bool:
        """Whether accounts log in here to send mail."""
        return not self.lmtp and not self.exchange


SUBMISSIONS = Service("submission", implicit_tls=True)
SUBMISSION = Service("submission")
LMTP = Service("lmtp", lmtp=True)
EXCHANGE = Service("smtp", exchange=True)


@dataclass(frozen=True, slots=True)
class Site:
    """
    What all sessions of this host share.

    @ivar clock: runs evenly; C{time_of_day}: Unix seconds, which somebody may set.
    """

    hostname: str
    config: SMTPConfig
    flow: IMailFlow
    ledger: ILedger
    portal: Portal
    mechanisms: IMechanisms
    clock: IReactorTime
    time_of_day: Callable[[], float]
    reception: Reception


@dataclass(frozen=True, slots=True)
class Peer:
    """
    A server that has mail for us.

    @ivar client: IP address, C{""} when it is not known.
    @ivar hello: what it called itself, C{""} when it is not known.
    """

    client: str = ""
    hello: str = ""


class Stage(Enum):
    """How far the client is (RFC 5321 §4.1.4)."""

    START = "connected"
    GREETED = "said hello"
    MAIL = "has a reverse-path"
    RECIPIENTS = "has a recipient"
    CHUNKS = "sends chunks"


@dataclass(slots=True)
class Draft:
    """
    A mail transaction as the client builds it.

    @ivar id: names the message in its trace field and in our logs.
    @ivar hold_until: when it may leave, Unix seconds; 0 for at once.
    """

    mail: Mail
    hold_until: float = 0.0
    id: str = field(default_factory=partial(secrets.token_hex, 10))
    recipients: list[Recipient] = field(default_factory=list)
    intake: Intake | None = None
    chunks: ChunkReader | None = None


class Connection(Protocol):
    """What a session needs of the protocol that carries it."""

    peer: str
    session: str

    def write(self, octets: bytes) -> None: ...

    async def drained(self) -> None:
        """Wait until the client has read enough to be sent more; raises L{ConnectionEnded}."""

    async def log_in(self, credentials: IPeerPassword | IPeerProof) -> IMailUser: ...

    def withdraw(self) -> None: ...

    def tls_state(self) -> Any: ...

    def start_tls(self) -> None: ...

    @property
    def can_start_tls(self) -> bool: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Row:
    """
    A request's place in the table of commands.

    @ivar stages: where it is allowed.
    @ivar needs_login: on submission, only after AUTH.
    """

    stages: frozenset[Stage]
    needs_login: bool
    perform: Callable[[Session, Any], Awaitable[None]]


class Session:
    """
    See the module.

    @ivar user: who is logged in.
    @ivar hello: what the client calls itself.
    @ivar forwarded: where an MTA in front has the mail from.
    @ivar is_extended: it said EHLO or LHLO, not HELO.
    """

    def __init__(
        self,
        site: Site,
        service: Service,
        connection: Connection,
        stream: InputStream,
        table: Mapping[type, Row],
    ) -> None:
        self.site = site
        self.service = service
        self.connection = connection
        self.stream = stream
        self.secure = service.implicit_tls
        self.user: IMailUser | None = None
        self.hello = ""
        self.is_extended = False
        self.forwarded = Peer()
        self.stage = Stage.START
        self.draft: Draft | None = None
        self.failed_logins = 0
        self._table = table
        self._errors = 0
        self._commands = 0
        self._between_commands = False
        self._draining = False
        self._leaving = False
        self._ended = False
        self._connected = site.clock.seconds()
        self._data_since = 0.0
        self._data_octets = 0
        self._timer: IDelayedCall | None = None

    # --- The loop ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve the client until one of us leaves."""
        try:
            await self._greet()
            while not self._ended:
                await self._turn()
        except ConnectionEnded:
            pass
        finally:
            self.reset()
            if self._timer is not None and self._timer.active():
                self._timer.cancel()
        self.end()

    async def _greet(self) -> None:
        if self.service.exchange and not await self._client_waits():
            log.info("{peer} spoke before the greeting", peer=self.connection.peer, session=self.connection.session)
            return self.end(replies.TALKED_FIRST)
        kind = "LMTP" if self.service.lmtp else "ESMTP"
        return self.send(reply(220, None, f"{self.site.hostname} {kind} ready"))

    async def _client_waits(self) -> bool:
        """Whether another server waits for the greeting, as it must (RFC 5321 §3.1)."""
        reception = self.site.reception
        if reception.config.greet_delay and not reception.is_forwarder(self.connection.peer):
            await deferLater(self.site.clock, reception.config.greet_delay)
            return not self.stream.pending
        return True

    async def _turn(self) -> None:
        """Read one command and answer it."""
        await self._drain()
        if self._leaving:
            return self.end(replies.SHUTTING_DOWN)
        try:
            line = await self._next_command()
            await self._perform(line)
        except TrekError as error:
            if self.stream.fatal:
                return self.end(replies.LINE_WITHOUT_END)
            self.log_our_fault(error)
            self.send(replies.answer(error))
        except ConnectionEnded:
            raise
        except Exception as error:
            self.log_our_fault(error)
            self.send(replies.OUR_FAULT)
        return self._count()

    async def _drain(self) -> None:
        """Wait for a client that does not read its replies."""
        self._draining = True
        try:
            self._wait_for(self.site.config.command_timeout)
            await self.connection.drained()
        finally:
            self._draining = False

    async def _next_command(self) -> bytes:
        self._between_commands = True
        try:
            self._wait_for(self.site.config.command_timeout)
            return await self.stream.line()
        finally:
            self._between_commands = False

    async def _perform(self, line: bytes) -> None:
        request = parse(line)
        row = self._table[type(request)]
        if row.needs_login and self.user is None and self.service.is_submission:
            return self.send(replies.NEED_LOGIN if self.secure else replies.NEED_TLS)
        if self.stage not in row.stages:
            return self.send(self._out_of_order(row.stages))
        return await row.perform(self, request)

    def _out_of_order(self, allowed: frozenset[Stage]) -> Reply:
        if self.stage is Stage.START:
            return replies.NEED_HELLO
        if self.stage is Stage.GREETED and Stage.MAIL in allowed:
            return replies.NEED_MAIL
        if self.stage in (Stage.GREETED, Stage.MAIL) and Stage.RECIPIENTS in allowed:
            return replies.NEED_RECIPIENT
        return replies.BAD_SEQUENCE

    def _count(self) -> None:
        """Send away who errs or dawdles without end."""
        self._commands += 1
        if self._errors >= self.site.config.max_errors:
            self.end(replies.TOO_MANY_ERRORS)
        elif self._commands > MAX_COMMANDS + self.site.config.max_recipients:
            self.end(replies.TOO_MANY_COMMANDS)

    # --- What commands use --------------------------------------------------------------------------

    @property
    def limits(self) -> MessageLimits:
        """What one message may be."""
        return MessageLimits(octets=self.site.config.max_message, mend=self.service.exchange)

    def send(self, answer: Reply) -> None:
        """Write a reply."""
        if answer.is_error and (not self.service.lmtp or answer.reply_code in _PROTOCOL_ERRORS):
            self._errors += 1
        self.connection.write(answer.wire())

    def log_our_fault(self, error: Exception) -> None:
        """Log an error whole, inside its C{except}, unless it is the client's or only for now."""
        if not isinstance(error, TrekError) or isinstance(error, Broken | ConfigFault):
            log.failure("command failed", session=self.connection.session, peer=self.connection.peer)

    def message_accepted(self) -> None:
        """The client did what it is here for: the counts of errors and commands start again."""
        self._errors = self._commands = 0

    def reset(self) -> None:
        """End the transaction, if there is one."""
        draft, self.draft = self.draft, None
        self.forwarded = Peer()
        if draft is not None and draft.intake is not None:
            draft.intake.discard()
        if self.stage is not Stage.START:
            self.stage = Stage.GREETED

    def forget_client(self) -> None:
        """Back to the state after the greeting (RFC 3207 §4.2)."""
        self.reset()
        self.stage = Stage.START
        self.hello = ""

    async def line(self, limit: int) -> bytes:
        """
        Wait for a line that is no command.

        @raise LimitExceeded: it was too long.
        """
        self._wait_for(self.site.config.command_timeout)
        return await self.stream.line(limit)

    def data_begins(self) -> None:
        """The client's octets are a message's from now on."""
        self._data_since, self._data_octets = self.site.clock.seconds(), 0

    async def octets(self) -> bytes:
        """Wait for octets of a message."""
        self._wait_for(self.site.config.data_timeout)
        octets = await self.stream.octets()
        self._data_octets += len(octets)
        elapsed = self.site.clock.seconds() - self._data_since
        if elapsed > SLOW_AFTER and self._data_octets < MINIMUM_RATE * elapsed:
            self.end(replies.TIMED_OUT)
            raise ConnectionEnded
        return octets

    @property
    def origin(self) -> Peer:
        """The server that the mail comes from, as far as it is known."""
        if self.service.lmtp:
            return self.forwarded
        return Peer(self.connection.peer, self.hello)

    def now(self) -> datetime:
        """The time of day."""
        return datetime.fromtimestamp(self.site.time_of_day(), UTC)

    # --- The end ------------------------------------------------------------------------------------

    def end(self, answer: Reply | None = None) -> None:
        """Say a last word, if any, and close."""
        if self._ended:
            return
        self._ended = True
        if answer is not None:
            self.connection.write(answer.wire())
        self.connection.close()

    def leave(self) -> None:
        """End in good order: now when the client has nothing running, else after the command that runs."""
        self._leaving = True
        if self._between_commands and self.stream.waiting:
            self.end(replies.SHUTTING_DOWN)

    def _wait_for(self, seconds: float) -> None:
        """Set the deadline of what we wait for; before the login that of the login counts too."""
        if self.user is None and self.service.is_submission:
            since = self.site.clock.seconds() - self._connected
            seconds = min(seconds, max(0.0, self.site.config.login_timeout - since))
        if self._timer is not None and self._timer.active():
            self._timer.reset(seconds)
        else:
            self._timer = self.site.clock.callLater(seconds, self._deadline_passed)

    def _deadline_passed(self) -> None:
        if self._ended:
            return
        if self.stream.waiting:
            self.end(replies.TIMED_OUT)
        elif self._draining:
            self.connection.abort()


