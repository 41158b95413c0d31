"""A client that compresses inside TLS, at a started daemon (RFC 4978)."""

from __future__ import annotations

import imaplib
import zlib
from typing import Any

from tests.clients.daemon import PASSWORD, Daemon
from tests.clients.test_imaplib import MESSAGE

imaplib.Commands["COMPRESS"] = ("AUTH", "SELECTED")


class CompressedIMAP(imaplib.IMAP4_SSL):
    """The standard library's client, with compression below it."""

    _deflate: Any = None

    def compress(self) -> None:
        """Ask for it, and begin."""
        kind, _ = self._simple_command("COMPRESS", "DEFLATE")
        assert kind == "OK"
        self._deflate, self._inflate, self._rest = zlib.compressobj(wbits=-15), zlib.decompressobj(-15), b""

    def send(self, data: bytes) -> None:
        """Send, compressed once that is on."""
        if self._deflate is not None:
            data = self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        super().send(data)

    def read(self, size: int) -> bytes:
        """Exactly so many octets."""
        if self._deflate is None:
            return super().read(size)
        while len(self._rest) < size:
            self._more()
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def readline(self) -> bytes:
        """One line."""
        if self._deflate is None:
            return super().readline()
        while b"\n" not in self._rest:
            self._more()
        line, end, self._rest = self._rest.partition(b"\n")
        return line + end

    def _more(self) -> None:
        octets = self.sock.recv(65536)
        assert octets, "the connection was closed"
        self._rest += self._inflate.decompress(octets)


def test_messages_go_in_and_out_compressed(daemon: Daemon) -> None:
    large = b"Subject: large\r\n\r\n" + b"0123456789 and so on\r\n" * 100_000
    with CompressedIMAP("localhost", daemon.ports["imaps"], ssl_context=daemon.client_tls, timeout=20) as client:
        client.login("alice@example.com", PASSWORD)
        client.compress()
        assert client.append("INBOX", None, None, MESSAGE % (1, 1))[0] == "OK"
        assert client.append("INBOX", None, None, large)[0] == "OK"
        assert client.select()[1] == [b"2"]
        found = client.fetch("1:2", "(BODY.PEEK[])")[1]
        assert [each[1] for each in found if isinstance(each, tuple)] == [MESSAGE % (1, 1), large]
        assert client.search(None, "SUBJECT", "large")[1] == [b"2"]
