"""
Which hosts take a domain's mail, in which order, and at which addresses (RFC 5321 §5.1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, zip_longest
from random import shuffle

from trekd.dns.interfaces import Answer, Exchanger, IResolver
from trekd.errors import NameServiceDown, RemoteDeferred, RemoteRefused
from trekd.relay.addresses import AddressPolicy
from trekd.relay.troubles import Unfit


@dataclass(frozen=True, slots=True)
class Stop:
    """
    A host that takes a domain's mail.

    @ivar host: a name, or an IP address for an address literal.
    @ivar secure: DNSSEC vouches for the answer that named it.
    """

    host: str
    secure: bool = False


class Exchangers:
    """Asks the resolver, and judges what it says."""

    def __init__(
        self,
        resolver: IResolver,
        policy: AddressPolicy,
        own_name: str,
        shuffled: Callable[[list[str]], None] = shuffle,
    ) -> None:
        """
        @param policy: which addresses may be connected to.
        @param own_name: this host's name, as MX records spell it.
        @param shuffled: puts a list into random order.
        """
        self._resolver = resolver
        self._policy = policy
        self._own_name = own_name.lower()
        self._shuffle = shuffled

    async def of(self, domain: str) -> tuple[Stop, ...]:
        """
        The hosts of a domain, the best first, in random order where the domain has no preference.

        @param domain: of the recipient, an address literal with its brackets.
        @raise RemoteRefused: it takes no mail.
        @raise RemoteDeferred: no name server tells.
        """
        if domain.startswith("["):
            return (Stop(domain[1:-1].lower().removeprefix("ipv6:")),)
        try:
            answer = await self._resolver.exchangers(domain)
        except NameServiceDown:
            raise RemoteDeferred("", f"no name server tells who takes mail for {domain}", "4.4.3") from None
        if not answer.exists:
            raise RemoteRefused("", f"the domain {domain} does not exist", "5.1.2")
        if not answer.records:
            return (Stop(domain, answer.secure),)
        if any(not each.host for each in answer.records):
            raise RemoteRefused("", f"the domain {domain} takes no mail", "5.1.10")  # RFC 7505 §3, §4.1
        return self._ordered(domain, answer)

    def _ordered(self, domain: str, answer: Answer[Exchanger]) -> tuple[Stop, ...]:
        """
        By preference; when this host is among them, only what is better (RFC 5321 §5.1).

        @raise RemoteRefused: this host is the best: its mail would come back.
        """
        records = sorted(answer.records)
        own = [each.preference for each in records if each.host.lower() == self._own_name]
        if own:
            records = [each for each in records if each.preference < own[0]]
        if not records:
            raise RemoteRefused("", f"mail for {domain} loops back to this host", "5.4.6")
        stops = []
        for _, equals in groupby(records, lambda each: each.preference):
            hosts = list(dict.fromkeys(each.host for each in equals))
            self._shuffle(hosts)
            stops += [Stop(host, answer.secure) for host in hosts]
        return tuple(stops)

    async def addresses(self, stop: Stop) -> tuple[str, ...]:
        """
        Where to connect, judged: an address of each family by turns, IPv6 first.

        @raise Unfit: nowhere.
        @raise RemoteDeferred: no name server tells.
        """
        found = await self.look_up(stop.host)
        judged = self._policy.judge(found)
        if not judged.permitted:
            reason = judged.refusals[0] if judged.refusals else "the name has no address"
            raise Unfit(stop.host, reason, "5.4.4")
        return _by_turns(judged.permitted)

    async def look_up(self, host: str) -> tuple[str, ...]:
        """
        A host's addresses as the resolver says.

        @param host: a name; an IP address is its own.
        @raise RemoteDeferred: no name server tells.
        """
        if is_address(host):
            return (host,)
        try:
            return (await self._resolver.addresses(host)).records
        except NameServiceDown:
            raise RemoteDeferred(host, "no name server tells the host's address", "4.4.3") from None


def is_address(host: str) -> bool:
    """Whether a host is given as an IP address."""
    return ":" in host or host.replace(".", "").isdecimal()


def _by_turns(addresses: Sequence[str]) -> tuple[str, ...]:
    newer = [each for each in addresses if ":" in each]
    older = [each for each in addresses if ":" not in each]
    pairs = chain.from_iterable(zip_longest(newer, older))
    return tuple(each for each in pairs if each is not None)
