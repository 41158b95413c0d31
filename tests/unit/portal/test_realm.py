"""From credentials to an avatar, as a session does it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.mail.interfaces import IAccountIMAP, IMailboxIMAPInfo, IMessageDelivery
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.fakes.connections import FakeConnection
from trekd.config.schema import PLANS, LimitsConfig
from trekd.directory.interfaces import Account, Group, Status
from trekd.errors import AccountSuspended, BadCredentials, StoreBusy, TooManyConnections
from trekd.portal.avatar import MailUser, _matches
from trekd.portal.interfaces import ILease, IMailUser
from trekd.portal.limits import ConnectionLedger
from trekd.portal.plans import Plans
from trekd.portal.prefixes import Prefixes
from trekd.portal.realm import MailRealm
from trekd.values import Address, MailboxName

ALICE = Address("alice", "example.com")


class RecordingStore:
    """A store that remembers with what quota it was opened, and a mailbox list that remembers what was done."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, int]] = []
        self.done: list[tuple[str, ...]] = []
        self.fault: Exception | None = None

    async def open(self, principal: str, quota: int = 0) -> Any:
        self.opened.append((principal, quota))
        if self.fault:
            raise self.fault
        return self

    async def create(self, name: MailboxName) -> None:
        self.done.append(("create", str(name)))

    async def delete(self, name: MailboxName) -> None:
        self.done.append(("delete", str(name)))

    async def rename(self, source: MailboxName, target: MailboxName) -> None:
        self.done.append(("rename", str(source), str(target)))

    async def subscribe(self, name: MailboxName) -> None:
        self.done.append(("subscribe", str(name)))

    async def unsubscribe(self, name: MailboxName) -> None:
        self.done.append(("unsubscribe", str(name)))

    async def subscriptions(self) -> tuple[MailboxName, ...]:
        return (MailboxName("Sent"),)

    async def mailboxes(self) -> tuple[Any, ...]:
        names = ("INBOX", "Sent", "Archive", "Archive/2024")
        return tuple(SimpleNamespace(name=MailboxName(name), special_use=("\\X",)) for name in names)


class OneAccountDirectory:
    """Finds C{account}, whatever is asked for."""

    def __init__(self) -> None:
        self.account: Any = Account(ALICE, "pro")

    async def find(self, address: Address) -> Any:
        return self.account


class RealmTests(SynchronousTestCase):
    """L{MailRealm} and the ledger together."""

    def setUp(self) -> None:
        self.directory = OneAccountDirectory()
        self.store = RecordingStore()
        plans = Plans(PLANS)
        self.realm = MailRealm(self.directory, self.store, plans)
        self.ledger = ConnectionLedger(plans, LimitsConfig(), Prefixes(), Clock())

    def ask(self, mind: object, *interfaces: Any) -> Deferred[Any]:
        return self.realm.requestAvatar(b"alice@example.com", mind, *interfaces)

    def test_provides_the_interface(self) -> None:
        verifyObject(IRealm, self.realm)

    def test_session_gets_a_counted_avatar_and_a_way_out(self) -> None:
        lease = self.ledger.open(FakeConnection())
        interface, avatar, logout = self.successResultOf(self.ask(lease, IAccountIMAP))
        user = IMailUser(avatar)
        self.assertIs(interface, IAccountIMAP)
        self.assertEqual((user.account.address, user.store, lease.principal), (ALICE, self.store, "alice@example.com"))
        logout()
        logout()
        self.assertIsNone(lease.principal)

    def test_slots_are_taken_by_imap_only(self) -> None:
        self.directory.account = Account(ALICE, "nano")
        for _ in range(20):
            self.successResultOf(self.ask(self.ledger.open(FakeConnection()), IMessageDelivery))
            self.successResultOf(self.ask(self.ledger.open(FakeConnection()), IMailUser))
        for _ in range(10):
            self.successResultOf(self.ask(self.ledger.open(FakeConnection()), IAccountIMAP))
        opened = len(self.store.opened)
        self.failureResultOf(self.ask(self.ledger.open(FakeConnection()), IAccountIMAP), TooManyConnections)
        self.assertEqual(len(self.store.opened), opened)

    def test_quota_is_the_accounts_or_the_plans(self) -> None:
        self.successResultOf(self.ask(None, IMailUser))
        self.directory.account = Account(ALICE, "pro", quota=7)
        self.successResultOf(self.ask(None, IMailUser))
        self.directory.account = Account(ALICE, "pro", quota=0)
        self.successResultOf(self.ask(None, IMailUser))
        principal = "alice@example.com"
        self.assertEqual(self.store.opened, [(principal, 50 << 30), (principal, 7), (principal, 0)])

    def test_store_that_does_not_open_gives_the_slot_back(self) -> None:
        self.store.fault = StoreBusy()
        lease = self.ledger.open(FakeConnection())
        self.failureResultOf(self.ask(lease, IAccountIMAP), StoreBusy)
        self.assertIsNone(lease.principal)
        self.assertEqual(self.ledger._held, {})

    def test_account_that_is_gone_or_stopped_since_its_password_was_remembered(self) -> None:
        for found in (None, Group(ALICE, ())):
            self.directory.account = found
            self.failureResultOf(self.ask(None, IMailUser), BadCredentials)
        for status in (Status.SUSPENDED, Status.DISABLED):
            self.directory.account = Account(ALICE, "pro", status=status)
            self.failureResultOf(self.ask(None, IMailUser), AccountSuspended)

    def test_other_interfaces_are_not_offered(self) -> None:
        self.assertRaises(NotImplementedError, self.ask, None, ILease)

    def test_anonymous_is_refused(self) -> None:
        self.failureResultOf(self.realm.requestAvatar((), None, IMailUser), BadCredentials)

    def test_realm_in_a_stock_portal(self) -> None:
        portal = Portal(self.realm)
        self.assertEqual(portal.listCredentialsInterfaces(), [])


