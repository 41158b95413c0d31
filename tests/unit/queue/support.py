"""A whole mail flow over fakes and a real spool."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from tests.fakes.postoffice import FakeDirectory, FakePost, run_here
from tests.fakes.profiles import FakeProfiles
from tests.fakes.relay import FakeRelay
from tests.fakes.submission import FakeSink
from trekd.config.schema import PLANS, PlanConfig, QueueConfig, ServerConfig
from trekd.directory.interfaces import Account, Alias, Group, Status
from trekd.mailauth.interfaces import ISigner
from trekd.portal.plans import Plans
from trekd.queue.delivery import LocalDelivery
from trekd.queue.dispatcher import make_dispatcher
from trekd.queue.flow import MailFlow, Outward
from trekd.queue.interfaces import Entry, MailTransaction, Outcome, Recipient
from trekd.queue.routing import LOCAL, Routing
from trekd.queue.schedule import Schedule
from trekd.queue.spool import Spool
from trekd.queue.spoolfile import SpoolFile
from trekd.queue.suppression import Suppressions
from trekd.queue.usage import UsageLedger
from trekd.queue.usagefile import UsageFile
from trekd.store.interfaces import IMessageSource
from trekd.values import Address

MESSAGE = b"Received: by mail.example.com\r\nFrom: alice@example.com\r\nSubject: x\r\n\r\nbody\r\n"


def address(text: str) -> Address:
    return Address.parse(text)


ALICE = Account(address("alice@example.com"), "pro", quota=1000)
BOB = Account(address("bob@example.com"), "pro")
NANO = Account(address("nano@example.com"), "nano")
ENTRIES = (
    ALICE,
    BOB,
    NANO,
    Account(address("asleep@example.com"), "pro", status=Status.SUSPENDED),
    Account(address("gone@example.com"), "pro", status=Status.DISABLED),
    Group(address("team@example.com"), (address("alice@example.com"), address("bob@example.com"))),
    Group(address("all@example.com"), (address("team@example.com"), address("all@example.com"))),
    Group(address("mixed@example.com"), (address("bob@example.com"), address("friend@elsewhere.example"))),
    Alias(address("circle@example.com"), (address("circle@example.com"),)),
    Alias(address("out@example.com"), (address("friend@elsewhere.example"),)),
    Alias(address("postmaster@example.com"), (address("alice@example.com"),)),
)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that does not wait."""
    results: list[Any] = []
    failures: list[Any] = []
    Deferred.fromCoroutine(coroutine).addCallbacks(results.append, failures.append)
    if failures:
        failures[0].raiseException()
    assert results, "it waits"
    return results[0]


@implementer(ISigner)
class FakeSigner:
    """Signs with the domain's name; C{failure} is raised instead."""

    def __init__(self) -> None:
        self.failure: Exception | None = None

    async def sign(self, domain: str, message: IMessageSource) -> bytes:
        if self.failure is not None:
            raise self.failure
        return f"DKIM-Signature: d={domain}\r\n".encode()


class Wall:
    """
    A clock whose hands somebody can set.

    @ivar ahead: seconds by which the time of day goes before the timers.
    """

    def __init__(self, clock: Clock) -> None:
        self.ahead = 0.0
        self._clock = clock

    def seconds(self) -> float:
        """The time of day."""
        return self._clock.seconds() + self.ahead

    def __getattr__(self, name: str) -> Any:
        return getattr(self._clock, name)


class PostOffice:
    """Everything, made in C{path}."""

    def __init__(
        self, path: Path, domains: tuple[str, ...] = ("example.com",), relay: FakeRelay | None = None, **queue: Any
    ) -> None:
        config = QueueConfig(**queue)
        self.relay = relay if relay is not None else FakeRelay()
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.wall = Wall(self.clock)
        self.post = FakePost()
        self.directory = FakeDirectory(*ENTRIES)
        file = SpoolFile(path / "queue", config.max_messages)
        file.open()
        self.spool = Spool(file, run_here, self.relay.lane)
        self.signer = FakeSigner()
        self.suppressions = Suppressions(self.spool, config.suppression, self.wall)  # type: ignore[arg-type]
        server = ServerConfig(hostname="mail.example.com", domains=domains, postmaster="postmaster@example.com")
        self.figures: dict[str, PlanConfig] = dict(PLANS)
        plans = Plans(self.figures)
        self.profiles = FakeProfiles()
        self.usage_file = UsageFile(path / "usage.sqlite")
        self.usage_file.open()
        self.usage = UsageLedger(self.usage_file, plans, self.wall, run_here)  # type: ignore[arg-type]
        self.routing = Routing(self.directory, server, plans, self.profiles, "https://help.example.com")
        self.flow = MailFlow(
            self.routing,
            LocalDelivery(self.post, plans),  # type: ignore[arg-type]
            Outward(self.spool, self.signer, self.suppressions, self.usage),
            self.wall,  # type: ignore[arg-type]
        )
        schedule = Schedule(config, jitter=lambda: 0.5)
        self.dispatcher = make_dispatcher(
            self.flow,
            self.relay,
            schedule,
            config,
            self.wall,  # type: ignore[arg-type]
            self.clock.seconds,
        )

    def accept(
        self, *recipients: str, submitter: Account | None = None, message: bytes = MESSAGE
    ) -> tuple[Outcome, ...]:
        """Hand in a message, as a submission when there is a submitter; routes are resolved first."""
        reverse_path = submitter.address if submitter is not None else address("outside@elsewhere.example")
        resolved = tuple(
            Recipient(address(text), run(self.flow.resolve(submitter, address(text)))) for text in recipients
        )
        principal = submitter.principal if submitter is not None else None
        return self.take(MailTransaction(reverse_path, resolved, principal), message)

    def take(
        self, transaction: MailTransaction, message: bytes = MESSAGE, checked: bool = True
    ) -> tuple[Outcome, ...]:
        for account in ENTRIES:
            if checked and isinstance(account, Account) and account.principal == transaction.principal:
                # As a session does at RCPT.
                for one in transaction.recipients:
                    if one.route != LOCAL:
                        run(self.usage.check(account, one.address, ()))
        sink = FakeSink()
        sink.write(message)
        outcomes: tuple[Outcome, ...] = run(self.flow.accept(transaction, sink))
        self.clock.advance(0)
        return outcomes

    def inbox(self, text: str) -> list[bytes]:
        return self.post.box(text).messages

    def pending(self) -> int:
        return int(run(self.flow.pending()))

    def content(self, entry: Entry) -> bytes:
        """A queued message's octets."""
        octets: bytes = run(self.spool.content(entry).octets())
        return octets

    def local(self, text: str) -> Recipient:
        return Recipient(address(text), LOCAL)
