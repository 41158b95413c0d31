"""L{trekd.relay.demands} and L{trekd.relay.policies}: DANE before MTA-STS, and what is kept."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from OpenSSL import crypto
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from tests.fakes.authority import issue
from tests.fakes.resolver import ToldResolver
from trekd.dns.interfaces import TLSA
from trekd.errors import NameServiceDown
from trekd.relay.demands import WRITE_INTERVAL, Demands
from trekd.relay.fetching import PolicyUnavailable
from trekd.relay.interfaces import Demand, IDemands, ITLSCounts, Policy, Security, Session, TLSResult
from trekd.relay.policies import REFRESH, RETRY, Policies
from trekd.relay.remembered import Remembered, RememberedFile
from trekd.relay.sts import STSPolicy

T = TypeVar("T")

ENFORCED = STSPolicy("enforce", ("mx.example.com",), 10 * 86400)
KEY = TLSA(3, 1, 1, bytes(32))
START = 1_790_000_000
DAY = "2026-09-21"


def at_once(function: Any, *arguments: Any) -> Any:
    """A thread that is done at once."""
    return succeed(function(*arguments))


class World:
    """A domain with what it publishes."""

    def __init__(self, directory: Path) -> None:
        self.clock = Clock()
        self.clock.advance(START)
        self.resolver = ToldResolver(
            {
                ("addresses", "mx.example.com"): ("192.0.2.1",),
                ("addresses", "other.example.com"): ("192.0.2.2",),
            }
        )
        self.policy: STSPolicy | TLSResult | Deferred[STSPolicy] = ENFORCED
        self.fetches = 0
        self.path = directory / "tls.sqlite"
        self.restart()

    def restart(self) -> None:
        remembered = Remembered(RememberedFile(self.path), at_once)
        policies = Policies(self.resolver, self.fetch, remembered, self.clock.seconds)
        self.demands = Demands(self.resolver, policies, remembered, crypto.X509Store(), self.clock)

    async def fetch(self, domain: str) -> STSPolicy:
        self.fetches += 1
        if isinstance(self.policy, TLSResult):
            raise PolicyUnavailable(self.policy)
        if isinstance(self.policy, Deferred):
            return await self.policy
        return self.policy

    def announce(self, identifier: str = "1") -> None:
        self.resolver.known[("texts", "_mta-sts.example.com")] = (f"v=STSv1; id={identifier};".encode(),)

    def publish(self, *records: TLSA, at: str = "mx.example.com") -> None:
        self.resolver.known[("certificates", f"_25._tcp.{at}")] = records
        self.resolver.secure = None

    def of(self, exchanger: str = "mx.example.com", secure: bool = True) -> Demand:
        return result(self.demands.of("example.com", exchanger, secure))

    def counts(self) -> dict[Session, int]:
        return dict(result(self.demands.counts("example.com")))


def result(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine gives that waits for nothing."""
    outcome: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(outcome.append)
    [found] = outcome
    if hasattr(found, "raiseException"):
        found.raiseException()
    return found  # type: ignore[no-any-return]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_it_keeps_its_contract(world: World) -> None:
    assert verifyObject(IDemands, world.demands)
    assert verifyObject(ITLSCounts, world.demands)


def test_who_publishes_nothing_gets_opportunistic_tls(world: World) -> None:
    assert world.of() == Demand(server_name="mx.example.com")
    world.resolver.secure = None
    assert world.of() == Demand(server_name="mx.example.com")
    assert world.fetches == 0


def test_secure_tlsa_records_are_demanded(world: World) -> None:
    """RFC 7672 §2.2, §3.2.2."""
    world.publish(KEY, TLSA(0, 0, 1, bytes(32)))
    demand = world.of()
    assert (demand.security, demand.policy, demand.records) == (Security.DANE, Policy.TLSA, (KEY,))
    assert demand.server_name == "mx.example.com"
    assert demand.names == ("mx.example.com", "example.com")
    assert demand.is_mandatory