class AvatarTests(SynchronousTestCase):
    """L{MailUser} as a plugin sees it."""

    def setUp(self) -> None:
        self.store = RecordingStore()
        self.user = MailUser(Account(ALICE, "pro"), self.store)

    def test_provides_the_interfaces(self) -> None:
        for interface in (IMailUser, IAccountIMAP, IMessageDelivery):
            verifyObject(interface, self.user)

    def test_mailboxes_are_changed_in_the_store(self) -> None:
        for change in (
            self.user.create("A/B"),
            self.user.addMailbox("C"),
            self.user.rename("A", "D"),
            self.user.subscribe("D"),
            self.user.unsubscribe("D"),
            self.user.delete("inbox"),
        ):
            self.assertTrue(self.successResultOf(change))
        self.assertEqual(
            self.store.done,
            [
                ("create", "A/B"),
                ("create", "C"),
                ("rename", "A", "D"),
                ("subscribe", "D"),
                ("unsubscribe", "D"),
                ("delete", "INBOX"),
            ],
        )
        self.assertTrue(self.successResultOf(self.user.isSubscribed("Sent")))
        self.assertFalse(self.successResultOf(self.user.isSubscribed("Trash")))

    def test_listing_follows_the_wildcards(self) -> None:
        for reference, wildcard, expected in (
            ("", "*", ["INBOX", "Sent", "Archive", "Archive/2024"]),
            ("", "%", ["INBOX", "Sent", "Archive"]),
            ("Archive/", "%", ["Archive/2024"]),
            ("", "%/%", ["Archive/2024"]),
            ("", "S*t", ["Sent"]),
            ("", "", []),
        ):
            found = self.successResultOf(self.user.listMailboxes(reference, wildcard))
            self.assertEqual([name for name, _ in found], expected)
        _, mailbox = found[0] if found else self.successResultOf(self.user.listMailboxes("", "INBOX"))[0]
        verifyObject(IMailboxIMAPInfo, mailbox)
        self.assertEqual((mailbox.getFlags(), mailbox.getHierarchicalDelimiter()), (("\\X",), "/"))

    def test_hostile_pattern_takes_no_time(self) -> None:
        self.assertFalse(_matches("a" * 500, "*%" * 200 + "b"))

    def test_what_the_interfaces_cannot_express_says_what_to_use(self) -> None:
        for call, word in (
            (lambda: self.user.select("INBOX"), "store.open"),
            (lambda: self.user.addMailbox("A", object()), "store"),
            (lambda: self.user.validateTo(None), "IMailFlow"),
            (lambda: self.user.validateFrom(None, None), "IMailFlow"),
            (lambda: self.user.receivedHeader(None, None, None), "IMailFlow"),
        ):
            self.assertIn(word, str(self.assertRaises(NotImplementedError, call)))
