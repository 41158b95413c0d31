"""
From an address to a session that takes mail: connection, greeting, hello, TLS, login.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any

from OpenSSL import crypto
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectError, TimeoutError
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from trekd.config.relay import RelayConfig
from trekd.errors import RemoteDeferred
from trekd.relay.interfaces import Demand, IClientTLS, IDemands, Policy, Profile, Security, TLSMode, TLSResult
from trekd.relay.session import Session
from trekd.relay.troubles import TLSFailed, Unfit
from trekd.relay.wire import Wire

log = Logger()


@dataclass(frozen=True, slots=True)
class Hop:
    """
    One address to try.

    @ivar host: the host's name, for TLS and errors.
    @ivar address: the IP address, judged already; no name is resolved again.
    @ivar domain: of the recipients, for mail exchangers.
    @ivar demand: what TLS must give, for mail exchangers.
    """

    host: str
    address: str
    port: int
    domain: str = ""
    demand: Demand = field(default_factory=Demand)

    @property
    def place(self) -> str:
        """Name and address, for errors and logs."""
        return self.host if self.host == self.address else f"{self.host}[{self.address}]"


class Dialer:
    """Opens sessions."""

    def __init__(
        self, config: RelayConfig, hostname: str, tls: IClientTLS, demands: IDemands, reactor: Any
    ) -> None:
        """
        @param hostname: what this host calls itself (RFC 5321 §4.1.1.1).
        """
        self._config = config
        self._hostname = hostname
        self._tls = tls
        self._demands = demands
        self._reactor = reactor

    async def connect(self, hop: Hop) -> Session:
        """
        A connection, nothing said yet.

        @raise RemoteDeferred: there is none.
        """
        kind = TCP6ClientEndpoint if ":" in hop.address else TCP4ClientEndpoint
        endpoint = kind(self._reactor, hop.address, hop.port, timeout=self._config.connect_timeout)
        factory = Factory.forProtocol(lambda: Wire(self._reactor))
        factory.noisy = False
        try:
            wire: Any = await endpoint.connect(factory)
        except TimeoutError:
            raise RemoteDeferred(hop.place, "no connection in time", "4.4.1") from None
        except ConnectError as error:
            reason = os.strerror(error.osError) if isinstance(error.osError, int) else "no connection"
            raise RemoteDeferred(hop.place, reason, "4.4.1") from None
        return Session(wire, hop.place, self._config)

    # --- Servers with a login -----------------------------------------------------------------------

    async def to_profile(self, hop: Hop, profile: Profile) -> Session:
        """
        A session with a server of a user's or the administrator's choice: verified TLS first, then the login.

        @raise RemoteDeferred: not now; nothing was sent in clear.
        @raise Unfit: the server does not greet us.
        @raise LaneClosed: the login is refused.
        """
        session = await self.connect(hop)
        try:
            check = self._tls.verified(hop.host)
            if profile.tls is TLSMode.IMPLICIT:
                await session.shake_hands(check)
            await session.greeting()
            await session.hello(self._hostname)
            if profile.tls is TLSMode.STARTTLS:
                await session.start_tls(check)
                await session.hello(self._hostname)
            session.verified = True
            if profile.user:
                await session.log_in(profile.user, profile.secret)
        except BaseException:
            session.abort()
            raise
        return session

    async def to_neighbour(self, hop: Hop) -> Session:
        """A session in clear with a smart host that the administrator trusts without."""
        session = await self.connect(hop)
        try:
            await session.greeting()
            await session.hello(self._hostname)
        except BaseException:
            session.abort()
            raise
        return session

    # --- Mail exchangers ----------------------------------------------------------------------------

    async def to_exchanger(self, hop: Hop) -> Session:
        """
        A session with a mail exchanger: TLS as its domain demands, else when it works (RFC 7435 §3).

        @raise RemoteDeferred: not now, or not with the TLS that is demanded.
        @raise Unfit: never.
        """
        try:
            return await self._to_exchanger(hop)
        except TLSFailed as failed:
            if self._is_strict(hop.demand):
                raise
            log.info("in clear to {host}: {reason}", host=hop.place, reason=failed.reply)
            return await self._to_exchanger(hop, in_clear=True)

    def _is_strict(self, demand: Demand) -> bool:
        return self._config.tls == "required" or (demand.is_mandatory and not demand.testing)

    async def _to_exchanger(self, hop: Hop, in_clear: bool = False) -> Session:
        session = await self.connect(hop)
        try:
            greeting = await session.greeting()
            if greeting.lines[0].split(" ")[0].lower() == self._hostname.lower():
                raise Unfit(hop.place, "is this host itself: mail would loop", "5.4.6")
            await session.hello(self._hostname)
            if not in_clear:
                await self._secure(session, hop)
        except BaseException:
            session.abort()
            raise
        return session

    async def _secure(self, session: Session, hop: Hop) -> None:
        """
        STARTTLS, when it is offered or demanded, and a verdict on the certificate.

        @raise TLSFailed: no TLS, or not with who was demanded.
        """
        demand = hop.demand
        if not session.offers("STARTTLS") and not self._is_strict(demand):
            self._demands.record(hop.domain, hop.host, demand, TLSResult.STARTTLS_NOT_SUPPORTED)
            return
        try:
            await session.start_tls(self._tls.anybody(demand.server_name or hop.host))
        except TLSFailed as failed:
            result = TLSResult.FAILED if failed.offered else TLSResult.STARTTLS_NOT_SUPPORTED
            self._demands.record(hop.domain, hop.host, demand, result)
            raise
        result = TLSResult.SUCCESS
        if demand.security in (Security.VERIFIED, Security.DANE) or demand.testing:
            result = self._demands.verdict(demand, _chain(session.wire.tls_connection()))
            session.verified = result is TLSResult.SUCCESS
        self._demands.record(hop.domain, hop.host, demand, result)
        if result is not TLSResult.SUCCESS and self._is_strict(demand):
            reason = "DANE" if demand.policy is Policy.TLSA else "its domain's policy"
            raise TLSFailed(hop.place, f"certificate: {result.value} by {reason}")
        await session.hello(self._hostname)


def _chain(connection: Any) -> tuple[bytes, ...]:
    """The certificates that a server showed, DER, its own first."""
    shown = connection.get_peer_cert_chain() or ()
    return tuple(crypto.dump_certificate(crypto.FILETYPE_ASN1, each) for each in shown)


def with_required_tls(demand: Demand, host: str, secure: bool) -> Demand:
    """
    What REQUIRETLS makes of a demand (RFC 8689 §4.2.1): the exchanger's name must be vouched for, by DNSSEC or by an
    MTA-STS policy that is in force, and its certificate verified.

    @raise Unfit: nobody vouches for the name.
    """
    if demand.security is Security.DANE or (demand.security is Security.VERIFIED and not demand.testing):
        return demand
    if not secure:
        raise Unfit(host, "REQUIRETLS, and nobody vouches for the exchanger's name", "5.7.30")
    return replace(
        demand, security=Security.VERIFIED, server_name=host, names=(host,), testing=False
    )


