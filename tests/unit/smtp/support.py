"""A logged-in client in memory."""

from __future__ import annotations

import base64
from typing import Any

from tests.fakes.submission import PASSWORD, FakeSite
from tests.wire.runner import Wire
from trekd.smtp.session import LMTP, SUBMISSIONS, Service

MESSAGE = b"From: alice@example.com\r\nDate: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: <1@x>\r\n\r\nbody\r\n"


class Client:
    """One connection to a site of its own."""

    def __init__(self, service: Service = SUBMISSIONS, login: str = "alice@example.com", **config: Any) -> None:
        self.site = FakeSite(service, **config)
        self.wire = Wire(self.site.factory)
        self.greeting = self.wire.read()
        if login and service.is_submission:
            self.ask(b"EHLO client.example")
            word = base64.b64encode(f"\0{login}\0{PASSWORD}".encode())
            assert self.ask(b"AUTH PLAIN " + word).startswith(b"235")

    def ask(self, *lines: bytes) -> bytes:
        """Send lines in one piece; everything the server answers."""
        self.wire.send(b"".join(line + b"\r\n" for line in lines))
        return self.wire.read()

    def send(self, octets: bytes) -> bytes:
        """Send octets in one piece; everything the server answers."""
        self.wire.send(octets)
        return self.wire.read()

    def begin(self, *recipients: bytes) -> None:
        """Start a message."""
        self.ask(b"MAIL FROM:<alice@example.com>")
        for recipient in recipients or (b"bob@example.com",):
            assert self.ask(b"RCPT TO:<%b>" % recipient).startswith(b"250"), recipient

    def submit(self, message: bytes, *recipients: bytes) -> bytes:
        """Send a whole message; the reply to it."""
        self.begin(*recipients)
        assert self.ask(b"DATA").startswith(b"354")
        return self.send(message + b".\r\n")

    @property
    def stored(self) -> list[bytes]:
        """The messages that were accepted."""
        return [content for _, content in self.site.flow.accepted]


def lmtp(**config: Any) -> Client:
    """An LMTP client after its greeting."""
    client = Client(LMTP, **config)
    client.ask(b"LHLO mx.example")
    return client


def codes(octets: bytes) -> list[int]:
    """The codes of the replies, one for each."""
    return [int(line[:3]) for line in octets.splitlines() if line[3:4] == b" "]
