"""DAV in memory: the real web site, portal, ledger and memory store, with clients that are connections in memory."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from lxml import etree
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, maybeDeferred

from tests.fakes.imapsite import PASSWORD, PEER, FakeDirectory, FakeReactor, FakeTransport
from trekd.config.schema import DAVConfig, LimitsConfig, PlanConfig
from trekd.dav.exchange import Site
from trekd.dav.locks import LockTable
from trekd.dav.resource import DAVResource
from trekd.dav.tables import Tables
from trekd.dav.tree import tables
from trekd.mime.reader import MimeReader
from trekd.portal.checkers import FullAddressChecker
from trekd.portal.guessing import Guessing
from trekd.portal.limits import ConnectionLedger
from trekd.portal.plans import Plans
from trekd.portal.prefixes import Prefixes
from trekd.portal.realm import MailRealm
from trekd.store.collections import CollectionKind, CollectionState, ICollections
from trekd.store.memory.boxes import Limits
from trekd.store.memory.provider import MemoryStore
from trekd.values import PrincipalId
from trekd.web.site import HTTPSite, public_site

T = TypeVar("T")

ALICE = "alice@example.com"
BOB = "bob@example.com"
NAMES = {
    "D": "DAV:",
    "C": "urn:ietf:params:xml:ns:caldav",
    "CR": "urn:ietf:params:xml:ns:carddav",
    "CS": "http://calendarserver.org/ns/",
}


def basic(user: str, password: str = PASSWORD) -> str:
    """An Authorization field."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


@dataclass(frozen=True)
class Reply:
    """An answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def xml(self) -> Any:
        """The body's root."""
        return etree.fromstring(self.body)

    def find(self, path: str) -> list[Any]:
        """What an XPath finds, with the prefixes of L{NAMES}."""
        found: list[Any] = self.xml.xpath(path, namespaces=NAMES)
        return found

    @property
    def hrefs(self) -> list[str]:
        """The resources of a multistatus, in order."""
        return [str(each.text) for each in self.find("/D:multistatus/D:response/D:href")]

    @property
    def condition(self) -> str:
        """The precondition of an error, its expanded name; '' for none."""
        found = [str(each.tag) for each in self.find("/D:error/*") if each.tag != "{DAV:}responsedescription"]
        return found[0] if found else ""


class DAVHost:
    """One host; C{login} and C{clock} as tests need them."""

    def __init__(
        self, config: DAVConfig | None = None, rows: Callable[[], Tables] = tables, quota: int = 0
    ) -> None:
        self.clock = FakeReactor()
        self.directory = FakeDirectory()
        self.store = MemoryStore(MimeReader(), self.clock, Limits(1000, 100))
        limits = LimitsConfig(failure_delay=0, failures_per_account=10)
        plans, prefixes = Plans({"nano": PlanConfig(quota=quota)}), Prefixes(64, ())
        self.ledger = ConnectionLedger(plans, limits, prefixes, self.clock)
        guessing = Guessing(limits, prefixes, self.clock)
        self.checker = FullAddressChecker(self.directory, ["example.com"], guessing, self.clock)
        self.site = Site(
            hostname="mail.example.com",
            config=config or DAVConfig(),
            portal=Portal(MailRealm(self.directory, self.store, plans), [self.checker]),
            directory=self.directory,
            store=self.store,
            quota=plans.quota,
            clock=self.clock,
            time_of_day=self.clock.seconds,
            off_reactor=maybeDeferred,
            locks=LockTable(self.clock, (config or DAVConfig()).max_locks),
            tables=rows(),
        )
        self.resource = DAVResource(self.site)
        self.factory: HTTPSite = public_site(
            "mail.example.com", self.clock, lambda: b"", self.ledger, self.resource
        )

    def client(self, user: str = ALICE, password: str = PASSWORD) -> DAVClient:
        """A connection that sends credentials; '' sends none."""
        return DAVClient(self, basic(user, password) if user else "")

    def shelf(self, user: str = ALICE) -> ICollections:
        """An account's collections."""
        found: ICollections = ICollections(self.run(self.store.open(PrincipalId(user))))
        return found

    def collection(self, name: str, kind: CollectionKind, user: str = ALICE) -> CollectionState:
        """One collection at the top."""
        states = self.run(self.shelf(user).collections())
        return next(each for each in states if (each.name, each.kind, each.parent) == (name, kind, None))

    def run(self, awaitable: Awaitable[T]) -> T:
        """The result of what does not wait."""
        results: list[Any] = []

        async def awaited() -> T:
            return await awaitable

        Deferred.fromCoroutine(awaited()).addBoth(results.append)
        for _ in range(1000):
            if results:
                break
            self.clock.advance(0)
        assert results, "it waits for something"
        if hasattr(results[0], "raiseException"):
            results[0].raiseException()
        found: T = results[0]
        return found


class DAVClient:
    """One connection to a host."""

    def __init__(self, host: DAVHost, authorization: str) -> None:
        self.host = host
        self.authorization = authorization
        self.transport = FakeTransport(peer=PEER)
        self.channel: Any = host.factory.buildProtocol(None)
        self.transport.connection = self.channel
        self.channel.makeConnection(self.transport)

    def send(self, octets: bytes) -> None:
        """Octets as they are."""
        self.channel.dataReceived(octets)

    def request(self, method: str, path: str, body: bytes | str = b"", **headers: str) -> Reply:
        """One request; underscores in the names of header fields stand for hyphens."""
        octets = body.encode() if isinstance(body, str) else body
        fields = {"Host": "mail.example.com", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if self.authorization:
            fields.setdefault("Authorization", self.authorization)
        if octets or method in ("PUT", "POST"):
            fields["Content-Length"] = str(len(octets))
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + octets)
        return self.reply()

    def reply(self) -> Reply:
        """The next answer."""
        for _ in range(2000):
            if self._is_complete():
                break
            self.host.clock.advance(0)
        octets = self.transport.value()
        self.transport.clear()
        return _reply(octets)

    def _is_complete(self) -> bool:
        return not self.channel.requests and bool(self.transport.value())


def _reply(octets: bytes) -> Reply:
    head, _, body = octets.partition(b"\r\n\r\n")
    assert head, "there was no answer"
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = _unchunked(body)
    return Reply(int(first.split()[1]), headers, body)


def _unchunked(octets: bytes) -> bytes:
    found = b""
    while octets:
        size, _, octets = octets.partition(b"\r\n")
        found += octets[: int(size, 16)]
        octets = octets[int(size, 16) + 2 :]
    return found
