"""
Fetches MTA-STS policies over HTTPS (RFC 8461 §3.3).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol

from OpenSSL import SSL, crypto
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.protocol import Protocol as StreamProtocol
from twisted.internet.ssl import (
    Certificate,
    TLSVersion,
    VerificationError,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)
from twisted.python.failure import Failure

from trekd.dns.interfaces import IResolver
from trekd.errors import NameServiceDown, SyntaxFault, Unavailable
from trekd.relay.interfaces import TLSResult
from trekd.relay.pages import MAX_HEAD, body, request
from trekd.relay.sts import MAX_POLICY, STSPolicy, read_policy

TIMEOUT = 60.0
"""Seconds for the whole of it (RFC 8461 §3.3)."""
MAX_ADDRESSES = 4
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

PATH = "/.well-known/mta-sts.txt"


def trust_of(path: str) -> Any:
    """
    Whom to trust by a file of certificates, PEM.

    @raise OSError: it cannot be read; C{ValueError} when it holds none.
    """
    with open(path, "rb") as file:
        found = _PEM.findall(file.read())
    if not found:
        raise ValueError(path)
    try:
        return trustRootFromCertificates([Certificate.loadPEM(each) for each in found])
    except crypto.Error:
        raise ValueError(path) from None


class PolicyUnavailable(Unavailable):
    """
    A policy could not be had.

    @ivar result: how that is reported (RFC 8460 §4.3.2.1).
    """

    def __init__(self, result: TLSResult) -> None:
        super().__init__(result.value)
        self.result = result


class Fetch(Protocol):
    """Gets a domain's policy."""

    async def __call__(self, domain: str) -> STSPolicy:
        """
        @raise PolicyUnavailable: with the reason.
        """


class PolicyFetch:
    """
    Gets policies from their hosts, which must have a certificate of a public authority; nobody is redirected.

    @param refusal: why an address may not be connected to, C{""} when it may.
    @param trust: whom to trust, as C{optionsForClientTLS} has it.
    """

    def __init__(
        self,
        resolver: IResolver,
        reactor: Any,
        refusal: Callable[[str], str],
        trust: Any = None,
        port: int = 443,
    ) -> None:
        self._resolver = resolver
        self._reactor = reactor
        self._refusal = refusal
        self._trust = platformTrust() if trust is None else trust
        self._port = port

    async def __call__(self, domain: str) -> STSPolicy:
        """See L{Fetch}."""
        host = f"mta-sts.{domain}"
        octets = await self._page(host)
        try:
            return read_policy(body(octets))
        except SyntaxFault as fault:
            is_page = fault.rule.startswith("sts-")
            raise PolicyUnavailable(TLSResult.STS_INVALID if is_page else TLSResult.STS_FETCH_ERROR) from None

    async def _page(self, host: str) -> bytes:
        """All octets that the server sends, from the first address that answers."""
        try:
            found = await self._resolver.addresses(host)
            minimum = {"raiseMinimumTo": TLSVersion.TLSv1_2}
            options = optionsForClientTLS(host, self._trust, extraCertificateOptions=minimum)
        except (NameServiceDown, UnicodeError):
            raise PolicyUnavailable(TLSResult.STS_FETCH_ERROR) from None
        result = TLSResult.STS_FETCH_ERROR
        deadline = self._reactor.seconds() + TIMEOUT
        for address in [each for each in found.records if not self._refusal(each)][:MAX_ADDRESSES]:
            left = deadline - self._reactor.seconds()
            if left <= 0:
                break
            try:
                return await self._get(host, address, options, left)
            except (SSL.Error, VerificationError):
                result = TLSResult.STS_WEBPKI_INVALID
            except (ConnectError, ConnectionClosed, Unavailable, OSError):
                continue
        raise PolicyUnavailable(result)

    async def _get(self, host: str, address: str, options: Any, timeout: float) -> bytes:
        kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
        page = _Page(request(host, PATH))
        endpoint = wrapClientTLS(options, kind(self._reactor, address, self._port, timeout))
        factory = Factory.forProtocol(lambda: page)
        factory.noisy = False
        await endpoint.connect(factory)
        timer = self._reactor.callLater(timeout, page.give_up)
        try:
            return await page.octets
        finally:
            if timer.active():
                timer.cancel()
            page.leave()


class _Page(StreamProtocol):
    """
    A connection for one request.

    @ivar octets: all that came before it was closed.
    """

    transport: Any

    def __init__(self, octets: bytes) -> None:
        self.octets: Deferred[bytes] = Deferred()
        self._request = octets
        self._received = bytearray()

    def connectionMade(self) -> None:
        """Ask."""
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        """Keep what may be a policy."""
        self._received += data
        if len(self._received) > MAX_HEAD + 2 * MAX_POLICY:
            self.give_up()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """That was all; a failed handshake is told as it is."""
        if reason.check(SSL.Error, VerificationError) and not self._received:
            self._end(reason)
        else:
            self._end(bytes(self._received))

    def give_up(self) -> None:
        """Too long or too late."""
        self._end(Failure(Unavailable()))

    def leave(self) -> None:
        """Close at once."""
        self.transport.abortConnection()

    def _end(self, result: bytes | Failure) -> None:
        if not self.octets.called:
            self.octets.callback(result)
