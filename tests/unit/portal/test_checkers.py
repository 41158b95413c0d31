"""Are these credentials good?"""

from __future__ import annotations

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from trekd.config.schema import LimitsConfig
from trekd.directory.interfaces import Account, Status
from trekd.errors import AccountSuspended, AddressIncomplete, BadCredentials, DirectoryDown, TooManyFailures
from trekd.portal.checkers import FullAddressChecker
from trekd.portal.guessing import Guessing
from trekd.portal.interfaces import PeerPassword
from trekd.portal.prefixes import Prefixes
from trekd.values import Address

PEER = "203.0.113.7"


class ScriptedDirectory:
    """Knows alice (password "right"), and raises C{fault} when it is set."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.status = Status.ACTIVE
        self.fault: Exception | None = None

    async def authenticate(self, login: Address, password: str) -> Account:
        self.asked.append((str(login), password))
        if self.fault:
            raise self.fault
        if (str(login).lower(), password) != ("alice@example.com", "right"):
            raise BadCredentials()
        return Account(Address("alice", "example.com"), "nano", status=self.status)


class CheckerTests(SynchronousTestCase):
    """L{FullAddressChecker}."""

    domains: tuple[str, ...] = ("example.com",)

    def setUp(self) -> None:
        self.clock = Clock()
        self.directory = ScriptedDirectory()
        self.limits = LimitsConfig(failures_per_ip=5, failures_per_account=100, failure_delay=2, failure_delay_max=15)
        self.checker = FullAddressChecker(
            self.directory, self.domains, Guessing(self.limits, Prefixes(), self.clock), self.clock
        )
        self.events: list[dict[str, object]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def ask(self, login: str = "alice@example.com", password: str = "right") -> Deferred[bytes]:
        return self.checker.requestAvatarId(PeerPassword(login, password, PEER, "imap", "s1"))

    def refused(self, error: type[Exception], login: str, password: str) -> float:
        """Expect a refusal; how long it took."""
        begin = self.clock.seconds()
        attempt = self.ask(login, password)
        while not attempt.called:
            self.clock.advance(0.5)
            self.assertLess(self.clock.seconds() - begin, 60)
        self.assertIs(self.failureResultOf(attempt, error).type, error)
        return self.clock.seconds() - begin

    def test_provides_the_interface(self) -> None:
        verifyObject(ICredentialsChecker, self.checker)

    def test_right_password_gives_the_canonical_address_at_once(self) -> None:
        self.assertEqual(self.successResultOf(self.ask("ALICE@EXAMPLE.COM")), b"alice@example.com")

    def test_name_without_domain_says_so(self) -> None:
        self.refused(AddressIncomplete, "alice", "right")
        self.assertEqual(self.directory.asked, [])

    def test_impossible_credentials_never_reach_the_directory(self) -> None:
        for login, password in (
            ("alice@example.com", ""),
            ("alice@example.com", "a\0b"),
            ("alice@example.com", "x" * 1025),
            ("alice@example.org", "right"),
            ("alice@@example.com", "right"),
            ("a lice@example.com", "right"),
            ("@example.com", "right"),
            ("alice@", "right"),
            ("x" * 70000 + "@example.com", "right"),
            ("\udcff@example.com", "\udcff"),
        ):
            self.setUp()
            self.refused(BadCredentials, login, password)
            self.assertEqual(self.directory.asked, [])

    def test_unknown_wrong_and_impossible_last_equally_long(self) -> None:
        spans = set()
        for login, password in (
            ("alice@example.com", "wrong"),
            ("nobody@example.com", "wrong"),
            ("alice@example.com", ""),
            ("alice@elsewhere.com", "right"),
        ):
            self.setUp()
            spans.add(self.refused(BadCredentials, login, password))
        self.assertEqual(spans, {2.0})

    def test_time_the_directory_took_is_part_of_the_delay(self) -> None:
        verdict: Deferred[Account] = Deferred()
        self.directory.authenticate = lambda login, password: verdict
        attempt = self.ask(password="wrong")
        self.clock.advance(1.5)
        verdict.errback(BadCredentials())
        self.clock.advance(0.4)
        self.assertNoResult(attempt)
        self.clock.advance(0.1)
        self.failureResultOf(attempt, BadCredentials)

    def test_guesses_cost_more_and_more_and_are_then_refused_untried(self) -> None:
        spans = [self.refused(BadCredentials, "alice@example.com", f"guess {number}") for number in range(5)]
        self.assertEqual(spans, [2, 4, 8, 15, 15])
        asked = len(self.directory.asked)
        self.refused(TooManyFailures, "alice@example.com", "right")
        self.assertEqual(len(self.directory.asked), asked)
        self.clock.advance(2 * self.limits.failure_window)
        self.successResultOf(self.ask())

    def test_outage_is_no_failure_and_not_delayed(self) -> None:
        self.directory.fault = DirectoryDown()
        for _ in range(20):
            self.failureResultOf(self.ask(), DirectoryDown)
        self.directory.fault = None
        self.successResultOf(self.ask())

    def test_suspended_and_disabled_accounts_are_refused_after_the_password(self) -> None:
        for status in (Status.SUSPENDED, Status.DISABLED):
            self.directory.status = status
            self.failureResultOf(self.ask(), AccountSuspended)
            self.assertEqual(self.events[-1]["reason"], f"account {status.value}")
            self.refused(BadCredentials, "alice@example.com", "wrong")

    def test_one_line_for_each_refusal_and_no_password_in_any(self) -> None:
        self.refused(BadCredentials, "alice@example.com", "hunter2")
        self.refused(AddressIncomplete, "alice", "hunter2")
        self.assertEqual(
            [(event["login"], event["peer"], event["service"], event["session"]) for event in self.events],
            [("alice@example.com", PEER, "imap", "s1"), ("alice", PEER, "imap", "s1")],
        )
        self.assertNotIn("hunter2", repr(self.events) + repr(PeerPassword("alice", "hunter2", PEER, "imap", "s1")))

    def test_twisteds_own_credentials_and_refusal(self) -> None:
        right = self.checker.requestAvatarId(UsernamePassword(b"alice@example.com", b"right"))
        self.assertEqual(self.successResultOf(right), b"alice@example.com")
        wrong = self.checker.requestAvatarId(UsernamePassword(b"alice@example.com", b"\xff"))
        self.clock.advance(2)
        self.failureResultOf(wrong, UnauthorizedLogin)


class AnyDomainTests(CheckerTests):
    """C{server.domains = ["*"]}: the directory decides."""

    domains = ("*",)

    def test_impossible_credentials_never_reach_the_directory(self) -> None:
        self.refused(BadCredentials, "alice@elsewhere.com", "right")
        self.assertEqual(self.directory.asked, [("alice@elsewhere.com", "right")])
