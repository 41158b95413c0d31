"""A bare IMAP client over TLS: octets out, octets in, as little of its own cost as Python allows."""

from __future__ import annotations

import re
import socket
import ssl


class Client:
    """One connection."""

    def __init__(self, port: int, user: str, password: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", port), 120)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = context.wrap_socket(plain)
        self._buffer = b""
        self.line()
        self.ask(b'LOGIN "%b" "%b"' % (user.encode(), password.encode()))

    def line(self) -> bytes:
        """One line, its end included."""
        while b"\n" not in self._buffer:
            self._fill()
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line + b"\n"

    def ask(self, command: bytes) -> bytes:
        """Send a command; everything up to its tagged OK."""
        self.socket.sendall(b"t " + command + b"\r\n")
        return self.answer()

    def answer(self) -> bytes:
        """Everything up to the next C{t OK}; a NO or BAD is an error."""
        pieces = [self._buffer]
        tail = self._buffer[-4096:]
        while not (found := re.search(rb"(?:^|\r\n)t (OK|NO|BAD)[^\r\n]*\r\n\Z", tail)):
            octets = self.socket.recv(1 << 20)
            if not octets:
                raise ConnectionError("closed by the server")
            pieces.append(octets)
            tail = (tail + octets)[-4096:]
        self._buffer = b""
        if found[1] != b"OK":
            raise RuntimeError(found[0].decode("utf-8", "replace"))
        return b"".join(pieces)

    def append(self, mailbox: bytes, *messages: bytes) -> None:
        """APPEND with non-synchronising literals; several messages in one command (RFC 3502)."""
        parts = b" ".join(b"{%d+}\r\n%b" % (len(message), message) for message in messages)
        self.ask(b"APPEND " + mailbox + b" " + parts)

    def close(self) -> None:
        """Drop the connection."""
        self.socket.close()

    def _fill(self) -> None:
        octets = self.socket.recv(65536)
        if not octets:
            raise ConnectionError("closed by the server")
        self._buffer += octets
