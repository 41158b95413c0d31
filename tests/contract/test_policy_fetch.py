"""L{trekd.relay.fetching} against a real HTTPS server on loopback."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import Certificate, PrivateCertificate, trustRootFromCertificates

from tests.fakes.authority import Issued, issue
from tests.fakes.coroutines import CoroutineTestCase
from tests.fakes.resolver import ToldResolver
from trekd.relay.fetching import PolicyFetch, PolicyUnavailable
from trekd.relay.interfaces import TLSResult
from trekd.relay.sts import STSPolicy

ROOT = issue(None, "Root", is_authority=True)
POLICY = b"version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 86400\n"
PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + POLICY


class _Web(Protocol):
    """Answers every request with the same octets, and closes."""

    factory: Any

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.factory.requests.append(data)
        self.transport.write(self.factory.answer)
        self.transport.loseConnection()


class PolicyFetchTest(CoroutineTestCase):
    """A policy host."""

    def serve(self, issued: Issued, answer: bytes = PAGE) -> PolicyFetch:
        factory: Any = Factory.forProtocol(_Web)
        factory.noisy, factory.answer, factory.requests = False, answer, []
        self.factory = factory
        options = PrivateCertificate.loadPEM(issued.pem).options()
        port = reactor.listenSSL(0, factory, options, interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        resolver = ToldResolver({("addresses", "mta-sts.example.com"): ("127.0.0.1",)})
        trust = trustRootFromCertificates([Certificate.loadPEM(ROOT.pem.partition(b"-----BEGIN PRIVATE")[0])])
        return PolicyFetch(resolver, reactor, lambda address: self.refusal, trust, port.getHost().port)

    refusal = ""

    async def failure(self, fetch: PolicyFetch) -> TLSResult:
        try:
            await fetch("example.com")
        except PolicyUnavailable as fault:
            return fault.result
        raise AssertionError("a policy was had")

    async def test_a_policy(self) -> None:
        """RFC 8461 §3.3."""
        fetch = self.serve(issue(ROOT, "mta-sts.example.com"))
        assert await fetch("example.com") == STSPolicy("enforce", ("mx.example.com",), 86400)
        [asked] = self.factory.requests
        assert asked.startswith(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.example.com\r\n")

    async def test_certificates_that_nobody_vouches_for(self) -> None:
        for issued in (
            issue(None, "mta-sts.example.com"),
            issue(ROOT, "www.example.com"),
            issue(ROOT, "mta-sts.example.com", days=-1),
        ):
            assert await self.failure(self.serve(issued)) is TLSResult.STS_WEBPKI_INVALID
            assert self.factory.requests == []

    async def test_answers_that_are_no_policy(self) -> None:
        issued = issue(ROOT, "mta-sts.example.com")
        for answer, result in (
            (b"HTTP/1.1 404 Not Found\r\n\r\n", TLSResult.STS_FETCH_ERROR),
            (b"HTTP/1.1 302 Found\r\nLocation: https://a.example/\r\n\r\n", TLSResult.STS_FETCH_ERROR),
            (PAGE.replace(b"STSv1", b"STSv7"), TLSResult.STS_INVALID),
            (PAGE + b"x" * 500_000, TLSResult.STS_FETCH_ERROR),
            (b"", TLSResult.STS_FETCH_ERROR),
        ):
            assert await self.failure(self.serve(issued, answer)) is result

    async def test_a_host_without_an_address_that_may_be_connected_to(self) -> None:
        self.refusal = "127.0.0.1 is a loopback address"
        fetch = self.serve(issue(ROOT, "mta-sts.example.com"))
        assert await self.failure(fetch) is TLSResult.STS_FETCH_ERROR
        assert self.factory.requests == []
        assert await self.failure(self.serve(issue(ROOT, "x"))) is TLSResult.STS_FETCH_ERROR

    async def test_a_host_where_nobody_listens(self) -> None:
        fetch = self.serve(issue(ROOT, "mta-sts.example.com"))
        fetch._port = 1
        assert await self.failure(fetch) is TLSResult.STS_FETCH_ERROR
