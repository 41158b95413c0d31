"""L{trekd.web.setup.documents}: documents that take their time, and who does not wait for them."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.web.server import Request

from tests.fakes.website import Transport, request
from trekd.web.setup.documents import AwaitedResource, Document
from trekd.web.site import HTTPSite


def begun(method: bytes = b"GET") -> tuple[Transport, Deferred[bytes], object]:
    """A request for what is not there yet."""
    octets: Deferred[bytes] = Deferred()

    async def write(request: Request) -> Document:
        return Document("text/plain", await octets)

    transport = Transport()
    channel = HTTPSite(AwaitedResource(write), {}, Clock()).buildProtocol(None)
    channel.makeConnection(transport)
    channel.dataReceived(request(method, b"/"))
    return transport, octets, channel


def test_the_answer_comes_when_it_is_there() -> None:
    transport, octets, _ = begun()
    assert transport.value() == b""
    octets.callback(b"made")
    assert transport.value().startswith(b"HTTP/1.1 200 ")
    assert transport.value().endswith(b"\r\n\r\nmade")


def test_nothing_is_made_for_who_has_gone() -> None:
    transport, octets, channel = begun()
    with capturedLogs() as events:
        channel.connectionLost(Failure(ConnectionDone()))  # type: ignore[attr-defined]
    assert octets.called
    assert transport.value() == b""
    assert not any("log_failure" in event for event in events)


def test_head_has_no_body() -> None:
    transport, octets, _ = begun(b"HEAD")
    octets.callback(b"made")
    assert b"content-length: 4" in transport.value().lower()
    assert transport.value().endswith(b"\r\n\r\n")
