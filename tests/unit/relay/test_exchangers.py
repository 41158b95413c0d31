"""L{trekd.relay.exchangers}: the order of hosts and addresses."""

from __future__ import annotations

from tests.fakes.coroutines import CoroutineTestCase
from tests.fakes.names import FakeResolver
from trekd.errors import RemoteRefused
from trekd.relay.addresses import AddressPolicy
from trekd.relay.exchangers import Exchangers, Stop


class Order(CoroutineTestCase):
    """RFC 5321 §5.1."""

    def exchangers(self, resolver: FakeResolver) -> Exchangers:
        policy = AddressPolicy((), lambda address: False)
        return Exchangers(resolver, policy, "me.example", lambda hosts: hosts.reverse())

    async def hosts(self, *records: tuple[int, str]) -> list[str]:
        found = await self.exchangers(FakeResolver({"a.example": list(records)})).of("a.example")
        return [stop.host for stop in found]

    async def test_by_preference_and_at_random_among_equals(self) -> None:
        assert await self.hosts((20, "c"), (10, "a"), (10, "b"), (30, "d")) == ["b", "a", "c", "d"]

    async def test_only_what_is_better_than_this_host(self) -> None:
        assert await self.hosts((10, "a"), (20, "ME.example"), (20, "b"), (30, "c")) == ["a"]
        for records in (((10, "me.example"),), ((10, "me.example"), (10, "a"), (20, "b"))):
            try:
                await self.hosts(*records)
            except RemoteRefused as error:
                assert error.status == "5.4.6"
            else:
                raise AssertionError("mail would loop")

    async def test_a_host_that_is_listed_twice_is_tried_once(self) -> None:
        assert await self.hosts((10, "a"), (10, "a")) == ["a"]

    async def test_without_records_the_domain_itself(self) -> None:
        resolver = FakeResolver(hosts={"a.example": ["9.9.9.9"]})
        resolver.secure.add("a.example")
        assert await self.exchangers(resolver).of("a.example") == (Stop("a.example", secure=True),)

    async def test_address_literals(self) -> None:
        exchangers = self.exchangers(FakeResolver())
        assert await exchangers.of("[9.9.9.9]") == (Stop("9.9.9.9"),)
        (stop,) = await exchangers.of("[ipv6:2620:fe::FE]")
        assert await exchangers.addresses(stop) == ("2620:fe::fe",)

    async def test_families_by_turns_ipv6_first(self) -> None:
        addresses = ["9.9.9.9", "2620:fe::fe", "9.9.9.10", "2620:fe::9", "1.1.1.1", "10.0.0.1"]
        resolver = FakeResolver(hosts={"a.example": addresses})
        assert await self.exchangers(resolver).addresses(Stop("a.example")) == (
            *("2620:fe::fe", "9.9.9.9", "2620:fe::9", "9.9.9.10", "1.1.1.1"),
        )
