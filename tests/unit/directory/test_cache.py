"""The memory of passwords."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from trekd.directory.cache import CachedAdministration, CachedDirectory
from trekd.directory.interfaces import Account, Group, IAccountAdministration, IDirectory, Status
from trekd.errors import BadCredentials, DirectoryDown
from trekd.values import Address

ALICE = Address("alice", "example.com")
ALIAS = Address("a.liddell", "example.com")
NOBODY = Address("nobody", "example.com")
ACCOUNT = Account(ALICE, "pro")


@implementer(IDirectory)
class AskedDirectory:
    """A directory that a test answers for: C{asked} holds login, password and the answer to be."""

    def __init__(self) -> None:
        self.asked: list[tuple[Address, str, Deferred[Account]]] = []

    def authenticate(self, login: Address, password: str) -> Deferred[Account]:
        answer: Deferred[Account] = Deferred()
        self.asked.append((login, password, answer))
        return answer


class CachedDirectoryTests(SynchronousTestCase):
    """L{CachedDirectory}."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.directory = AskedDirectory()
        self.cache = CachedDirectory(self.directory, self.clock, ttl=300, negative_ttl=10, size=50)

    def ask(self, password: str = "right", login: Address = ALICE) -> Deferred[Account]:
        return ensureDeferred(self.cache.authenticate(login, password))

    def learn(self, password: str = "right", login: Address = ALICE) -> None:
        asked = self.ask(password, login)
        self.directory.asked.pop()[2].callback(ACCOUNT)
        self.assertEqual(self.successResultOf(asked), ACCOUNT)

    def refuse(self, password: str = "wrong", login: Address = ALICE) -> None:
        asked = self.ask(password, login)
        self.directory.asked.pop()[2].errback(BadCredentials())
        self.failureResultOf(asked, BadCredentials)

    def test_provides_the_interfaces(self) -> None:
        verifyObject(IDirectory, self.cache)
        verifyObject(IAccountAdministration, CachedAdministration(None, self.cache))

    def test_right_password_is_remembered_until_its_time_is_over(self) -> None:
        self.learn()
        self.clock.advance(299)
        self.assertEqual(self.successResultOf(self.ask()), ACCOUNT)
        self.clock.advance(1)
        self.assertNoResult(self.ask())

    def test_another_password_is_asked_and_replaces(self) -> None:
        """A changed password works at once."""
        self.learn("old")
        self.learn("new")
        self.successResultOf(self.ask("new"))
        self.assertNoResult(self.ask("old"))

    def test_wrong_password_does_not_evict_the_right_one(self) -> None:
        self.learn()
        self.refuse()
        self.successResultOf(self.ask())

    def test_wrong_password_is_asked_once_in_ten_seconds(self) -> None:
        self.refuse()
        self.failureResultOf(self.ask("wrong"), BadCredentials)
        self.assertEqual(self.directory.asked, [])
        self.clock.advance(10)
        self.assertNoResult(self.ask("wrong"))

    def test_outage_is_not_remembered(self) -> None:
        asked = self.ask()
        self.directory.asked.pop()[2].errback(DirectoryDown())
        self.failureResultOf(asked, DirectoryDown)
        self.learn()

    def test_same_question_at_once_is_asked_once(self) -> None:
        answers = [self.ask() for _ in range(5)]
        self.assertEqual(len(self.directory.asked), 1)
        self.directory.asked.pop()[2].callback(ACCOUNT)
        self.assertEqual([self.successResultOf(answer) for answer in answers], [ACCOUNT] * 5)

    def test_one_who_stops_waiting_takes_nobody_along(self) -> None:
        first, second = self.ask(), self.ask()
        first.addErrback(lambda failure: None)
        first.cancel()
        self.directory.asked.pop()[2].callback(ACCOUNT)
        self.assertEqual(self.successResultOf(second), ACCOUNT)

    def test_different_passwords_and_accounts_are_never_joined(self) -> None:
        self.ask("a"), self.ask("b"), self.ask("a", ALIAS)
        self.assertEqual(len(self.directory.asked), 3)

    def test_letter_case_of_the_login_is_ignored(self) -> None:
        self.learn()
        self.successResultOf(self.ask(login=Address("ALICE", "example.com")))

    def test_flush_forgets_the_account_under_all_its_names(self) -> None:
        self.learn()
        self.learn(login=ALIAS)
        self.cache.flush(ALICE)
        self.assertNoResult(self.ask())
        self.assertNoResult(self.ask(login=ALIAS))

    def test_flush_lets_a_new_password_in_that_was_wrong_before(self) -> None:
        self.refuse("new")
        self.cache.flush(ALICE)
        self.learn("new")

    def test_answer_that_a_flush_overtook_is_not_remembered(self) -> None:
        asked = self.ask("old")
        self.cache.flush(ALICE)
        self.directory.asked.pop()[2].callback(ACCOUNT)
        self.successResultOf(asked)
        self.assertNoResult(self.ask("old"))

    def test_memory_is_bounded(self) -> None:
        for number in range(200):
            self.learn(login=Address(f"user{number}", "example.com"))
            self.refuse(f"guess {number}")
        self.assertEqual((len(self.cache._verified), len(self.cache._wrong)), (50, 50))
        self.successResultOf(self.ask(login=Address("user199", "example.com")))

    def test_no_password_is_kept(self) -> None:
        self.learn("hunter2")
        self.refuse("hunter3")
        self.assertNotIn("hunter", repr(vars(self.cache)))


