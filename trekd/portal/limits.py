"""
The ledger of connections: how many an address prefix and an account hold, and whether one more may be opened
(DESIGN §6).

Every count is changed by plain calls in the reactor's thread: between a check and the slot it takes there is no
C{await}, so connections that log in at the same moment cannot all pass the same last slot.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from trekd.config.schema import LimitsConfig
from trekd.directory.interfaces import Account
from trekd.errors import TooManyConnections, TooManyUnauthenticated
from trekd.portal.interfaces import IConnection, ILease, ILedger, IProbe, Refusal, SessionFacts, Usage
from trekd.portal.plans import Plans
from trekd.portal.prefixes import Prefixes
from trekd.portal.tallies import Recent, Tally
from trekd.values import PrincipalId

EXCHANGE = "smtp"
"""The service at which other servers hand in mail: nobody ever logs in there."""
_MINUTE = 60.0
_PREFIXES = 20_000
"""Address prefixes whose arrivals are counted."""
_REFUSALS = 200
"""The last refusals that are kept to be shown."""

_WITHOUT_LOGIN = frozenset({"lmtp"})
"""Services that other servers of the site use, as many connections at once as they like."""


@implementer(ILease)
class Lease:
    """
    One connection's place in the ledger.

    @ivar limited: the address prefix that counts, C{None} for none.
    @ivar scope: whose slots the connection takes one of; '' while it takes none.
    """

    __slots__ = ("connection", "is_open", "ledger", "limited", "peer", "plan", "principal", "scope", "since")

    def __init__(self, ledger: ConnectionLedger, connection: IConnection, limited: str | None, since: float) -> None:
        self.ledger = ledger
        self.connection = connection
        self.peer: str = connection.peer
        self.limited = limited
        self.since = since
        self.principal: PrincipalId | None = None
        self.plan = ""
        self.scope = ""
        self.is_open = True

    async def log_in(self, account: Account, counted: bool) -> None:
        """See L{ILease.log_in}."""
        await self.ledger.bind(self, account, counted)

    def log_out(self) -> None:
        """See L{ILease.log_out}."""
        self.ledger.unbind(self)

    def close(self) -> None:
        """See L{ILease.close}."""
        self.ledger.forget(self)


@implementer(ILedger)
class ConnectionLedger:
    """
    All connections of this process.

    Limits by address do not apply to local sockets, to LMTP and to C{limits.trusted_networks}; an account's total
    always does.
    """

    log = Logger()

    def __init__(
        self, plans: Plans, limits: LimitsConfig, prefixes: Prefixes, clock: IReactorTime, probe: IProbe | None = None
    ) -> None:
        """
        @param probe: asked for vanished peers before a connection is refused.
        """
        self._plans = plans
        self._limits = limits
        self._prefixes = prefixes
        self._clock = clock
        self._probe = probe
        self._leases: dict[Lease, None] = {}
        self._unauthenticated: dict[str, int] = {}
        self._full: set[str] = set()
        self._exchange: Counter[str] = Counter()
        self._arrivals: Recent[str, Tally] = Recent(_PREFIXES)
        self._held: dict[str, dict[Lease, None]] = {}
        self._refusals: deque[Refusal] = deque(maxlen=_REFUSALS)
        self.refused: Counter[str] = Counter()

    def reconfigure(self, limits: LimitsConfig, prefixes: Prefixes) -> None:
        """Take over other limits, for connections that come; those that are there keep their prefix and slots."""
        self._limits = limits
        self._prefixes = prefixes

    # ILedger

    def open(self, connection: IConnection) -> ILease:
        """See L{ILedger.open}; the log has one line for each time a prefix reaches its limit."""
        if connection.service == EXCHANGE:
            return self._open_exchange(connection, self._prefixes.limited(connection.peer))
        limited = None if connection.service in _WITHOUT_LOGIN else self._prefixes.limited(connection.peer)
        if limited is not None and self._unauthenticated.get(limited, 0) >= self._limits.unauthenticated_per_ip:
            if limited not in self._full:
                self._full.add(limited)
                self._log_refusal(connection, None, f"{self._limits.unauthenticated_per_ip} have not logged in")
            self.refused["unauthenticated"] += 1
            raise TooManyUnauthenticated(limited)
        lease = Lease(self, connection, limited, self._clock.seconds())
        self._leases[lease] = None
        self._wait(lease)
        return lease

    def _open_exchange(self, connection: IConnection, limited: str | None) -> Lease:
        """
        Enter a connection of another server, which is counted apart from people's.

        @raise TooManyUnauthenticated: it comes too often, or there are too many.
        """
        reason = self._exchange_refusal(limited)
        if reason:
            if f"{EXCHANGE} {limited or ''}" not in self._full:
                self._full.add(f"{EXCHANGE} {limited or ''}")
                self._log_refusal(connection, None, reason)
            self.refused["exchange"] += 1
            raise TooManyUnauthenticated(limited)
        lease = Lease(self, connection, limited, self._clock.seconds())
        self._leases[lease] = None
        self._exchange[limited or ""] += 1
        return lease

    def _exchange_refusal(self, limited: str | None) -> str:
        """Why another server may not connect now; its attempt is counted, a trusted one's is not."""
        limits = self._limits
        if self._exchange.total() >= limits.smtp_total:
            return f"{limits.smtp_total} connections in all"
        if limited is None:
            return ""
        tally = self._arrivals.get(limited) or Tally(self._clock.seconds())
        tally.add(self._clock.seconds(), _MINUTE)
        self._arrivals.put(limited, tally)
        if self._exchange[limited] >= limits.smtp_per_ip:
            return f"{limits.smtp_per_ip} connections of this address"
        if tally.value(self._clock.seconds(), _MINUTE) > limits.smtp_per_minute:
            return f"{limits.smtp_per_minute} connections of this address in a minute"
        return ""

    def sessions(self) -> tuple[SessionFacts, ...]:
        """See L{ILedger.sessions}."""
        return tuple(
            SessionFacts(
                lease.connection.session,
                lease.connection.service,
                lease.peer,
                lease.principal,
                lease.plan,
                lease.since,
                self._details(lease.connection),
            )
            for lease in self._leases
        )

    def connections(self) -> tuple[IConnection, ...]:
        """See L{ILedger.connections}."""
        return tuple(lease.connection for lease in self._leases)

    def counted(self) -> tuple[IConnection, ...]:
        """The connections that take slots."""
        return tuple(lease.connection for held in self._held.values() for lease in held)

    def usage(self, account: Account | None = None) -> tuple[Usage, ...]:
        """See L{ILedger.usage}."""
        if account is not None:
            return (self._usage(self._scope(account), self._plans.name(account)),)
        rows = [self._usage(scope, next(iter(held)).plan) for scope, held in self._held.items()]
        return tuple(sorted(rows, key=lambda row: (-row.used, row.owner)))

    def refusals(self) -> tuple[Refusal, ...]:
        """See L{ILedger.refusals}."""
        return tuple(self._refusals)

    def census(self) -> Counter[tuple[str, str]]:
        """How many connections there are, by service and plan ('' before login)."""
        return Counter((lease.connection.service, lease.plan) for lease in self._leases)

    def kick(self, session: str | None = None, principal: PrincipalId | None = None) -> int:
        """See L{ILedger.kick}."""
        chosen = [
            lease
            for lease in self._leases
            if (session is not None and lease.connection.session == session)
            or (principal is not None and lease.principal == principal)
        ]
        for lease in chosen:
            self.log.info(
                "kicked {principal} from {peer}",
                principal=lease.principal,
                peer=lease.peer,
                service=lease.connection.service,
                session=lease.connection.session,
            )
            lease.connection.abort()
        return len(chosen)

    # What leases ask

    async def bind(self, lease: Lease, account: Account, counted: bool) -> None:
        """
        Log a lease in.

        @raise TooManyConnections: the lease stays unauthenticated.
        """
        if lease.principal == account.principal and bool(lease.scope) == counted:
            return
        self.unbind(lease)
        refusal = self._refusal(lease, account) if counted else None
        if refusal is not None and self._probe is not None:
            await self._reclaim(self._probe, lease, account, refusal)
            refusal = self._refusal(lease, account)
        if not lease.is_open:
            return
        if refusal is not None:
            self.refused["total" if refusal.peer is None else "per address"] += 1
            self._log_refusal(lease.connection, account.principal, _reason(refusal))
            raise refusal
        self._take(lease, account, counted)

    def unbind(self, lease: Lease) -> None:
        """Log a lease out, if it is logged in."""
        if lease.principal is None:
            return
        self._release(lease)
        lease.principal = None
        lease.plan = ""
        if lease.is_open:
            self._wait(lease)

    def forget(self, lease: Lease) -> None:
        """Strike a lease out; a second call does nothing."""
        if not lease.is_open:
            return
        lease.is_open = False
        if lease.principal is None:
            self._wait_no_more(lease)
        self.unbind(lease)
        del self._leases[lease]

    def _take(self, lease: Lease, account: Account, counted: bool) -> None:
        """Bind an open lease."""
        self.unbind(lease)
        self._wait_no_more(lease)
        lease.principal = account.principal
        lease.plan = self._plans.name(account)
        if counted:
            lease.scope = self._scope(account)
            self._held.setdefault(lease.scope, {})[lease] = None
        self.log.info(
            "login {principal} from {peer}",
            principal=account.principal,
            peer=lease.peer,
            service=lease.connection.service,
            session=lease.connection.session,
            plan=lease.plan,
        )

    def _release(self, lease: Lease) -> None:
        if not lease.scope:
            return
        held = self._held[lease.scope]
        del held[lease]
        if not held:
            del self._held[lease.scope]
        lease.scope = ""

    def _refusal(self, lease: Lease, account: Account) -> TooManyConnections | None:
        """Why the account may not have one more connection."""
        plan, name = self._plans.of(account), self._plans.name(account)
        held = self._held.get(self._scope(account), {})
        if plan.connections_per_ip and lease.limited is not None and len(held) >= plan.connections_per_ip:
            used = sum(other.limited == lease.limited for other in held)
            if used >= plan.connections_per_ip:
                return TooManyConnections(used, plan.connections_per_ip, lease.peer, name)
        if plan.connections_total and len(held) >= plan.connections_total:
            return TooManyConnections(len(held), plan.connections_total, None, name)
        return None

    async def _reclaim(self, probe: IProbe, lease: Lease, account: Account, refusal: TooManyConnections) -> None:
        """Free slots of vanished peers, as many as the new connection needs."""
        helpful = [
            other
            for other in self._held.get(self._scope(account), {})
            if refusal.peer is None or other.limited == lease.limited
        ]
        wanted = refusal.used - refusal.allowed + 1
        aborted = await probe.reclaim([other.connection for other in helpful], wanted)
        for other in helpful:
            if any(other.connection is connection for connection in aborted):
                other.close()

    def _usage(self, scope: str, plan: str) -> Usage:
        held, figures = self._held.get(scope, {}), self._plans.figures(plan)
        by_prefix = Counter(lease.limited for lease in held if lease.limited is not None)
        return Usage(
            scope.removeprefix("\0"),
            plan,
            len(held),
            figures.connections_total,
            figures.connections_per_ip,
            dict(by_prefix.most_common()),
        )

    def _scope(self, account: Account) -> str:
        """Whose slots the account's connections take: principals have an @, subscriptions get a NUL before them."""
        shared = self._limits.scope == "subscription" and account.subscription
        return f"\0{account.subscription}" if shared else account.principal

    def _wait(self, lease: Lease) -> None:
        """Count a lease as not logged in."""
        if lease.limited is not None and lease.connection.service != EXCHANGE:
            self._unauthenticated[lease.limited] = self._unauthenticated.get(lease.limited, 0) + 1

    def _wait_no_more(self, lease: Lease) -> None:
        if lease.connection.service == EXCHANGE:
            key = lease.limited or ""
            self._full.discard(f"{EXCHANGE} {key}")
            self._exchange[key] -= 1
            if not self._exchange[key]:
                del self._exchange[key]
        elif lease.limited is not None:
            self._full.discard(lease.limited)
            self._unauthenticated[lease.limited] -= 1
            if not self._unauthenticated[lease.limited]:
                del self._unauthenticated[lease.limited]

    def _details(self, connection: IConnection) -> Mapping[str, Any]:
        try:
            return connection.describe()
        except Exception:
            self.log.failure("a session cannot describe itself", session=connection.session)
            return {}

    def _log_refusal(self, connection: IConnection, principal: PrincipalId | None, reason: str) -> None:
        time = self._clock.seconds()
        self._refusals.append(Refusal(time, connection.service, connection.peer, principal, reason))
        self.log.info(
            "refused {service} connection of {principal} from {peer}: {reason}"
            if principal
            else "refused {service} connections from {peer}: {reason}",
            principal=principal,
            peer=connection.peer,
            service=connection.service,
            session=connection.session,
            reason=reason,
        )


def _reason(refusal: TooManyConnections) -> str:
    where = "in all" if refusal.peer is None else "from one address"
    return f"{refusal.used} of {refusal.allowed} connections {where} on plan {refusal.plan}"
