"""The ledger of connections."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.fakes.connections import FakeConnection
from trekd.config.schema import PLANS, LimitsConfig
from trekd.directory.interfaces import Account
from trekd.errors import TooManyConnections, TooManyUnauthenticated
from trekd.portal.interfaces import IConnection, ILease, ILedger, IProbe
from trekd.portal.limits import ConnectionLedger
from trekd.portal.plans import Plans
from trekd.portal.prefixes import Prefixes
from trekd.values import Address

HOME, OFFICE, CAFE = "203.0.113.7", "198.51.100.1", "192.0.2.1"


def account(local: str = "alice", plan: str = "nano", subscription: str = "") -> Account:
    return Account(Address(local, "example.com"), plan, subscription=subscription)


class LedgerCase(SynchronousTestCase):
    """A ledger with the plans that exist without being written."""

    limits = LimitsConfig()
    probe: IProbe | None = None

    def setUp(self) -> None:
        self.clock = Clock()
        prefixes = Prefixes(self.limits.ipv6_prefix, self.limits.trusted_networks)
        self.ledger = ConnectionLedger(Plans(PLANS), self.limits, prefixes, self.clock, self.probe)
        self.events: list[dict[str, object]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def open(self, peer: str = HOME) -> ILease:
        return self.ledger.open(FakeConnection(peer))

    def log_in(self, count: int, peer: str = HOME, who: Account | None = None) -> list[ILease]:
        leases = []
        for _ in range(count):
            leases.append(self.open(peer))
            self.successResultOf(ensureDeferred(leases[-1].log_in(who or account(), True)))
        return leases

    def refuse(self, peer: str = HOME, who: Account | None = None) -> TooManyConnections:
        attempt = ensureDeferred(self.open(peer).log_in(who or account(), True))
        refusal = self.failureResultOf(attempt, TooManyConnections).value
        assert isinstance(refusal, TooManyConnections)
        return refusal


class SlotTests(LedgerCase):
    """Slots by plan."""

    def test_provides_the_interfaces(self) -> None:
        verifyObject(ILedger, self.ledger)
        verifyObject(ILease, self.open())

    def test_eleventh_nano_connection_from_one_address_is_refused_with_facts(self) -> None:
        self.log_in(10)
        refusal = self.refuse()
        self.assertEqual((refusal.used, refusal.allowed, refusal.peer, refusal.plan), (10, 10, HOME, "nano"))

    def test_sixteenth_nano_connection_in_all_is_refused_from_anywhere(self) -> None:
        self.log_in(10)
        self.log_in(5, OFFICE)
        refusal = self.refuse(CAFE)
        self.assertEqual((refusal.used, refusal.allowed, refusal.peer, refusal.plan), (15, 15, None, "nano"))

    def test_every_plan_has_its_figures(self) -> None:
        for plan, per_ip, total in (("starter", 25, 40), ("pro", 50, 80), ("agency", 100, 150)):
            who = account(plan, plan)
            self.log_in(per_ip, HOME, who)
            self.assertEqual(self.refuse(HOME, who).allowed, per_ip)
            self.log_in(total - per_ip, OFFICE, who)
            self.assertEqual(self.refuse(CAFE, who).allowed, total)

    def test_closed_connection_gives_its_slot_back_once(self) -> None:
        leases = self.log_in(10)
        leases[0].close()
        leases[0].close()
        leases[0].log_out()
        self.log_in(1)
        self.refuse()

    def test_log_out_gives_the_slot_back_and_log_in_takes_it_again(self) -> None:
        leases = self.log_in(10)
        leases[3].log_out()
        self.assertIsNone(leases[3].principal)
        self.successResultOf(ensureDeferred(leases[3].log_in(account(), True)))
        self.refuse()

    def test_login_to_another_account_frees_the_first_ones_slot(self) -> None:
        leases = self.log_in(10)
        self.successResultOf(ensureDeferred(leases[0].log_in(account("bob"), True)))
        self.log_in(1)
        self.assertEqual(leases[0].principal, "bob@example.com")

    def test_login_again_to_the_same_account_takes_no_second_slot(self) -> None:
        leases = self.log_in(10)
        for lease in leases:
            self.successResultOf(ensureDeferred(lease.log_in(account(), True)))
        leases[0].close()
        self.log_in(1)

    def test_refused_lease_stays_unauthenticated_and_holds_nothing(self) -> None:
        leases = self.log_in(10)
        lease = self.open()
        self.failureResultOf(ensureDeferred(lease.log_in(account(), True)), TooManyConnections)
        self.assertIsNone(lease.principal)
        leases[0].close()
        self.successResultOf(ensureDeferred(lease.log_in(account(), True)))

    def test_uncounted_logins_are_not_limited(self) -> None:
        self.log_in(10)
        for _ in range(20):
            self.successResultOf(ensureDeferred(self.open().log_in(account(), False)))

    def test_closed_lease_takes_nothing(self) -> None:
        for _ in range(20):
            lease = self.open()
            lease.close()
            self.successResultOf(ensureDeferred(lease.log_in(account(), True)))
        self.log_in(10)
        self.assertEqual(len(self.ledger.sessions()), 10)

    def test_v4_mapped_address_and_ipv6_prefix_count_as_one(self) -> None:
        self.log_in(5)
        self.log_in(5, "::ffff:" + HOME)
        self.refuse()
        who = account("bob")
        for number in range(10):
            self.log_in(1, f"2001:db8::{number:x}", who)
        self.refuse("2001:db8::ffff", who)
        self.log_in(1, "2001:db8:0:1::1", who)

    def test_unknown_plan_gets_the_smallest_one_and_one_log_line(self) -> None:
        who = account("zoe", "platinum")
        self.log_in(10, HOME, who)
        self.assertEqual(self.refuse(HOME, who).plan, "nano")
        warnings = [event for event in self.events if event.get("plan") == "platinum"]
        self.assertEqual(len(warnings), 1)

    def test_zero_is_no_limit(self) -> None:
        plans = Plans({"nano": replace(PLANS["nano"], connections_per_ip=0, connections_total=0)})
        self.ledger = ConnectionLedger(plans, self.limits, Prefixes(), self.clock)
        self.log_in(45)

    def test_one_line_for_each_login_and_refusal_without_secrets(self) -> None:
        self.log_in(10)
        self.refuse()
        logins = [event for event in self.events if str(event["log_format"]).startswith("login ")]
        refusals = [event for event in self.events if str(event["log_format"]).startswith("refused ")]
        self.assertEqual((len(logins), len(refusals)), (10, 1))
        for event in (logins[0], refusals[0]):
            self.assertEqual((event["principal"], event["peer"], event["service"]), ("alice@example.com", HOME, "imap"))
            self.assertTrue(event["session"])


class TrustedNetworkTests(LedgerCase):
    """Webmail hosts."""

    limits = LimitsConfig(trusted_networks=("203.0.113.0/24",), unauthenticated_per_ip=3)

    def test_trusted_network_is_limited_by_the_total_only(self) -> None:
        self.log_in(15)
        self.assertIsNone(self.refuse().peer)
        for _ in range(10):
            self.open()

    def test_local_socket_is_not_limited_by_address(self) -> None:
        for _ in range(10):
            self.open("")
        self.log_in(15, "")


class SubscriptionTests(LedgerCase):
    """C{limits.scope = "subscription"}."""

    limits = LimitsConfig(scope="subscription")

    def test_mailboxes_of_one_subscription_share_slots(self) -> None:
        self.log_in(6, HOME, account("alice", subscription="acme"))
        self.log_in(4, HOME, account("bob", subscription="acme"))
        self.refuse(HOME, account("carol", subscription="acme"))
        self.log_in(10, HOME, account("dave"))
        self.log_in(10, HOME, account("erin", subscription="other"))

    def test_subscription_named_like_an_account_is_another_scope(self) -> None:
        self.log_in(10, HOME, account("alice"))
        self.log_in(10, HOME, account("bob", subscription="alice@example.com"))


class UnauthenticatedTests(LedgerCase):
    """Connections before their login."""

    limits = LimitsConfig(unauthenticated_per_ip=3)

    def test_lmtp_has_no_login_and_no_cap(self) -> None:
        for _ in range(10):
            self.ledger.open(FakeConnection(service="lmtp"))
        for _ in range(3):
            self.open()

    def test_cap_holds_by_prefix_and_frees_with_login_and_close(self) -> None:
        first, second, _ = (self.open() for _ in range(3))
        self.assertRaises(TooManyUnauthenticated, self.open)
        self.open(OFFICE)
        first.close()
        self.open()
        self.successResultOf(ensureDeferred(second.log_in(account(), False)))
        self.open()
        self.assertRaises(TooManyUnauthenticated, self.open)
        second.log_out()
        second.close()
        self.assertRaises(TooManyUnauthenticated, self.open)

    def test_flood_of_refusals_is_one_log_line(self) -> None:
        leases = [self.open() for _ in range(3)]
        for _ in range(50):
            self.assertRaises(TooManyUnauthenticated, self.open)
        self.assertEqual(len(self.events), 1)
        leases[0].close()
        self.open()
        self.assertRaises(TooManyUnauthenticated, self.open)
        self.assertEqual(len(self.events), 2)

    def test_nothing_is_left_behind(self) -> None:
        for lease in (*self.log_in(10), self.open()):
            lease.close()
        self.assertEqual(
            (self.ledger._leases, self.ledger._unauthenticated, self.ledger._held, self.ledger._full),
            ({}, {}, {}, set()),
        )


class ExchangeTests(LedgerCase):
    """Connections of other servers, which never log in."""

    limits = LimitsConfig(
        smtp_per_ip=3, smtp_per_minute=10, smtp_total=5, unauthenticated_per_ip=2, trusted_networks=("192.0.2.0/24",)
    )

    def meet(self, peer: str = HOME) -> ILease:
        connection = FakeConnection(peer)
        connection.service = "smtp"
        return self.ledger.open(connection)

    def test_they_are_counted_apart_from_people(self) -> None:
        leases = [self.meet() for _ in range(3)]
        self.assertRaises(TooManyUnauthenticated, self.meet)
        self.open()
        leases[0].close()
        leases[0].close()
        self.meet()
        self.assertRaises(TooManyUnauthenticated, self.meet)

    def test_there_is_a_total_for_trusted_ones_too(self) -> None:
        leases = [self.meet(CAFE) for _ in range(5)]
        self.assertRaises(TooManyUnauthenticated, self.meet, CAFE)
        self.assertRaises(TooManyUnauthenticated, self.meet, OFFICE)
        leases.pop().close()
        self.meet(OFFICE)

    def test_they_come_only_so_often(self) -> None:
        for _ in range(10):
            self.meet().close()
        self.assertRaises(TooManyUnauthenticated, self.meet)
        self.meet(OFFICE).close()
        self.clock.advance(150)
        self.meet().close()

    def test_the_log_tells_once(self) -> None:
        lease = self.meet()
        for _ in range(2):
            self.meet()
        for _ in range(5):
            self.assertRaises(TooManyUnauthenticated, self.meet)
        self.assertEqual(len(self.ledger.refusals()), 1)
        lease.close()
        self.meet()
        self.assertRaises(TooManyUnauthenticated, self.meet)
        self.assertEqual(len(self.ledger.refusals()), 2)


class AdministrationTests(LedgerCase):
    """What trekctl asks."""

    def test_sessions_are_listed_oldest_first(self) -> None:
        self.log_in(1)
        self.clock.advance(5)
        self.open(OFFICE)
        first, second = self.ledger.sessions()
        self.assertEqual((first.principal, first.plan, first.peer, first.since), ("alice@example.com", "nano", HOME, 0))
        self.assertEqual((second.principal, second.plan, second.peer, second.since), (None, "", OFFICE, 5))
        self.assertEqual(first.details, {"mailbox": "INBOX"})
        self.assertEqual([each.peer for each in self.ledger.connections()], [HOME, OFFICE])

    def test_session_that_cannot_describe_itself_is_listed_all_the_same(self) -> None:
        connection = FakeConnection()
        connection.describe = lambda: 1 / 0
        self.ledger.open(connection)
        self.assertEqual(self.ledger.sessions()[0].details, {})
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_kick_one_session_or_all_of_an_account(self) -> None:
        connections = []
        for who in (account(), account(), account("bob")):
            connections.append(FakeConnection())
            lease = self.ledger.open(connections[-1])
            connections[-1].on_abort = lease.close
            self.successResultOf(ensureDeferred(lease.log_in(who, True)))
        self.assertEqual(self.ledger.kick(session=connections[2].session), 1)
        self.assertEqual(self.ledger.kick(principal=account().principal), 2)
        self.assertEqual([each.aborted for each in connections], [1, 1, 1])
        self.assertEqual((self.ledger.kick(), self.ledger.kick(session="none")), (0, 0))

    def test_ten_thousand_accounts_fit_in_little_memory(self) -> None:
        connection = FakeConnection()
        accounts = [account(f"user{number}") for number in range(10_000)]
        globalLogPublisher.removeObserver(self.events.append)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for each in accounts:
            lease = self.ledger.open(connection)
            self.successResultOf(ensureDeferred(lease.log_in(each, True)))
        self.assertLess(tracemalloc.get_traced_memory()[0], 10_000_000)
        tracemalloc.stop()


class VisibilityTests(LedgerCase):
    """What trekctl and the metrics show."""

    def test_usage_is_shown_by_account_most_first_and_by_address(self) -> None:
        self.log_in(1, OFFICE, account("bob", "pro"))
        self.log_in(3)
        self.log_in(2, OFFICE)
        alice, bob = self.ledger.usage()
        self.assertEqual((alice.owner, alice.plan, alice.used, alice.allowed), ("alice@example.com", "nano", 5, 15))
        self.assertEqual((alice.allowed_per_ip, list(alice.by_prefix.items())), (10, [(HOME, 3), (OFFICE, 2)]))
        self.assertEqual((bob.owner, bob.used, bob.allowed), ("bob@example.com", 1, 80))

    def test_account_without_connections_has_a_row_when_asked_for(self) -> None:
        (row,) = self.ledger.usage(account("carol", "starter"))
        self.assertEqual((row.used, row.allowed, row.allowed_per_ip, row.by_prefix), (0, 40, 25, {}))

    def test_refusals_are_counted_by_reason_and_the_last_are_kept(self) -> None:
        self.log_in(10)
        self.refuse()
        self.log_in(5, OFFICE)
        self.refuse(CAFE)
        first, second = self.ledger.refusals()
        self.assertEqual((first.principal, first.peer, first.service), ("alice@example.com", HOME, "imap"))
        self.assertEqual(first.reason, "10 of 10 connections from one address on plan nano")
        self.assertEqual(second.reason, "15 of 15 connections in all on plan nano")
        self.assertEqual(self.ledger.refused, {"per address": 1, "total": 1})
        for number in range(300):
            self.refuse(f"192.0.2.{number % 250}")
        self.assertEqual(len(self.ledger.refusals()), 200)

    def test_census_counts_by_service_and_plan(self) -> None:
        self.log_in(2)
        self.open()
        self.assertEqual(self.ledger.census(), {("imap", "nano"): 2, ("imap", ""): 1})

    def test_connections_that_take_slots(self) -> None:
        self.open()
        (lease,) = self.log_in(1)
        self.assertEqual([each.session for each in self.ledger.counted()], [self.ledger.sessions()[1].session])
        lease.close()
        self.assertEqual(self.ledger.counted(), ())


@implementer(IProbe)
class AnsweredProbe:
    """A probe that a test answers for."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[IConnection], int, Deferred[Sequence[IConnection]]]] = []

    def reclaim(self, connections: Sequence[IConnection], wanted: int) -> Deferred[Sequence[IConnection]]:
        answer: Deferred[Sequence[IConnection]] = Deferred()
        self.asked.append((list(connections), wanted, answer))
        return answer