class RememberedAddressTests(SynchronousTestCase):
    """What L{CachedDirectory} remembers of addresses, and of a directory that is down."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.directory = FindingDirectory({"alice@example.com": ACCOUNT, "a.liddell@example.com": ACCOUNT})
        self.cache = CachedDirectory(self.directory, self.clock, 300, 10, size=50, find_ttl=300, stale=600)

    def find(self, address: Address = ALICE) -> object:
        return self.successResultOf(ensureDeferred(self.cache.find(address)))

    def authenticate(self, password: str = "right", login: Address = ALICE) -> Deferred[Account]:
        return ensureDeferred(self.cache.authenticate(login, password))

    def test_found_address_is_remembered_and_an_unknown_one_for_a_moment(self) -> None:
        self.assertEqual((self.find(), self.find(NOBODY)), (ACCOUNT, None))
        self.clock.advance(9)
        self.assertEqual((self.find(Address("ALICE", "example.com")), self.find(NOBODY)), (ACCOUNT, None))
        self.assertEqual(self.directory.asked, ["alice@example.com", "nobody@example.com"])
        self.clock.advance(1)
        self.find(NOBODY)
        self.clock.advance(290)
        self.find()
        self.assertEqual(self.directory.asked[2:], ["nobody@example.com", "alice@example.com"])

    def test_a_login_is_not_followed_by_another_question(self) -> None:
        self.successResultOf(self.authenticate())
        self.assertEqual((self.find(), self.directory.asked), (ACCOUNT, []))

    def test_without_a_time_nothing_is_remembered(self) -> None:
        self.cache = CachedDirectory(self.directory, self.clock)
        self.find(), self.find()
        self.assertEqual(len(self.directory.asked), 2)

    def test_flush_forgets_the_account_under_all_its_names(self) -> None:
        self.find(), self.find(ALIAS), self.find(NOBODY)
        self.cache.flush(ALICE)
        self.find(), self.find(ALIAS), self.find(NOBODY)
        self.assertEqual(len(self.directory.asked), 5)
        self.cache.flush()
        self.find(NOBODY)
        self.assertEqual(len(self.directory.asked), 6)

    def test_memory_is_bounded(self) -> None:
        for number in range(200):
            self.find(Address(f"user{number}", "example.com"))
        self.assertEqual(len(self.cache._found._known), 50)

    def test_down_directory_is_bridged_for_what_was_right(self) -> None:
        self.successResultOf(self.authenticate())
        self.directory.is_down = True
        self.clock.advance(899)
        self.assertEqual(self.successResultOf(self.authenticate()), ACCOUNT)
        self.assertEqual(self.find(), ACCOUNT)
        self.failureResultOf(self.authenticate("wrong"), DirectoryDown)
        self.failureResultOf(ensureDeferred(self.cache.find(ALIAS)), DirectoryDown)
        self.clock.advance(1)
        self.failureResultOf(self.authenticate(), DirectoryDown)
        self.failureResultOf(ensureDeferred(self.cache.find(ALICE)), DirectoryDown)

    def test_that_nobody_has_an_address_is_not_bridged(self) -> None:
        self.find(NOBODY)
        self.directory.is_down = True
        self.clock.advance(10)
        self.failureResultOf(ensureDeferred(self.cache.find(NOBODY)), DirectoryDown)

    def test_down_directory_is_not_bridged_unless_wanted(self) -> None:
        self.cache = CachedDirectory(self.directory, self.clock, 300, 10, find_ttl=300)
        self.successResultOf(self.authenticate())
        self.directory.is_down = True
        self.clock.advance(300)
        self.failureResultOf(self.authenticate(), DirectoryDown)

    def test_refresh_gives_the_account_as_it_is_now(self) -> None:
        self.find()
        changed = replace(ACCOUNT, plan="agency")
        self.directory.known["alice@example.com"] = changed
        self.assertEqual(self.refreshed(), changed)
        self.assertEqual(self.find(), changed)

    def test_refresh_of_one_who_may_not_log_in_forgets_the_password(self) -> None:
        gone = (None, replace(ACCOUNT, status=Status.DISABLED), replace(ACCOUNT, address=ALIAS), Group(ALICE, ()))
        for answer in gone:
            self.directory.known["alice@example.com"] = ACCOUNT
            self.directory.logins = 0
            self.successResultOf(self.authenticate())
            self.directory.known["alice@example.com"] = answer
            self.assertIsNone(self.refreshed())
            self.successResultOf(self.authenticate())
            self.assertEqual(self.directory.logins, 2)
            self.cache.flush()

    def test_refresh_in_an_outage_forgets_nothing(self) -> None:
        self.successResultOf(self.authenticate())
        self.directory.is_down = True
        self.failureResultOf(ensureDeferred(self.cache.refresh(ALICE)), DirectoryDown)
        self.successResultOf(self.authenticate())

    def refreshed(self) -> Account | None:
        return self.successResultOf(ensureDeferred(self.cache.refresh(ALICE)))


class FindingDirectory:
    """A directory that answers at once; C{right} is everybody's password."""

    def __init__(self, known: dict[str, Account | Group | None]) -> None:
        self.known = known
        self.asked: list[str] = []
        self.logins = 0
        self.is_down = False

    async def authenticate(self, login: Address, password: str) -> Account:
        if self.is_down:
            raise DirectoryDown()
        self.logins += 1
        if password != "right":
            raise BadCredentials()
        return ACCOUNT

    async def find(self, address: Address) -> Account | Group | None:
        if self.is_down:
            raise DirectoryDown()
        self.asked.append(str(address).lower())
        return self.known.get(str(address).lower())
