"""Accounts with sessions are looked up again."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trekd.directory.interfaces import Account
from trekd.directory.watch import AccountWatch
from trekd.errors import DirectoryDown
from trekd.values import Address, PrincipalId


class AccountWatchTests(SynchronousTestCase):
    """L{AccountWatch}."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.gone: set[str] = set()
        self.fault: Exception | None = None
        self.asked: list[str] = []
        self.dismissed: list[PrincipalId] = []
        self.sessions = [PrincipalId(f"{name}@example.com") for name in ("bob", "alice", "alice")]
        self.watch = AccountWatch(self.refresh, lambda: self.sessions, self.dismissed.append, self.clock)
        self.watch.start(300)
        self.addCleanup(self.watch.stop)

    async def refresh(self, address: Address) -> Account | None:
        self.asked.append(str(address))
        if self.fault is not None:
            raise self.fault
        return None if address.local in self.gone else Account(address, "nano")

    def test_each_account_is_asked_for_once_a_round(self) -> None:
        self.assertEqual(self.asked, [])
        self.clock.advance(300)
        self.assertEqual(self.asked, ["alice@example.com", "bob@example.com"])
        self.clock.advance(300)
        self.assertEqual((len(self.asked), self.dismissed), (4, []))

    def test_sessions_of_who_may_no_longer_log_in_end(self) -> None:
        self.gone = {"bob"}
        self.clock.advance(300)
        self.assertEqual(self.dismissed, ["bob@example.com"])

    def test_an_outage_ends_no_session_and_the_round(self) -> None:
        self.fault = DirectoryDown()
        self.clock.advance(300)
        self.assertEqual((self.asked, self.dismissed), (["alice@example.com"], []))
        self.fault = None
        self.clock.advance(300)
        self.assertEqual(len(self.asked), 3)

    def test_a_fault_is_logged_and_the_others_are_still_looked_up(self) -> None:
        self.fault = ValueError("broken")
        self.clock.advance(300)
        self.assertEqual((len(self.asked), self.dismissed), (2, []))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)

    def test_stopped_it_asks_no_more(self) -> None:
        self.watch.stop()
        self.clock.advance(900)
        self.assertEqual(self.asked, [])
        self.watch.stop()
