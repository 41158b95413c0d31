"""The control socket's HTTP: answers, streams, and clients that stop reading or leave."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.administration import Administered
from trekd.web import control
from trekd.web.control import control_site


class Transport(StringTransport):
    """A transport that can be dropped."""

    dropped = False

    def abortConnection(self) -> None:
        self.dropped = True

    def loseConnection(self) -> None:
        self.dropped = True


class ControlTests(SynchronousTestCase):
    """L{control_site} over the real HTTP parser."""

    def setUp(self) -> None:
        self.host = Administered()
        self.transport = Transport()
        self.channel: Any = control_site(self.host.operations).buildProtocol(None)
        self.channel.makeConnection(self.transport)

    def send(self, line: str, body: bytes = b"") -> None:
        head = f"{line} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        self.channel.dataReceived(head.encode() + body)

    def ask(self, line: str, body: object = None) -> tuple[int, list[Any]]:
        """Status and JSON lines of the answer."""
        self.transport.clear()
        self.send(line, b"" if body is None else json.dumps(body).encode())
        head, _, rest = self.transport.value().partition(b"\r\n\r\n")
        chunked = b"transfer-encoding: chunked" in head.lower()
        octets = unchunked(rest) if chunked else rest
        return int(head.split()[1]), [json.loads(each) for each in octets.splitlines()]

    def test_answers_are_json_with_a_status(self) -> None:
        status, (facts,) = self.ask("GET /status")
        self.assertEqual((status, facts["version"]), (200, "1.2.3"))
        status, (answer,) = self.ask("GET /accounts/zoe%40example.com")
        self.assertEqual((status, answer["error"]["code"]), (404, "no-such-account"))

    def test_addresses_and_queries_are_decoded(self) -> None:
        added = self.ask("POST /accounts", {"accounts": [{"address": "zoë/x@example.com"}]})
        self.assertEqual(added[1][-1], {"added": ["zoë/x@example.com"]})
        status, (account,) = self.ask("GET /accounts/zo%C3%AB%2Fx%40example.com")
        self.assertEqual((status, account["address"]), (200, "zoë/x@example.com"))
        self.assertEqual(self.ask("GET /sessions?address=zo%C3%AB/x%40example.com"), (200, [[]]))

    def test_strange_requests_are_refused_not_faults(self) -> None:
        for line in ("GET /%ff%00", "DELETE /", "BREW /status", "GET /accounts/%2e%2e", "GET /status/" + "x/" * 1000):
            self.assertIn(self.ask(line)[0], (404, 422))

    def stream(self) -> Deferred[bytes]:
        """Let the export be a stream that a test feeds; the deferred is its next piece."""
        self.pieces: list[Deferred[bytes]] = [Deferred() for _ in range(4)]
        self.closed = False

        async def export(address: str) -> AsyncIterator[bytes]:
            try:
                for piece in self.pieces:
                    yield await piece
            finally:
                self.closed = True

        self.host.operations.mail.export = export
        return self.pieces[0]

    def test_stream_waits_for_a_client_that_does_not_read(self) -> None:
        self.stream()
        self.send("GET /mail/alice%40example.com/messages")
        self.pieces[0].callback(b"one")
        self.assertIn(b"one", self.transport.value())
        self.transport.producer.pauseProducing()
        self.pieces[1].callback(b"two")
        self.pieces[2].callback(b"three")
        self.assertIn(b"two", self.transport.value())
        self.assertNotIn(b"three", self.transport.value())
        self.transport.producer.resumeProducing()
        self.assertIn(b"three", self.transport.value())

    def test_client_that_leaves_ends_the_work(self) -> None:
        self.stream().callback(b"one")
        self.send("GET /mail/alice%40example.com/messages")
        self.channel.connectionLost(Failure(ConnectionDone()))
        self.assertTrue(self.pieces[1].called)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_stream_that_breaks_has_no_proper_end(self) -> None:
        self.stream().callback(b"one")
        self.send("GET /mail/alice%40example.com/messages")
        self.pieces[1].errback(KeyError("secret"))
        self.assertTrue(self.transport.dropped)
        self.assertNotIn(b"secret", self.transport.value())
        self.assertFalse(self.transport.value().endswith(b"0\r\n\r\n"))
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_endless_body_ends_the_connection(self) -> None:
        self.patch(control, "MAX_BODY", 1000)
        self.send("POST /mail/alice%40example.com/messages", b"x" * 2000)
        self.assertTrue(self.transport.dropped)


def unchunked(octets: bytes) -> bytes:
    """A chunked body's octets (RFC 9112 §7.1)."""
    found = b""
    while octets:
        size, _, octets = octets.partition(b"\r\n")
        found, octets = found + octets[: int(size, 16)], octets[int(size, 16) + 2 :]
    return found
