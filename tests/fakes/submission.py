"""A site for SMTP sessions: flow, ledger and portal that can be watched and steered."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.mail.smtp import IMessageDelivery
from zope.interface import implementer

from tests.fakes.scramclient import FakeScramDirectory
from trekd.config.schema import ReceptionConfig, SMTPConfig
from trekd.directory.interfaces import Account
from trekd.errors import BadCredentials, NoSuchRecipient, PlanForbidsRelay, RelayDenied, TrekError
from trekd.portal.exchanges import Mechanisms
from trekd.portal.interfaces import ILease, ILedger, IMailUser, IPeerPassword, IPeerProof
from trekd.queue.interfaces import IMailFlow, MailTransaction, Outcome, Recipient, Route, RouteKind
from trekd.smtp.protocol import SubmissionFactory
from trekd.smtp.reception import Reception
from trekd.smtp.session import Service, Site
from trekd.store.interfaces import IMessageSink, IMessageSource
from trekd.values import Address, PrincipalId

ALICE = Account(
    Address("alice", "example.com"),
    "pro",
    aliases=(Address("al", "example.com"),),
    senders=(Address("team", "example.org"),),
)
NANO = Account(Address("nano", "example.com"), "nano")
PASSWORD = "secret"
RFC_LOGIN = ("test", "1234")
"""Who logs in in RFC 4954 §4.1."""


@implementer(IMessageSink)
class FakeSink:
    """Keeps octets; C{hold} makes each write wait."""

    def __init__(self) -> None:
        self.size = 0
        self.content = b""
        self.discarded = False
        self.hold: Deferred[None] | None = None

    def write(self, octets: bytes) -> Awaitable[None] | None:
        self.size += len(octets)
        self.content += octets
        return self.hold

    def octets(self) -> Awaitable[bytes]:
        return succeed(self.content)

    def read(self, offset: int, length: int) -> Awaitable[bytes]:
        return succeed(self.content[offset : offset + length])

    def discard(self) -> None:
        self.discarded = True


@implementer(IMailFlow)
class FakeFlow:
    """
    Knows example.com; keeps what was accepted.

    @ivar known: further local addresses.
    @ivar hold: when set, C{accept} and C{resolve} wait for it.
    @ivar rooms: by recipient, what C{check_room} says.
    @ivar failures: by recipient, what C{accept} or C{resolve} say of it.
    """

    def __init__(self) -> None:
        self.accepted: list[tuple[MailTransaction, bytes]] = []
        self.sinks: list[FakeSink] = []
        self.hold: Deferred[None] | None = None
        self.resolving: Deferred[None] | None = None
        self.failures: dict[str, TrekError] = {}
        self.refusals: dict[str, Exception] = {}
        self.known: set[str] = set()
        self.announced: list[int] = []
        self.rooms: dict[str, TrekError] = {}

    async def resolve(
        self, account: Account | None, recipient: Address, accepted: Sequence[Recipient] = (), octets: int = 0
    ) -> Route:
        self.announced.append(octets)
        if self.resolving is not None:
            await self.resolving
        if str(recipient) in self.refusals:
            raise self.refusals[str(recipient)]
        if str(recipient).lower() in self.known:
            return Route(RouteKind.LOCAL)
        if recipient.domain in ("example.com", "", *(known.rpartition("@")[2] for known in self.known)):
            if recipient.local not in ("alice", "bob", "carol", "postmaster", "jürgen"):
                raise NoSuchRecipient
            return Route(RouteKind.LOCAL)
        if account is None:
            raise RelayDenied
        if account.plan == "nano":
            raise PlanForbidsRelay
        return Route(RouteKind.RELAY)

    def receive(self) -> FakeSink:
        self.sinks.append(FakeSink())
        return self.sinks[-1]

    async def check_room(self, recipient: Address, octets: int) -> None:
        if str(recipient) in self.rooms:
            raise self.rooms[str(recipient)]

    async def accept(self, transaction: MailTransaction, message: IMessageSource) -> tuple[Outcome, ...]:
        if self.hold is not None:
            await self.hold
        outcomes = tuple(
            Outcome(recipient, self.failures.get(str(recipient.address))) for recipient in transaction.recipients
        )
        if any(outcome.failure is None for outcome in outcomes):
            self.accepted.append((transaction, await message.octets()))
        return outcomes

    async def pending(self) -> int:
        return 0


@implementer(ILease)
class FakeLease:
    """Counts nothing."""

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.principal: PrincipalId | None = None
        self.closed = False

    async def log_in(self, account: Account, counted: bool) -> None:
        self.principal = account.principal

    def log_out(self) -> None:
        self.principal = None

    def close(self) -> None:
        self.closed = True


@implementer(ILedger)
class FakeLedger:
    """Lets everybody in, unless C{refusal} is set."""

    def __init__(self) -> None:
        self.leases: list[FakeLease] = []
        self.refusal: TrekError | None = None

    def open(self, connection: Any) -> FakeLease:
        if self.refusal is not None:
            raise self.refusal
        self.leases.append(FakeLease(connection.peer))
        return self.leases[-1]

    def sessions(self) -> tuple[Any, ...]:
        return ()

    def connections(self) -> tuple[Any, ...]:
        return ()

    def usage(self, account: Account | None = None) -> tuple[Any, ...]:
        return ()

    def refusals(self) -> tuple[Any, ...]:
        return ()

    def kick(self, session: str | None = None, principal: PrincipalId | None = None) -> int:
        return 0


@implementer(IMailUser, IMessageDelivery)
class FakeUser:
    """An avatar."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.store = None