def test_dane_goes_before_mta_sts(world: World) -> None:
    """RFC 8461 §2."""
    world.announce()
    world.publish(KEY)
    assert world.of("other.example.com").excluded
    assert world.of().policy is Policy.TLSA


def test_records_that_cannot_be_used_demand_encryption(world: World) -> None:
    """RFC 7672 §2.2: not in clear, and not by MTA-STS either."""
    world.announce()
    world.publish(TLSA(1, 1, 1, bytes(32)))
    assert world.of() == Demand(Security.ENCRYPTED, Policy.TLSA, "mx.example.com")


def test_what_is_not_validated_is_not_believed(world: World) -> None:
    """RFC 7672 §2.2.1: MX, addresses and TLSA records must all be secure."""
    world.publish(KEY)
    assert world.of(secure=False) == Demand(server_name="mx.example.com")
    world.resolver.secure = {"_25._tcp.mx.example.com"}
    world.resolver.asked.clear()
    assert world.of() == Demand(server_name="mx.example.com")
    assert ("certificates", "_25._tcp.mx.example.com") not in world.resolver.asked
    world.resolver.secure = {"mx.example.com"}
    assert world.of() == Demand(server_name="mx.example.com")


def test_nobody_can_tell_means_leave_it_alone(world: World) -> None:
    """RFC 7672 §2.1: otherwise whoever can stop the answer could strip the records."""
    world.publish(KEY)
    world.resolver.down.add(("certificates", "_25._tcp.mx.example.com"))
    with pytest.raises(NameServiceDown):
        world.of()


def test_records_are_looked_for_at_the_end_of_aliases_first(world: World) -> None:
    """RFC 7672 §2.2.2."""
    world.resolver.known[("canonical", "mx.example.com")] = ("real.example.net",)
    world.publish(KEY)
    world.publish(KEY, at="real.example.net")
    assert world.of().server_name == "real.example.net"
    assert world.of().names == ("real.example.net", "mx.example.com", "example.com")
    del world.resolver.known[("certificates", "_25._tcp.real.example.net")]
    assert world.of().server_name == "mx.example.com"
    world.resolver.known[("canonical", "real.example.net")] = ("mx.example.com",)
    assert world.of().server_name == "mx.example.com"


def test_a_policy_in_force(world: World) -> None:
    """RFC 8461 §4.1, §5."""
    world.announce()
    verified = Demand(Security.VERIFIED, Policy.STS, "mx.example.com", ("mx.example.com",))
    assert world.of() == verified
    other = world.of("other.example.com")
    assert other.excluded
    assert world.fetches == 1


def test_a_policy_in_testing_holds_nothing_back(world: World) -> None:
    world.announce()
    world.policy = STSPolicy("testing", ("mx.example.com",), 86400)
    demand = world.of("other.example.com")
    assert (demand.is_mandatory, demand.excluded, demand.testing) == (False, False, True)
    assert world.demands.verdict(demand, [issue(None, "a").der]) is TLSResult.HOST_MISMATCH
    assert world.of().names == ("mx.example.com",)


def test_a_policy_that_says_none(world: World) -> None:
    world.announce()
    world.policy = STSPolicy("none", (), 86400)
    assert world.of() == Demand(server_name="mx.example.com")


def test_a_policy_once_fetched_holds_for_its_time(world: World) -> None:
    """RFC 8461 §5.1: whoever takes the record, the page or the names away gains nothing; restarts included."""
    world.announce()
    world.of()
    world.policy = TLSResult.STS_FETCH_ERROR
    world.announce("2")
    world.clock.advance(RETRY)
    assert world.of().security is Security.VERIFIED
    del world.resolver.known[("texts", "_mta-sts.example.com")]
    world.restart()
    assert world.of().security is Security.VERIFIED
    world.resolver.down.add(("texts", "_mta-sts.example.com"))
    assert world.of().security is Security.VERIFIED
    world.clock.advance(11 * 86400)
    assert world.of().security is Security.OPPORTUNISTIC


