"""The page for Prometheus."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from trekd.web.metrics import metrics_site


async def _text() -> bytes:
    return b"trekmail_up 1\n"


async def _broken() -> bytes:
    raise ValueError("secret")


class MetricsSiteTests(SynchronousTestCase):
    """One page and nothing else."""

    def ask(self, request: bytes, text: object = _text) -> bytes:
        site = metrics_site(text, Clock())
        protocol = site.buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        protocol.dataReceived(request + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return transport.value()

    def test_get_and_head(self) -> None:
        answer = self.ask(b"GET /metrics")
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK"))
        self.assertIn(b"text/plain; version=0.0.4", answer)
        self.assertTrue(answer.endswith(b"\r\n\r\ntrekmail_up 1\n"))
        self.assertTrue(self.ask(b"HEAD /metrics").endswith(b"\r\n\r\n"))

    def test_nothing_else(self) -> None:
        for path in (b"/", b"/metrics/x", b"/x"):
            self.assertIn(b" 404 ", self.ask(b"GET " + path).split(b"\r\n")[0])
        self.assertIn(b" 405 ", self.ask(b"POST /metrics").split(b"\r\n")[0])

    def test_failure_shows_nothing_of_the_inside(self) -> None:
        answer = self.ask(b"GET /metrics", _broken)
        self.assertIn(b" 500 ", answer.split(b"\r\n")[0])
        self.assertNotIn(b"secret", answer)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