class ProbeTests(LedgerCase):
    """Vanished peers are found before anyone is refused."""

    def setUp(self) -> None:
        self.probe = AnsweredProbe()
        super().setUp()

    def test_slot_of_a_vanished_peer_is_taken_over(self) -> None:
        self.log_in(10)
        newcomer = self.open()
        attempt = ensureDeferred(newcomer.log_in(account(), True))
        self.assertNoResult(attempt)
        connections, wanted, answer = self.probe.asked.pop()
        self.assertEqual((len(connections), wanted), (10, 1))
        answer.callback(connections[:1])
        self.successResultOf(attempt)
        self.assertEqual(len(self.ledger.sessions()), 10)

    def test_living_peers_keep_their_slots(self) -> None:
        self.log_in(10)
        attempt = ensureDeferred(self.open().log_in(account(), True))
        self.probe.asked.pop()[2].callback([])
        self.failureResultOf(attempt, TooManyConnections)

    def test_only_connections_that_would_help_are_probed(self) -> None:
        self.log_in(3, OFFICE)
        self.log_in(10, HOME)
        ensureDeferred(self.open().log_in(account(), True)).addErrback(lambda failure: None)
        self.assertEqual({each.peer for each in self.probe.asked[0][0]}, {HOME})

    def test_two_newcomers_share_no_freed_slot(self) -> None:
        self.log_in(10)
        attempts = [ensureDeferred(self.open().log_in(account(), True)) for _ in range(2)]
        ghost = self.probe.asked[0][0][0]
        for _, _, answer in self.probe.asked:
            answer.callback([ghost])
        self.successResultOf(attempts[0])
        self.failureResultOf(attempts[1], TooManyConnections)

    def test_newcomer_that_leaves_meanwhile_takes_nothing(self) -> None:
        self.log_in(10)
        newcomer = self.open()
        attempt = ensureDeferred(newcomer.log_in(account(), True))
        newcomer.close()
        self.probe.asked[0][2].callback(self.probe.asked[0][0][:1])
        self.successResultOf(attempt)
        self.log_in(1)