@implementer(IRealm)
class FakeRealm:
    """Hands out avatars and counts logouts."""

    def __init__(self) -> None:
        self.logouts = 0

    def requestAvatar(self, avatarId: Account, mind: Any, *interfaces: Any) -> Any:
        return IMessageDelivery, FakeUser(avatarId), self._log_out

    def _log_out(self) -> None:
        self.logouts += 1


@implementer(ICredentialsChecker)
class FakeChecker:
    """
    Knows alice and nano, both with one password.

    @ivar failure: what every login meets instead.
    @ivar hold: when set, logins wait for it.
    """

    credentialInterfaces = (IPeerPassword, IPeerProof)

    def __init__(self) -> None:
        self.scram = FakeScramDirectory(ALICE)
        self.seen: list[tuple[str, str]] = []
        self.failure: Exception | None = None
        self.hold: Deferred[None] | None = None

    def requestAvatarId(self, credentials: Any) -> Deferred[Account]:
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: Any) -> Account:
        if IPeerProof.providedBy(credentials):
            account, keys = await self.scram.scram_keys(credentials.username)
            credentials.verify(keys)
            return account or ALICE
        self.seen.append((credentials.username, credentials.password))
        if self.hold is not None:
            await self.hold
        if self.failure is not None:
            raise self.failure
        if (credentials.username, credentials.password) == RFC_LOGIN:
            return ALICE
        for account in (ALICE, NANO):
            if (credentials.username, credentials.password) == (str(account.address), PASSWORD):
                return account
        raise BadCredentials


class FakeSite:
    """Everything a session needs, and a factory over it."""

    def __init__(
        self, service: Service, reception: Reception | None = None, mechanisms: tuple[str, ...] = (), **config: Any
    ) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.flow = FakeFlow()
        self.ledger = FakeLedger()
        self.realm = FakeRealm()
        self.checker = FakeChecker()
        self.site = Site(
            hostname="mail.example.com",
            config=SMTPConfig(**config),
            flow=self.flow,
            ledger=self.ledger,
            portal=Portal(self.realm, [self.checker]),
            mechanisms=Mechanisms(mechanisms, self.checker.scram, lambda tls, kind: b"channel"),
            clock=self.clock,  # type: ignore[arg-type]
            time_of_day=self.clock.seconds,
            reception=reception or Reception(ReceptionConfig(greet_delay=0)),
        )
        self.factory = SubmissionFactory(self.site, service, context_factory=object())