def test_a_new_identifier_brings_the_new_policy(world: World) -> None:
    world.announce()
    world.of()
    world.announce("2")
    world.policy = STSPolicy("enforce", ("other.example.com",), 86400)
    world.clock.advance(RETRY)
    assert world.of().excluded


def test_a_policy_is_refreshed_before_it_runs_out_and_nobody_waits(world: World) -> None:
    """RFC 8461 §3.3."""
    world.announce()
    world.of()
    for _ in range(20):
        world.clock.advance(REFRESH)
        world.policy = Deferred()
        assert world.of().security is Security.VERIFIED
        world.policy.callback(ENFORCED)
    assert world.fetches == 21


def test_a_policy_that_cannot_be_had_is_not_asked_for_all_the_time(world: World) -> None:
    """RFC 8461 §3.3; the failure is counted, RFC 8460 §4.3.2.1."""
    world.announce()
    world.policy = TLSResult.STS_WEBPKI_INVALID
    for _ in range(3):
        demand = world.of()
        assert demand == Demand(server_name="mx.example.com")
        world.demands.record("example.com", "mx.example.com", demand, TLSResult.SUCCESS)
    assert world.fetches == 1
    assert world.counts() == {Session(DAY, "example.com", "sts", "mx.example.com", "sts-webpki-invalid"): 3}
    world.clock.advance(RETRY)
    world.policy = ENFORCED
    assert world.of().security is Security.VERIFIED


def test_many_deliveries_fetch_once(world: World) -> None:
    world.announce()
    world.policy = Deferred()
    works = [Deferred.fromCoroutine(world.demands.of("example.com", "mx.example.com", False)) for _ in range(3)]
    found: list[Demand] = []
    for work in works:
        work.addCallback(found.append)
    assert found == []
    world.policy.callback(ENFORCED)
    assert [each.security for each in found] == [Security.VERIFIED] * 3
    assert world.fetches == 1


def test_sessions_are_counted_by_day_and_written(world: World) -> None:
    """RFC 8460 §4."""
    for _ in range(2):
        world.demands.record("Example.com", "mx.example.com", Demand(), TLSResult.STARTTLS_NOT_SUPPORTED)
    world.clock.advance(WRITE_INTERVAL)
    world.demands.record("example.com", "mx.example.com", Demand(), TLSResult.STARTTLS_NOT_SUPPORTED)
    result(world.demands.close())
    world.restart()
    session = Session(DAY, "example.com", "no-policy-found", "mx.example.com", "starttls-not-supported")
    assert world.counts() == {session: 3}
    world.clock.advance(40 * 86400)
    world.demands.record("example.com", "mx.example.com", Demand(), TLSResult.SUCCESS)
    assert [each.day for each in world.counts()] == ["2026-10-31"]
    assert not world.clock.getDelayedCalls() or result(world.demands.close()) is None


def test_a_file_that_is_no_database_is_begun_anew(world: World) -> None:
    world.path.write_bytes(b"nonsense" * 1000)
    world.announce()
    assert world.of().security is Security.VERIFIED
    world.restart()
    world.policy = TLSResult.STS_FETCH_ERROR
    assert world.of().security is Security.VERIFIED


def test_a_disk_that_fails_holds_no_mail_back(world: World) -> None:
    world.path.mkdir()
    world.announce()
    assert world.of().security is Security.VERIFIED


def test_u_labels(world: World) -> None:
    """RFC 5890 §2.3.2.1."""
    world.resolver.known[("texts", "_mta-sts.xn--bcher-kva.example")] = (b"v=STSv1; id=1;",)
    demand = result(world.demands.of("b\u00fccher.example", "mx.example.com", False))
    assert demand.security is Security.VERIFIED
    assert result(world.demands.of("a b", "mx.example.com", False)) == Demand(server_name="mx.example.com")
