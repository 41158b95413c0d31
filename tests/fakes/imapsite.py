"""A site for IMAP sessions: memory store, real portal and ledger, connections in memory, a clock of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from twisted.cred.portal import Portal
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import ISSLTransport, ITLSTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import directlyProvides, implementer

from tests.fakes.slowstore import Slow
from trekd.config.schema import IMAPConfig, LimitsConfig, PlanConfig
from trekd.directory.interfaces import Account, DirectoryEntry
from trekd.errors import BadCredentials
from trekd.imap.protocol import IMAPFactory, IMAPProtocol
from trekd.imap.session import Services
from trekd.mime.reader import MimeReader
from trekd.portal.checkers import FullAddressChecker
from trekd.portal.exchanges import Mechanisms
from trekd.portal.guessing import Guessing
from trekd.portal.limits import ConnectionLedger
from trekd.portal.plans import Plans
from trekd.portal.prefixes import Prefixes
from trekd.portal.realm import MailRealm
from trekd.store.interfaces import IAccountStore, NewMessage
from trekd.store.memory.boxes import Limits
from trekd.store.memory.provider import MemoryStore
from trekd.values import INBOX, Address, Flag, MailboxName

T = TypeVar("T")

PASSWORD = "right"
PEER = "203.0.113.7"
ALICE = Account(Address("alice", "example.com"), "nano")
BOB = Account(Address("bob", "example.com"), "nano")


def no_binding(tls: object, kind: str) -> None:
    """Connections in memory have no channel to bind to."""


def message(number: int, body: str = "") -> bytes:
    """A small message."""
    return (
        f"Date: Mon, 7 Feb 1994 21:52:{number % 60:02} -0800\r\n"
        f"From: Fred Foobar <foobar@example.com>\r\n"
        f"Subject: afternoon meeting {number}\r\n"
        f"To: mooch@example.com\r\n"
        f"Message-Id: <B27397-{number:07}@example.com>\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n"
        "\r\n"
        f"{body or 'Hello Joe, do you think we can meet at 3:30 tomorrow?'}\r\n"
    ).encode()


class FakeDirectory:
    """Knows alice and bob, both with the password "right"; C{fault} is raised when it is set."""

    def __init__(self) -> None:
        self.accounts = {str(account.address): account for account in (ALICE, BOB)}
        self.fault: Exception | None = None
        self.hold: Deferred[None] | None = None

    async def authenticate(self, login: Address, password: str) -> Account:
        """See L{IDirectory}."""
        if self.hold is not None:
            await self.hold
        if self.fault is not None:
            raise self.fault
        account = self.accounts.get(str(login).lower())
        if account is None or password != PASSWORD:
            raise BadCredentials
        return account

    async def find(self, address: Address) -> Account | None:
        """See L{IDirectory}."""
        return self.accounts.get(str(address).lower())

    async def search(self, text: str, limit: int) -> tuple[DirectoryEntry, ...]:
        """See L{IDirectory}."""
        entries = (DirectoryEntry(each.address, each.display_name) for each in self.accounts.values())
        return tuple(each for each in entries if text in f"{each.display_name} {each.address}".casefold())[:limit]

    async def describe(self, address: Address) -> DirectoryEntry | None:
        """See L{IDirectory}."""
        account = self.accounts.get(str(address).lower())
        return None if account is None else DirectoryEntry(account.address, account.display_name)


class FakeReactor(Clock):
    """A clock whose calls from threads are made at once, or, after L{delay_calls}, when it is advanced."""

    _delayed = False

    def delay_calls(self) -> None:
        """From now on let calls from threads wait."""
        self._delayed = True

    def callFromThread(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """See C{IReactorFromThreads}."""
        if self._delayed:
            self.callLater(0, function, *args, **kwargs)
        else:
            function(*args, **kwargs)


@implementer(ITLSTransport)
class FakeTransport(StringTransport):
    """A connection in memory; TLS is a mark on it."""

    def __init__(self, secure: bool = True, peer: str = PEER) -> None:
        super().__init__(peerAddress=IPv4Address("TCP", peer, 40_000))
        self.bufferSize = 0
        self.aborted = False
        self.no_delay = False
        self.closed = False
        self.tls_started = 0
        self.connection: IMAPProtocol | None = None
        if secure:
            directlyProvides(self, ISSLTransport)

    def startTLS(self, contextFactory: object, normal: bool = True) -> None:
        """From now on the connection counts as secure."""
        self.tls_started += 1
        directlyProvides(self, ISSLTransport)

    def setTcpNoDelay(self, enabled: bool) -> None:
        """See C{ITCPTransport}."""
        self.no_delay = enabled

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """See C{ITCPTransport}."""

    def loseConnection(self) -> None:
        """Close after what was written."""
        self._lost()

    def abortConnection(self) -> None:
        """Close at once."""
        self.aborted = True
        self._lost()

    def _lost(self) -> None:
        if not self.closed:
            self.closed = self.disconnecting = True
            assert self.connection is not None
            self.connection.connectionLost(Failure(ConnectionDone()))


class Client:
    """One client; what the server says is read as lines."""

    def __init__(self, site: IMAPSite, secure: bool = True, peer: str = PEER) -> None:
        self.transport = FakeTransport(secure, peer)
        self.protocol: IMAPProtocol = site.factory.buildProtocol(None)
        self.transport.connection = self.protocol
        self._unread = b""
        self.protocol.makeConnection(self.transport)

    @property
    def closed(self) -> bool:
        """Whether the connection is closed."""
        return self.transport.closed

    def send(self, octets: bytes) -> None:
        """Send octets in one piece."""
        if not self.closed:
            self.protocol.dataReceived(octets)

    def pending(self) -> bytes:
        """What the server said and nobody read."""
        self._unread += self.transport.value()
        self.transport.clear()
        return self._unread

    def read(self) -> bytes:
        """Read all that the server said."""
        octets, self._unread = self.pending(), b""
        return octets

    def read_line(self) -> bytes | None:
        """Read the next line without its CRLF, C{None} when there is none."""
        line, found, rest = self.pending().partition(b"\r\n")
        if not found:
            return None
        self._unread = rest
        return line

    def vanish(self) -> None:
        """The client is gone."""
        self.transport.loseConnection()

    def ask(self, text: str) -> list[str]:
        """Send one line and read all that comes back."""
        self.send(text.encode() + b"\r\n")
        return self.read().decode("utf-8", "replace").split("\r\n")[:-1]

    def log_in(self, name: str = "alice@example.com") -> Client:
        """Log in, and read the answers."""
        assert self.ask(f"login LOGIN {name} {PASSWORD}")[-1].startswith("login OK"), "login failed"
        return self

    def select(self, name: str = "INBOX") -> Client:
        """Select a mailbox, and read the answers."""
        assert self.ask(f'select SELECT "{name}"')[-1].startswith("select OK"), "SELECT failed"
        return self


class IMAPSite:
    """Everything a session needs."""

    def __init__(
        self, plan: PlanConfig | None = None, limits: LimitsConfig | None = None, *, slow: bool = False, **imap: Any
    ) -> None:
        """
        @param slow: the sessions' store answers nothing at once.
        """
        self.reactor = FakeReactor()
        self.directory = FakeDirectory()
        self.config = IMAPConfig(**imap)
        limits = limits or LimitsConfig()
        prefixes = Prefixes()
        plans = Plans({"nano": plan or PlanConfig()})
        self.store = MemoryStore(MimeReader(), self.reactor, Limits(100, 0))
        self.ledger = ConnectionLedger(plans, limits, prefixes, self.reactor)
        self.checker = FullAddressChecker(
            self.directory, ["example.com"], Guessing(limits, prefixes, self.reactor), self.reactor  # type: ignore[arg-type]
        )
        store: Any = Slow(self.store, self.reactor) if slow else self.store
        self.portal = Portal(MailRealm(self.directory, store, plans), [self.checker])  # type: ignore[arg-type]
        services = Services(self.portal, Mechanisms((), None, no_binding), store, self.config, "mail.example.com")
        self.factory = IMAPFactory(services, self.ledger, self.reactor, tls=object())  # type: ignore[arg-type]

    def connect(self, secure: bool = True, peer: str = PEER) -> Client:
        """A client that has read the greeting."""
        client = Client(self, secure, peer)
        client.read()
        return client

    def user(self, name: str = "alice@example.com") -> Client:
        """A client that is logged in."""
        return self.connect().log_in(name)

    def account(self, account: Account = ALICE) -> IAccountStore:
        """An account's mailboxes."""
        return now(self.store.open(account.principal))

    def check(self) -> tuple[str, ...]:
        """What is wrong with alice's store."""
        return now(self.account().check())

    def account_total(self) -> int:
        """How many messages are in alice's INBOX."""
        return now(self.account().mailbox(INBOX)).total

    def fill(self, count: int, mailbox: str = "INBOX", flags: tuple[Flag, ...] = ()) -> None:
        """Append messages to one of alice's mailboxes."""
        messages = [NewMessage(message(number), flags=frozenset(flags)) for number in range(1, count + 1)]
        now(self.account().append(INBOX if mailbox == "INBOX" else MailboxName(mailbox), messages))


def now(awaitable: Awaitable[T]) -> T:
    """The result of what needs no waiting."""

    async def awaited() -> T:
        return await awaitable

    outcome: list[Any] = []
    Deferred.fromCoroutine(awaited()).addBoth(outcome.append)
    assert outcome, "not done yet"
    if isinstance(outcome[0], Failure):
        outcome[0].raiseException()
    return outcome[0]  # type: ignore[no-any-return]
