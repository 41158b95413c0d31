"""
Plays golden transcripts against a Twisted protocol, in memory (STYLE §9).

A transcript is a header of C{name: value} lines, a blank line, then steps:

 - C{C: text} the client sends the text and CRLF;
 - C{C- text} the client sends the octets as written, with Python's escapes, and no line end of its own;
 - C{S: text} the server's next line is this one: C{$name} stands for a word that is kept and must be the same
   wherever it comes again, C{*} at the end of the line for anything;
 - C{S.} the server has nothing more to say now;
 - C{X.} the server has said everything and closed the connection;
 - C{T: seconds} time passes;
 - C{# text} a remark.

A digit before the sign picks another connection: C{2C: NOOP}.  C{$name} in a client's line is filled in.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

_STEP = re.compile(r"(?P<connection>[0-9]?)(?P<kind>C:|C-|S:|S\.|X\.|T:)(?: (?P<text>.*))?")
_WORD = r"[^\s()\[\]<>]+"


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a transcript."""

    number: int
    connection: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """A file of steps with its header."""

    name: str
    header: dict[str, str]
    steps: tuple[Step, ...]


class Connectable(Protocol):
    """The part of a Twisted factory that is needed here."""

    def buildProtocol(self, addr: Any) -> Any: ...


def load(path: Path) -> Transcript:
    """Read a transcript file."""
    header: dict[str, str] = {}
    steps: list[Step] = []
    in_header = True
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        match = _STEP.fullmatch(line)
        if match is not None:
            in_header = False
            steps.append(Step(number, match["connection"] or "1", match["kind"], match["text"] or ""))
        elif in_header and ":" in line and not line.startswith("#"):
            name, _, value = line.partition(":")
            header[name.strip()] = value.partition("  #")[0].strip()
        elif line.strip() and not line.startswith("#"):
            raise ValueError(f"{path.name}:{number}: not a step: {line}")
    return Transcript(path.name, header, tuple(steps))


class MemoryTransport(StringTransport):
    """A transport that delivers the end of a connection and knows of STARTTLS."""

    tls_started = False
    no_delay = False

    def startTLS(self, context: object) -> None:
        """Octets stay as they are: it is the protocol that is looked at."""
        self.tls_started = True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """As asked."""
        self.no_delay = enabled

    def loseConnection(self) -> None:
        """Close, after what was written."""
        if not self.disconnecting:
            self.disconnecting = True
            if self.protocol is not None:
                self.protocol.connectionLost(Failure(ConnectionDone()))

    def abortConnection(self) -> None:
        """Close now."""
        self.loseConnection()


class Wire:
    """One client connected to a protocol in memory."""

    def __init__(self, factory: Connectable) -> None:
        self.transport = MemoryTransport()
        self.protocol = factory.buildProtocol(None)
        self.transport.protocol = self.protocol
        self.protocol.makeConnection(self.transport)
        self._unread = b""

    @property
    def closed(self) -> bool:
        """Whether the server closed the connection."""
        return bool(self.transport.disconnecting)

    def send(self, octets: bytes) -> None:
        """The client sends octets, in one piece."""
        if not self.closed:
            self.protocol.dataReceived(octets)

    def pending(self) -> bytes:
        """What the server said and nobody read."""
        self._unread += self.transport.value()
        self.transport.clear()
        return self._unread

    def read(self) -> bytes:
        """Read all that the server said."""
        octets, self._unread = self.pending(), b""
        return octets

    def read_line(self) -> bytes | None:
        """Read the server's next line without its CRLF, C{None} when there is none."""
        line, found, rest = self.pending().partition(b"\r\n")
        if not found:
            return None
        self._unread = rest
        return line

    def vanish(self) -> None:
        """The client is gone."""
        self.transport.loseConnection()


def play(transcript: Transcript, factory: Connectable, advance: Callable[[float], None]) -> None:
    """
    Run a transcript; in the end the clients vanish.

    @param advance: lets seconds pass.
    @raise AssertionError: the server said something else; names file and line.
    """
    wires: dict[str, Wire] = {}
    words: dict[str, str] = {}
    for step in transcript.steps:
        place = f"{transcript.name}:{step.number}"
        if step.kind == "T:":
            advance(float(step.text))
            continue
        wire = wires.get(step.connection)
        if wire is None:
            wire = wires[step.connection] = Wire(factory)
        _take(step, wire, words, place)
    for wire in wires.values():
        wire.vanish()


def _take(step: Step, wire: Wire, words: dict[str, str], place: str) -> None:
    if step.kind in ("C:", "C-"):
        text = re.sub(r"\$([a-z]+)", lambda match: words.get(match[1], match[0]), step.text)
        wire.send(text.encode() + b"\r\n" if step.kind == "C:" else codecs.escape_decode(text.encode())[0])
    elif step.kind == "S:":
        _expect(step.text, wire.read_line(), words, place)
    else:
        assert wire.pending() == b"", f"{place}: the server also said {wire.pending()!r}"
        assert wire.closed == (step.kind == "X."), f"{place}: the connection is {'closed' if wire.closed else 'open'}"


def _expect(expected: str, line: bytes | None, words: dict[str, str], place: str) -> None:
    assert line is not None, f"{place}: the server said nothing, expected {expected!r}"
    text = line.decode("utf-8", "backslashreplace")
    match = re.fullmatch(_pattern(expected, words), text)
    assert match is not None, f"{place}: expected {expected!r}, got {text!r}"
    words.update(match.groupdict())


def _pattern(expected: str, words: dict[str, str]) -> str:
    """A regular expression for one line."""
    body, rest = (expected[:-1], ".*") if expected.endswith("*") else (expected, "")
    parts = []
    for literal, name in re.findall(r"([^$]+|\$(?![a-z]))|\$([a-z]+)", body):
        if literal:
            parts.append(re.escape(literal))
        elif name in words:
            parts.append(re.escape(words[name]))
        else:
            parts.append(f"(?P<{name}>{_WORD})")
    return "".join(parts) + rest
