"""
Another mail server, on a socket of its own, that behaves as the test says: well, slowly, wrongly or with malice.

It is written against the RFCs, not with our own parsers, so that it does not share their mistakes.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IListeningPort, IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

HANG = b"<hang>"
"""An answer: nothing, for ever."""
CLOSE = b"<close>"
"""An answer: the connection is closed."""
ABORT = b"<abort>"
"""An answer: the connection is reset."""

Answer = bytes | Callable[[bytes], bytes]


@dataclass
class Received:
    """A message as it arrived, with what was said before it."""

    mail: bytes
    recipients: list[bytes]
    octets: bytes
    secure: bool
    by: str


@dataclass
class Remote:
    """
    What the server does, and what was done to it.

    @ivar answers: by verb, instead of the usual answer: octets with their CRLF, or a function of the command line.
        C{greeting} and C{end} (after a message) count as verbs.
    @ivar extensions: EHLO keywords; C{STARTTLS} is left out inside TLS.
    @ivar secure_extensions: keywords offered inside TLS only.
    @ivar behind_starttls: octets sent in clear in the same segment as the reply to STARTTLS.
    @ivar early: so many octets of a message bring the answer C{early_answer} before its end.
    @ivar reads: the server reads what it is sent; else its socket fills up.
    @ivar commands: every line the client sent, over all connections, in order.
    @ivar segments: octets as they came, over all connections.
    """

    extensions: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SIZE 52428800", "ENHANCEDSTATUSCODES", "DSN")
    secure_extensions: tuple[str, ...] = ()
    answers: dict[str, Answer] = field(default_factory=dict)
    context: SSL.Context | None = None
    implicit: bool = False
    behind_starttls: bytes = b""
    early: int = 0
    early_answer: bytes = b"552 5.3.4 Too much\r\n"
    reads: bool = True
    name: str = "mx.remote.example"
    commands: list[bytes] = field(default_factory=list)
    segments: list[bytes] = field(default_factory=list)
    messages: list[Received] = field(default_factory=list)
    connections: int = 0
    open: list[Any] = field(default_factory=list)
    port: IListeningPort | None = None

    def listen(self, reactor: Any, interface: str = "127.0.0.1", port: int = 0) -> int:
        """Open a port; its number."""
        factory = Factory.forProtocol(lambda: _Connection(self))
        factory.noisy = False
        self.port = reactor.listenTCP(port, factory, interface=interface)
        return int(self.port.getHost().port)  # type: ignore[union-attr]

    async def close(self) -> None:
        """Close the port and every connection."""
        for connection in list(self.open):
            connection.transport.abortConnection()
        port, self.port = self.port, None
        if port is not None:
            await maybeDeferred(port.stopListening)

    def verbs(self) -> list[str]:
        """What was asked, verb by verb."""
        return [line.split(b" ")[0].split(b":")[0].upper().decode("ascii", "replace") for line in self.commands]

    @property
    def wire(self) -> bytes:
        """Every octet that came, in order."""
        return b"".join(self.segments)


@implementer(IOpenSSLServerConnectionCreator)
class _ServerContext:
    def __init__(self, context: SSL.Context) -> None:
        self._context = context

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        return SSL.Connection(self._context, None)


class _Connection(Protocol):
    transport: Any

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._buffer = b""
        self._mode = "command"
        self._secure = False
        self._login: list[bytes] = []
        self._reset()

    def connectionMade(self) -> None:
        self._remote.connections += 1
        self._remote.open.append(self)
        if self._remote.implicit:
            self._start_tls()
        if not self._remote.reads:
            self.transport.pauseProducing()
        self._answer("greeting", b"", f"220 {self._remote.name} ESMTP\r\n".encode())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._remote.open.remove(self)

    def dataReceived(self, data: bytes) -> None:
        self._remote.segments.append(data)
        self._buffer += data
        while self._step():
            pass

    def _reset(self) -> None:
        self._mail = b""
        self._recipients: list[bytes] = []
        self._chunks = b""
        self._wanted = -1

    def _start_tls(self) -> None:
        assert self._remote.context is not None
        self._secure = True
        self.transport.startTLS(_ServerContext(self._remote.context))

    def _step(self) -> bool:
        """Do one thing with what waits; whether there may be more."""
        if self._mode == "data":
            return self._take_data()
        if self._mode == "chunk":
            return self._take_chunk()
        line, end, rest = self._buffer.partition(b"\r\n")
        if not end or self._mode == "dead":
            return False
        self._buffer = rest
        self._remote.commands.append(line)
        self._command(line)
        return True

    def _take_data(self) -> bool:
        body = b"\r\n" + self._buffer
        if 0 < self._remote.early <= len(self._buffer):
            self._mode = "dead"
            self._say(self._remote.early_answer)
            return False
        end = body.find(b"\r\n.\r\n")
        if end < 0:
            return False
        self._buffer = body[end + 5 :]
        self._mode = "command"
        stuffed = body[: end + 2]
        self._message(stuffed.replace(b"\r\n.", b"\r\n")[2:], "DATA")
        return True

    def _take_chunk(self) -> bool:
        if 0 < self._remote.early <= len(self._buffer) + len(self._chunks):
            self._mode = "dead"
            self._say(self._remote.early_answer)
            return False
        if len(self._buffer) < self._wanted:
            return False
        self._chunks += self._buffer[: self._wanted]
        self._buffer = self._buffer[self._wanted :]
        self._mode = "command"
        if self._last:
            self._message(self._chunks, "BDAT")
        else:
            self._say(b"250 2.0.0 chunk\r\n")
        return True

    def _message(self, octets: bytes, by: str) -> None:
        answer = self._remote.answers.get("end", b"250 2.0.0 taken\r\n")
        answer = answer(octets) if callable(answer) else answer
        if answer.startswith(b"2"):
            received = Received(self._mail, self._recipients, octets, self._secure, by)
            self._remote.messages.append(received)
        self._reset()
        self._say(answer)

    def _command(self, line: bytes) -> None:
        if self._login:
            return self._continue_login(line)
        verb = line.split(b" ")[0].split(b":")[0].upper().decode("ascii", "replace")
        usual = getattr(self, f"_do_{verb.lower()}", None)
        if verb in self._remote.answers:
            return self._answer(verb, line, b"")
        if usual is None:
            return self._say(b"500 5.5.1 What?\r\n")
        usual(line)
        return None

    def _answer(self, verb: str, line: bytes, usual: bytes) -> None:
        answer = self._remote.answers.get(verb, usual)
        answer = answer(line) if callable(answer) else answer
        if answer == b"<usual>":
            getattr(self, f"_do_{verb.lower()}")(line)
        else:
            self._say(answer)

    def _say(self, octets: bytes) -> None:
        if octets == HANG:
            return
        if octets == CLOSE:
            self.transport.loseConnection()
        elif octets == ABORT:
            self.transport.abortConnection()
        elif octets.endswith(CLOSE):
            self.transport.write(octets.removesuffix(CLOSE))
            self.transport.loseConnection()
        else:
            self.transport.write(octets)

    def _do_ehlo(self, line: bytes) -> None:
        words = [word for word in self._remote.extensions if not (self._secure and word == "STARTTLS")]
        words += self._remote.secure_extensions if self._secure else ()
        lines = [self._remote.name, *words]
        self._say("".join(f"250{' ' if one is lines[-1] else '-'}{one}\r\n" for one in lines).encode())

    def _do_helo(self, line: bytes) -> None:
        self._say(f"250 {self._remote.name}\r\n".encode())

    def _do_starttls(self, line: bytes) -> None:
        self.transport.write(b"220 2.0.0 go\r\n" + self._remote.behind_starttls)
        self._start_tls()

    def _do_auth(self, line: bytes) -> None:
        if line.upper() == b"AUTH LOGIN":
            self._login = [line]
            return self._say(b"334 VXNlcm5hbWU6\r\n")
        return self._say(b"235 2.7.0 in\r\n")

    def _continue_login(self, line: bytes) -> None:
        self._login.append(base64.b64decode(line))
        if len(self._login) == 2:
            return self._say(b"334 UGFzc3dvcmQ6\r\n")
        self._login = []
        return self._say(b"235 2.7.0 in\r\n")

    def _do_mail(self, line: bytes) -> None:
        self._mail = line
        self._say(b"250 2.1.0 ok\r\n")

    def _do_rcpt(self, line: bytes) -> None:
        self._recipients.append(line)
        self._say(b"250 2.1.5 ok\r\n")

    def _do_data(self, line: bytes) -> None:
        self._mode = "data"
        self._say(b"354 go\r\n")

    def _do_bdat(self, line: bytes) -> None:
        words = line.split()
        self._wanted, self._last = int(words[1]), words[-1].upper() == b"LAST"
        self._mode = "chunk"

    def _do_rset(self, line: bytes) -> None:
        self._reset()
        self._say(b"250 2.0.0 reset\r\n")

    def _do_noop(self, line: bytes) -> None:
        self._say(b"250 2.0.0 ok\r\n")

    def _do_quit(self, line: bytes) -> None:
        self._say(b"221 2.0.0 bye\r\n" + CLOSE)


def server_context(certificate: str, key: str) -> SSL.Context:
    """A server's TLS from PEM files."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate_chain_file(certificate)
    context.use_privatekey_file(key)
    return context
