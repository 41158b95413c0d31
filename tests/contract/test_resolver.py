"""The resolver against a real, and not always honest, name server on loopback."""

from __future__ import annotations

from twisted.internet import reactor
from zope.interface.verify import verifyObject

from tests.fakes.coroutines import CoroutineTestCase
from tests.fakes.nameserver import NameServer
from trekd.dns.cache import Cache
from trekd.dns.exchange import NetworkExchange, Server
from trekd.dns.interfaces import TLSA, Exchanger, IResolver, Service
from trekd.dns.resolver import Patience, Resolver
from trekd.dns.servers import Servers, hosts_file
from trekd.errors import NameServiceDown

ZONE = {
    "example.com": [
        "MX 20 mx2.example.com.",
        "MX 10 MX1.Example.com.",
        'TXT "v=spf1 " "-all"',
        'TXT "second"',
    ],
    "mx1.example.com": ["A 192.0.2.1", "A 192.0.2.2", "AAAA 2001:db8::1"],
    "_25._tcp.mx1.example.com": ["TLSA 3 1 0 00ff"],
    "_imaps._tcp.example.com": ["SRV 10 1 993 b.example.com.", "SRV 0 1 993 a.example.com."],
    "_pop3._tcp.example.com": ["SRV 0 0 0 ."],
    "alias.example.com": ["CNAME more.example.com."],
    "more.example.com": ["30 CNAME mx1.example.com."],
    "dangling.example.com": ["CNAME nowhere.invalid."],
    "null.example.com": ["MX 0 ."],
    "1.2.0.192.in-addr.arpa": ["PTR mx1.example.com."],
    "xn--bcher-kva.example.com": ["A 192.0.2.9"],
    "big.example.com": [f"A 192.0.2.{number}" for number in range(200)],
    "weird.example.com": [r"MX 1 a\032b.example.com."],
}


