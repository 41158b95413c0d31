"""
The relay: takes a message for the recipients of one lane to another server, and says what became of each.

An attempt asks one host after the other, the best first, until every recipient has a verdict or no host is left.  What
one host puts off, another may take; what one refuses is refused; and once a host may have taken the message, no other
gets it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from twisted.logger import Logger
from zope.interface import implementer

from trekd.config.relay import RelayConfig
from trekd.dns.interfaces import IResolver
from trekd.errors import (
    LaneClosed,
    NameServiceDown,
    RemoteDeferred,
    RemoteRefused,
    RemoteUnreached,
    TrekError,
    Unavailable,
)
from trekd.queue.interfaces import Attempt, IRelay, MailTransaction, Recipient, Route, RouteKind
from trekd.relay.addresses import AddressPolicy
from trekd.relay.dialing import Dialer, Hop, with_required_tls
from trekd.relay.exchangers import Exchangers, Stop
from trekd.relay.interfaces import (
    Demand,
    IClientTLS,
    IDemands,
    IProfileStore,
    Profile,
    TLSMode,
    TLSResult,
)
from trekd.relay.letters import Letter, look_through
from trekd.relay.pool import Pool
from trekd.relay.session import Session
from trekd.relay.transfer import Transfer, Verdict
from trekd.relay.troubles import Unfit
from trekd.store.interfaces import IMessageSource
from trekd.values import Address

log = Logger()

NO_CONNECTION = "4.4.1"

SMARTHOST = "smarthost"
"""The lane of mail that the administrator's smart host takes."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """
    What a relay needs of the rest of the daemon.

    @ivar hostname: what this host calls itself.
    """

    hostname: str
    resolver: IResolver
    demands: IDemands
    profiles: IProfileStore
    tls: IClientTLS
    reactor: Any


class _Errand:
    """
    One message, its recipients and their verdicts so far.

    @ivar trouble: why hosts would not do: the first that was for now, else the last.  That one address of a host has
        no connection is said only when no other has more to say.
    @ivar asked: hosts that gave their verdicts; not asked twice.
    """

    def __init__(self, transaction: MailTransaction, letter: Letter) -> None:
        self.letter = letter
        self.trouble: TrekError | None = None
        self.asked: set[str] = set()
        self._transaction = transaction
        self._attempts: dict[int, Attempt] = {}
        self._open = list(range(len(transaction.recipients)))

    @property
    def is_done(self) -> bool:
        """Whether nobody is left to send to."""
        return not self._open

    @property
    def require_tls(self) -> bool:
        """Whether REQUIRETLS was asked for."""
        return self._transaction.require_tls

    @property
    def tls_optional(self) -> bool:
        """Whether C{TLS-Required: No} was."""
        return self._transaction.tls_optional

    def part(self, most: int) -> MailTransaction:
        """The next transaction with a server."""
        chosen = self._open[:most]
        return replace(self._transaction, recipients=tuple(self._transaction.recipients[at] for at in chosen))

    def note(self, verdicts: tuple[Verdict, ...]) -> bool:
        """
        Take the verdicts of what L{part} gave.

        @return: whether another transaction on the same session makes sense.
        """
        asked, later = self._open[: len(verdicts)], self._open[len(verdicts) :]
        again, elsewhere = [], []
        for at, verdict in zip(asked, verdicts, strict=True):
            self._attempts[at] = verdict.attempt
            if verdict.again:
                again.append(at)
            elif verdict.elsewhere:
                elsewhere.append(at)
        self._open = [*again, *later, *elsewhere]
        return bool(again or later)

    def blame(self, error: TrekError) -> None:
        """A host would not do."""
        if not isinstance(self.trouble, RemoteDeferred) or (
            self.trouble.status == NO_CONNECTION and isinstance(error, RemoteDeferred)
        ):
            self.trouble = error

    def fail(self, error: TrekError) -> None:
        """Nobody else gets it, for this reason; those who have one of their own for now keep it."""
        host, reply = getattr(error, "host", ""), getattr(error, "reply", "")
        # A host that is unfit says nothing of a recipient whom another one has put off.
        is_verdict = isinstance(error, RemoteRefused | LaneClosed) and not isinstance(error, Unfit)
        for at in self._open:
            kept = self._attempts.get(at)
            if kept is None or is_verdict:
                self._attempts[at] = Attempt(self._transaction.recipients[at], error, host, reply)
        self._open = []

    def attempts(self) -> tuple[Attempt, ...]:
        """One for each recipient, in order."""
        return tuple(self._attempts[at] for at in range(len(self._transaction.recipients)))


@implementer(IRelay)
class Relay:
    """See L{IRelay} and the module."""

    def __init__(self, config: RelayConfig, password: str, surroundings: Surroundings) -> None:
        """
        @param password: for the smart host, C{""} without a login.
        """
        self._config = config
        self._around = surroundings
        self._smarthost = _smarthost(config, password)
        policy = AddressPolicy(config.allowed_networks)
        self._exchangers = Exchangers(surroundings.resolver, policy, surroundings.hostname)
        self._policy = policy
        self._pool = Pool(config, surroundings.reactor)
        self._dialer = Dialer(
            config, surroundings.hostname, surroundings.tls, surroundings.demands, surroundings.reactor
        )

    def close(self) -> None:
        """Close the connections that wait; no more will."""
        self._pool.close()

    # --- The contract -------------------------------------------------------------------------------

    def lane(self, route: Route, recipient: Address) -> str:
        """See L{IRelay.lane}."""
        if route.kind is RouteKind.OWN_SMTP:
            return f"profile:{route.profile}"
        return SMARTHOST if self._smarthost is not None else f"mx:{recipient.domain.lower()}"

    async def send(self, transaction: MailTransaction, message: IMessageSource) -> tuple[Attempt, ...]:
        """See L{IRelay.send}."""
        try:
            errand = _Errand(transaction, await look_through(message))
        except (RemoteRefused, RemoteDeferred) as error:
            return tuple(Attempt(each, error, reply=error.reply) for each in transaction.recipients)
        try:
            await self._deliver(errand, transaction.recipients[0])
        except (RemoteRefused, RemoteDeferred) as error:
            errand.fail(error)
        except Unavailable:
            errand.fail(RemoteDeferred("", "the route cannot be read now", "4.3.0"))
        return errand.attempts()

    async def _deliver(self, errand: _Errand, recipient: Recipient) -> None:
        """
        Take one of the three ways; all recipients of a lane have the same.

        @raise RemoteRefused: for all who are left.
        @raise RemoteDeferred: for all who are left.
        """
        lane = self.lane(recipient.route, recipient.address)
        if recipient.route.kind is RouteKind.OWN_SMTP:
            profile = await self._around.profiles.open(recipient.route.profile)
            await self._to_profile(errand, profile, f"{lane}#{profile.revision}", guarded=True)
        elif self._smarthost is not None and self._config.smarthost_tls != "none":
            await self._to_profile(errand, self._smarthost, lane, guarded=False)
        elif self._smarthost is not None:
            await self._to_neighbour(errand, self._smarthost, lane)
        else:
            await self._to_exchangers(errand, recipient.address.domain, lane)
        if not errand.is_done:
            errand.fail(errand.trouble or RemoteDeferred("", "no host took it", "4.4.1"))

    # --- The three ways -----------------------------------------------------------------------------

    async def _to_profile(self, errand: _Errand, profile: Profile, lane: str, guarded: bool) -> None:
        hops = self._profile_hops(profile, guarded)
        await self._ask(errand, lane, hops, lambda hop: self._dialer.to_profile(hop, profile), profile.sender)

    async def _profile_hops(self, profile: Profile, guarded: bool) -> AsyncIterator[Hop]:
        """
        @param guarded: a user named the host: only permitted addresses.
        @raise LaneClosed: it has none.
        """
        addresses = await self._exchangers.look_up(profile.host)
        if guarded:
            judged = self._policy.judge(addresses)
            if judged.refusals and not judged.permitted:
                raise LaneClosed(profile.host, f"{judged.refusals[0]}: no mail is carried there", "4.4.4")
            addresses = judged.permitted
        if not addresses:
            raise RemoteDeferred(profile.host, "the name has no address", "4.4.4")
        for address in addresses:
            yield Hop(profile.host, address, profile.port)

    async def _to_neighbour(self, errand: _Errand, smarthost: Profile, lane: str) -> None:
        await self._ask(errand, lane, self._profile_hops(smarthost, guarded=False), self._dialer.to_neighbour)

    async def _to_exchangers(self, errand: _Errand, domain: str, lane: str) -> None:
        await self._ask(errand, lane, self._exchanger_hops(errand, domain), self._dialer.to_exchanger)

    async def _exchanger_hops(self, errand: _Errand, domain: str) -> AsyncIterator[Hop]:
        """The addresses of a domain's exchangers, with what each must show."""
        for stop in await self._exchangers.of(domain):
            try:
                demand = await self._demand(errand, domain, stop)
                addresses = await self._exchangers.addresses(stop)
            except (RemoteDeferred, Unfit) as error:
                errand.blame(error)
                continue
            for address in addresses:
                yield Hop(stop.host, address, self._config.mx_port, domain, demand)

    async def _demand(self, errand: _Errand, domain: str, stop: Stop) -> Demand:
        """
        @raise RemoteDeferred: nobody knows what the exchanger must show, or its domain's policy does not name it.
        @raise Unfit: REQUIRETLS, and nobody vouches for it.
        """
        if errand.tls_optional or domain.startswith("["):  # RFC 8689 §4.2.2
            return Demand(server_name=stop.host)
        try:
            demand = await self._around.demands.of(domain, stop.host, stop.secure)
        except NameServiceDown:
            raise RemoteDeferred(stop.host, "no name server tells what TLS it must have", "4.4.3") from None
        if demand.excluded:
            self._around.demands.record(domain, stop.host, demand, TLSResult.HOST_MISMATCH)
            if not demand.testing:
                raise RemoteDeferred(stop.host, "the MTA-STS policy of the domain does not name it", "4.7.5")
        return with_required_tls(demand, stop.host, stop.secure) if errand.require_tls else demand

    # --- Hosts one after the other --------------------------------------------------------------------

    async def _ask(
        self,
        errand: _Errand,
        lane: str,
        hops: AsyncIterator[Hop],
        dial: Callable[[Hop], Awaitable[Session]],
        sender: Address | None = None,
    ) -> None:
        """
        Send over a connection that waits, then over new ones, until everybody has a verdict.

        @param sender: forced as reverse-path.
        """
        session = await self._pool.take(lane, lambda one: one.verified or not errand.require_tls)
        if session is not None:
            await self._use(session, errand, lane, sender)
        tried = 0
        while not errand.is_done and tried < self._config.max_hosts:
            hop = await anext(hops, None)
            if hop is None:
                return
            if hop.place in errand.asked:
                continue
            tried += 1
            try:
                session = await dial(hop)
            except LaneClosed:
                raise
            except Unfit as error:
                errand.blame(error)
                continue
            except RemoteDeferred as error:
                # What REQUIRETLS asked for in vain is nobody else's trouble.
                unreached = RemoteUnreached(error.host, error.reply, error.status)
                errand.blame(error if errand.require_tls else unreached)
                continue
            await self._use(session, errand, lane, sender)

    async def _use(self, session: Session, errand: _Errand, lane: str, sender: Address | None) -> None:
        """
        Send to as many recipients as the session takes; it waits for other messages afterwards.

        @raise LaneClosed: for all who are left.
        @raise RemoteRefused: for all who are left.
        """
        try:
            more = not errand.is_done
            session.is_between = False
            while more:
                part = errand.part(_most(session, self._config.max_recipients))
                if sender is not None and part.reverse_path is not None:
                    part = replace(part, reverse_path=sender)
                verdicts = await Transfer(session, part, errand.letter).run()
                session.sent += 1
                session.is_between = any(verdict.attempt.failure is None for verdict in verdicts)
                errand.asked.add(session.host)
                more = errand.note(verdicts) and await session.reset()
        except LaneClosed:
            session.abort()
            raise
        except (RemoteDeferred, Unfit) as error:
            errand.blame(error)
        except BaseException:
            session.quit()
            raise
        self._pool.give(lane, session)


def _smarthost(config: RelayConfig, password: str) -> Profile | None:
    """The administrator's smart host, written like a profile."""
    if not config.smarthost:
        return None
    host, _, port = config.smarthost.rpartition(":")
    mode = TLSMode.IMPLICIT if config.smarthost_tls == "implicit" else TLSMode.STARTTLS
    return Profile(SMARTHOST, host.strip("[]"), int(port), mode, config.smarthost_user, password)


def _most(session: Session, configured: int) -> int:
    """Recipients that the server takes at once (RFC 9422 §4)."""
    for word in session.parameter("LIMITS").split():
        name, _, value = word.partition("=")
        if name.upper() == "RCPTMAX" and value[:6].isdecimal():
            return max(1, min(configured, int(value[:6])))
    return configured
