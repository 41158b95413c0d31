"""Requests to a web site of ours, over the real HTTP parser."""

from __future__ import annotations

from twisted.internet.testing import StringTransport

from trekd.web.site import HTTPSite


class Transport(StringTransport):
    """A transport that can be dropped."""

    abort_seen = False

    def abortConnection(self) -> None:
        self.abort_seen = True

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass


def ask(site: HTTPSite, *requests: bytes) -> tuple[bytes, Transport]:
    """All answers on a new connection, and its transport."""
    transport = Transport()
    channel = site.buildProtocol(None)
    channel.makeConnection(transport)
    for octets in requests:
        channel.dataReceived(octets)
    return transport.value(), transport


def request(method: bytes, path: bytes, *headers: bytes) -> bytes:
    """A request without a body."""
    return b"\r\n".join((method + b" " + path + b" HTTP/1.1", b"Host: mail.example.com", *headers, b"", b""))