class ResolverTest(CoroutineTestCase):
    """One server on this host."""

    async def setUp(self) -> None:
        self.server = NameServer(ZONE)
        await self.server.start(reactor)
        self.close_later(self.server.stop)
        self.resolver = self.made(Server("127.0.0.1", self.server.port, is_local=True))

    def made(self, *servers: Server, timeout: float = 5.0, rounds: int = 1) -> Resolver:
        seconds = reactor.seconds  # type: ignore[attr-defined]
        return Resolver(
            Servers(servers, seconds),
            Patience(timeout, rounds),
            hosts_file("192.0.2.77 here.example.com # comment\n::7 here.example.com\nbad line\n"),
            NetworkExchange(reactor),
            Cache(1_000_000, seconds),
        )

    def test_it_keeps_its_contract(self) -> None:
        assert verifyObject(IResolver, self.resolver)

    async def test_exchangers_come_in_order(self) -> None:
        answer = await self.resolver.exchangers("Example.COM.")
        assert answer.records == (Exchanger(10, "mx1.example.com"), Exchanger(20, "mx2.example.com"))
        assert (answer.exists, answer.secure, answer.ttl) == (True, True, 300)

    async def test_the_null_exchanger(self) -> None:
        """RFC 7505 §3."""
        assert (await self.resolver.exchangers("null.example.com")).records == (Exchanger(0, ""),)

    async def test_a_host_name_of_odd_octets_is_printable(self) -> None:
        [found] = (await self.resolver.exchangers("weird.example.com")).records
        assert found.host == r"a\032b.example.com"
        assert not (await self.resolver.addresses(found.host)).exists

    async def test_addresses_of_both_kinds(self) -> None:
        answer = await self.resolver.addresses("mx1.example.com")
        assert sorted(answer.records) == ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
        assert answer.records[0] == "2001:db8::1"
        assert answer.secure

    async def test_one_kind_of_address_is_enough(self) -> None:
        self.server.faults["mx1.example.com AAAA"] = "servfail"
        answer = await self.resolver.addresses("mx1.example.com")
        assert sorted(answer.records) == ["192.0.2.1", "192.0.2.2"]
        assert answer.secure

    async def test_no_address_known_is_not_no_address(self) -> None:
        self.server.faults["mx1.example.com A"] = "servfail"
        self.server.zone["mx1.example.com"] = ["A 192.0.2.1"]
        await self.assertFailure(self.started(self.resolver.addresses("mx1.example.com")), NameServiceDown)

    async def test_addresses_that_no_server_is_asked_for(self) -> None:
        assert (await self.resolver.addresses("here.example.com")).records == ("::7", "192.0.2.77")
        assert (await self.resolver.addresses("localhost")).records == ("::1", "127.0.0.1")
        assert (await self.resolver.addresses("a.localhost")).records == ("::1", "127.0.0.1")
        assert (await self.resolver.addresses("2001:DB8::0:1")).records == ("2001:db8::1",)
        assert self.server.asked == []

    async def test_texts_are_joined(self) -> None:
        """RFC 7208 §3.3."""
        assert sorted((await self.resolver.texts("example.com")).records) == [b"second", b"v=spf1 -all"]

    async def test_services_and_their_decided_absence(self) -> None:
        """RFC 2782."""
        found = (await self.resolver.services("_imaps._tcp.example.com")).records
        assert found == (Service(0, 1, 993, "a.example.com"), Service(10, 1, 993, "b.example.com"))
        assert (await self.resolver.services("_pop3._tcp.example.com")).records == (Service(0, 0, 0, ""),)

    async def test_tlsa_pointers_and_aliases(self) -> None:
        """RFC 6698 §2.1."""
        assert (await self.resolver.certificates("_25._tcp.mx1.example.com")).records == (TLSA(3, 1, 0, b"\0\xff"),)
        assert (await self.resolver.names("192.0.2.1")).records == ("mx1.example.com",)
        assert not (await self.resolver.names("nonsense")).exists
        assert (await self.resolver.canonical("alias.example.com")).records == ("more.example.com",)

    async def test_aliases_are_followed_and_the_shortest_time_counts(self) -> None:
        answer = await self.resolver.addresses("alias.example.com")
        assert "192.0.2.1" in answer.records
        assert answer.ttl == 30

    async def test_no_name_and_no_record_are_two_things(self) -> None:
        """RFC 2308 §2."""
        assert (await self.resolver.exchangers("nowhere.example.com")).exists is False
        nothing = await self.resolver.exchangers("mx1.example.com")
        assert (nothing.records, nothing.exists, nothing.ttl) == ((), True, 60)
        assert (await self.resolver.exchangers("dangling.example.com")).exists is False

    async def test_u_labels(self) -> None:
        """RFC 5891 §4."""
        assert (await self.resolver.addresses("B\u00dccher.example.com")).records == ("192.0.2.9",)

    async def test_what_is_no_name_does_not_exist(self) -> None:
        long = ("x" * 64 + ".example", "a." * 130 + "b")
        for name in ("", ".", "a..b", "a b.example", *long, "\u200b.example", "a\\b.c"):
            assert not (await self.resolver.exchangers(name)).exists, name
        assert self.server.asked == []

    async def test_a_long_answer_comes_over_tcp(self) -> None:
        """RFC 7766 §5."""
        assert len((await self.resolver.addresses("big.example.com")).records) == 200
        assert self.server.asked.count("big.example.com A") == 2

    async def test_answers_are_remembered(self) -> None:
        for _ in range(3):
            await self.resolver.exchangers("example.com")
            await self.resolver.exchangers("nowhere.example.com")
        assert sorted(self.server.asked) == ["example.com MX", "nowhere.example.com MX"]

    async def test_the_same_question_is_asked_once_at_a_time(self) -> None:
        first, second = (self.started(self.resolver.texts("example.com")) for _ in range(2))
        first.cancel()
        await self.assertFailure(first, Exception)
        assert len((await second).records) == 2
        assert self.server.asked == ["example.com TXT"]

    async def test_ad_counts_from_this_host_only(self) -> None:
        """RFC 4035 §4.9.3."""
        elsewhere = self.made(Server("127.0.0.1", self.server.port, is_local=False))
        assert not (await elsewhere.exchangers("example.com")).secure
        self.server.faults["mx1.example.com"] = "insecure"
        assert not (await self.resolver.addresses("mx1.example.com")).secure

    async def test_the_next_server_is_asked(self) -> None:
        dead = NameServer({})
        await dead.start(reactor)
        await dead.stop()
        resolver = self.made(Server("127.0.0.1", dead.port), Server("127.0.0.1", self.server.port))
        assert (await resolver.exchangers("example.com")).records

    async def test_servers_without_a_verdict(self) -> None:
        lies = ("servfail", "refused", "formerr", "garbage", "cut", "loop", "chain", "truncate-always", "hang-up")
        for fault in lies:
            resolver = self.made(Server("127.0.0.1", self.server.port), timeout=0.2)
            self.server.faults["example.com"] = fault
            self.server.asked.clear()
            await self.assertFailure(self.started(resolver.texts("example.com")), NameServiceDown)
            assert self.server.asked, fault
            # Nobody asks again at once (RFC 9520 §3.2).
            count = len(self.server.asked)
            await self.assertFailure(self.started(resolver.texts("example.com")), NameServiceDown)
            assert len(self.server.asked) == count

    async def test_answers_to_other_questions_are_not_believed(self) -> None:
        """RFC 5452 §9.1."""
        for fault in ("wrong-id", "wrong-name", "silent"):
            self.server.faults["example.com"] = fault
            resolver = self.made(Server("127.0.0.1", self.server.port), timeout=0.1)
            await self.assertFailure(self.started(resolver.exchangers("example.com")), NameServiceDown)
        self.server.faults["example.com"] = "forged-first"
        assert len((await self.resolver.exchangers("example.com")).records) == 2
        self.server.faults["mx1.example.com"] = "unasked"
        assert (await self.resolver.addresses("mx1.example.com")).records == ()

    async def test_a_giant_answer_is_refused(self) -> None:
        self.server.faults["example.com"] = "giant"
        await self.assertFailure(self.started(self.resolver.addresses("example.com")), NameServiceDown)

    async def test_nothing_without_a_soa_is_not_remembered(self) -> None:
        """RFC 2308 §5."""
        self.server.faults["example.com"] = "nosoa"
        assert (await self.resolver.exchangers("example.com")).exists
        del self.server.faults["example.com"]
        assert (await self.resolver.exchangers("example.com")).records

    @staticmethod
    def started(awaitable):  # type: ignore[no-untyped-def]
        from twisted.internet.defer import ensureDeferred

        return ensureDeferred(awaitable)
