"""
The first step of reading: lines and literals, meaning later (STYLE §5).

A command is cut into fragments: line pieces at even places, the literals between them at odd ones, the
announcements of the literals removed.  What is malformed or too large is swallowed exactly, so that none of
its octets runs as the next command.

Octets go in with L{CommandReader.feed}; events are pulled one at a time with L{CommandReader.next_event}, in
the order of the octets.  A session pulls only when it is ready for the next command, so that pipelined input
waits here, and stops reading from its peer while L{CommandReader.is_full}.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from trekd.errors import LimitExceeded, MessageTooLarge, TrekError

_LITERAL = re.compile(rb"\{([0-9]{1,32})(\+?)\}\Z")
"""literal = "{" number ["+"] "}" CRLF *CHAR8 (RFC 7888 §8); literal8 has "~" before it (RFC 4466 §3)."""
_MARKER_ROOM = 40

_APPEND = re.compile(rb"[^ ]+ (?:APPEND|(?:UID )?REPLACE [^ ]+) ", re.IGNORECASE)

_TAG = re.compile(rb'([!#$&\',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+)(?: |\Z)')
"""tag = 1*<any ASTRING-CHAR except "+">"""

_NUMBER_MAX = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class ReaderLimits:
    """
    What one command may take, in octets unless said otherwise.

    @ivar max_line: all that is no literal in one command, line ends not counted.
    @ivar max_literal: all literals of one command together, APPEND's messages excepted.
    @ivar max_literals: number of literals of one command, APPEND's messages excepted.
    @ivar max_append: one message.
    """

    max_line: int = 65_536
    max_literal: int = 65_536
    max_literals: int = 500
    max_append: int = 52_428_800


@dataclass(frozen=True, slots=True)
class CommandOctets:
    """A complete command; line pieces at even places, literals at odd ones."""

    fragments: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class LiteralRequested:
    """
    The client waits for a continuation request before it sends a literal: write one and call
    L{CommandReader.accept_literal}, or answer the command and call L{CommandReader.refuse_literal}.
    """

    tag: bytes
    size: int


@dataclass(frozen=True, slots=True)
class MessageOffered:
    """
    A message of APPEND comes next: call L{CommandReader.accept_literal}, after a continuation request when
    C{synchronising}, or answer the command and call L{CommandReader.refuse_literal}.

    @ivar fragments: all of the command before the literal; for the second and later messages of one
        APPEND only what stands between the two literals.
    @ivar size: octets of the message, at most C{max_append}.
    """

    fragments: tuple[bytes, ...]
    size: int
    synchronising: bool


@dataclass(frozen=True, slots=True)
class MessageChunk:
    """Some octets of the message accepted, never empty."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class MessageEnded:
    """The whole message has been delivered; another L{MessageOffered} or L{AppendEnded} follows."""


@dataclass(frozen=True, slots=True)
class AppendEnded:
    """
    The end of an APPEND whose messages were all accepted.

    @ivar rest: what stood after the last literal; see L{trekd.imap.grammar.append.parse_append_end}.
    """

    rest: bytes


@dataclass(frozen=True, slots=True)
class ContinuationLine:
    """The line that L{CommandReader.expect_line} asked for, without its end."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class CommandRefused:
    """
    A command, or the APPEND under way, broke a limit; nothing more of it is delivered.

    @ivar tag: C{b"*"} when it has none that can be read.
    @ivar fault: L{LimitExceeded} or L{MessageTooLarge}.
    @ivar fatal: more octets are announced than can be swallowed; no event follows, say C{BYE} and close.
    """

    tag: bytes
    fault: TrekError
    fatal: bool = False


Event: TypeAlias = (
    CommandOctets
    | LiteralRequested
    | MessageOffered
    | MessageChunk
    | MessageEnded
    | AppendEnded
    | ContinuationLine
    | CommandRefused
)


def command_tag(fragments: tuple[bytes, ...]) -> bytes:
    """The tag that starts a command, C{b"*"} when it is none: what the answer to it bears."""
    found = _TAG.match(fragments[0]) if fragments else None
    return found[1] if found else b"*"


class CommandReader:
    """
    Cuts a client's octets into events.

    Memory is bounded by C{max_line} and C{max_literal} and by what is fed while L{is_full}; time is linear in
    what is fed, however it is split.

    @ivar limits: may be replaced between commands, as when the client has logged in; the next one obeys them.
    """

    __slots__ = (
        "_buffer", "_fragments", "_literal", "_literal_octets", "_missing", "_scanned", "_step", "_streaming",
        "_synchronising", "_tag", "_used", "limits",
    )  # fmt: skip

    _step: Callable[[CommandReader], Event | None]

    def __init__(self, limits: ReaderLimits) -> None:
        self.limits = limits
        self._buffer = bytearray()
        self._literal = bytearray()
        self._scanned = 0
        self._start_command()

    # --- What a session calls ------------------------------

    @property
    def is_full(self) -> bool:
        """Whether enough is buffered for at least one event, so that the peer should wait."""
        return len(self._buffer) > self.limits.max_line + 1

    def feed(self, octets: bytes) -> None:
        """Take octets from the peer."""
        self._buffer += octets

    def next_event(self) -> Event | None:
        """
        What comes next in the octets fed.

        @return: C{None} when more octets, or a decision about the literal offered, must come first.
        """
        while True:
            step = self._step
            event = step(self)
            if event is not None or self._step is step:
                return event

    def accept_literal(self) -> None:
        """Take the literal that was requested or offered."""
        self._step = CommandReader._read_message if self._streaming else CommandReader._read_literal

    def refuse_literal(self) -> None:
        """Swallow what comes of the command that requested or offered a literal (RFC 7888 §4)."""
        self._discard(self._synchronising)

    def abandon_append(self) -> None:
        """Swallow what is left of an APPEND, wherever it is; nothing when it has ended."""
        if self._step is CommandReader._await_decision:
            self.refuse_literal()
        elif self._step is CommandReader._read_message:
            self._discard(synchronising=False)
        elif self._streaming:
            self._scanned = 0
            self._step = CommandReader._swallow_line

    def expect_line(self) -> None:
        """Deliver the next line as L{ContinuationLine}: a SASL response, or the end of IDLE."""
        self._step = CommandReader._read_continuation

    def take_rest(self) -> int:
        """
        Forget all that is buffered, as STARTTLS demands (RFC 3501 §6.2.1), and start afresh.

        @return: how many octets were dropped.
        """
        dropped = len(self._buffer)
        self._buffer.clear()
        self._scanned = 0
        self._start_command()
        return dropped

    # --- Steps: each makes one event, or changes C{_step}, or needs more octets -------------------

    def _read_line(self) -> Event | None:
        line = self._take_line(self.limits.max_line - self._used)
        if line is None:
            return None
        if isinstance(line, LimitExceeded):
            return self._refuse_line(line)
        found = _LITERAL.search(line) if line.endswith(b"}") else None
        if found:
            return self._announced(line[: found.start()], int(found[1]), not found[2])
        if self._streaming:
            self._start_command()
            return AppendEnded(line)
        fragments = (*self._fragments, line)
        self._start_command()
        return CommandOctets(fragments)

    def _read_continuation(self) -> Event | None:
        line = self._take_line(self.limits.max_line)
        if line is None:
            return None
        if isinstance(line, LimitExceeded):
            return self._refuse_line(line)
        self._start_command()
        return ContinuationLine(line)

    def _read_literal(self) -> Event | None:
        taken = self._take(self._missing)
        self._literal += taken
        self._missing -= len(taken)
        if not self._missing:
            self._fragments.append(bytes(self._literal))
            self._literal.clear()
            self._step = CommandReader._read_line
        return None

    def _read_message(self) -> Event | None:
        if not self._missing:
            self._step = CommandReader._read_line
            return MessageEnded()
        taken = self._take(self._missing)
        self._missing -= len(taken)
        return MessageChunk(taken) if taken else None

    def _await_decision(self) -> None:
        """Nothing until the session has accepted or refused the literal."""

    def _swallow_literal(self) -> None:
        swallowed = min(self._missing, len(self._buffer))
        del self._buffer[:swallowed]
        self._missing -= swallowed
        if not self._missing:
            self._scanned = 0
            self._step = CommandReader._swallow_line

    def _swallow_line(self) -> Event | None:
        end = self._buffer.find(b"\n", self._scanned)
        if end < 0:
            # What may turn out to be the start of a literal's announcement stays.
            del self._buffer[:-_MARKER_ROOM]
            self._scanned = len(self._buffer)
            return None
        tail = bytes(self._buffer[max(end - _MARKER_ROOM, 0) : end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        self._scanned = 0
        found = _LITERAL.search(tail)
        self._start_command()
        if found and found[2]:
            self._missing = int(found[1])
            self._step = CommandReader._swallow_literal
            if self._missing > _NUMBER_MAX:
                self._step = CommandReader._swallow_all
                return CommandRefused(b"*", LimitExceeded("literal"), fatal=True)
        return None

    def _swallow_all(self) -> None:
        self._buffer.clear()

    # --- What the steps share ------------------------------

    def _start_command(self) -> None:
        self._fragments: list[bytes] = []
        self._tag = b""
        self._used = 0
        self._literal_octets = 0
        self._literal.clear()
        self._missing = 0
        self._streaming = False
        self._synchronising = False
        self._step = CommandReader._read_line

    def _take_line(self, room: int) -> bytes | LimitExceeded | None:
        """The next line without its end (CRLF, or LF alone), a fault when it is longer than C{room}."""
        buffer = self._buffer
        end = buffer.find(b"\n", self._scanned)
        if (len(buffer) if end < 0 else end) > room + 1:
            return LimitExceeded("line", room)
        if end < 0:
            self._scanned = len(buffer)
            return None
        line = bytes(buffer[:end])
        del buffer[: end + 1]
        self._scanned = 0
        return line[:-1] if line.endswith(b"\r") else line

    def _take(self, wanted: int) -> bytes:
        if wanted >= len(self._buffer):
            taken = bytes(self._buffer)
            self._buffer.clear()
        else:
            taken = bytes(self._buffer[:wanted])
            del self._buffer[:wanted]
        return taken

    def _announced(self, piece: bytes, size: int, synchronising: bool) -> Event | None:
        """A line piece ended with the announcement of a literal."""
        self._used += len(piece)
        self._fragments.append(piece)
        self._missing = size
        self._synchronising = synchronising
        if not self._tag:
            self._tag = command_tag((piece,))
        if self._streaming or self._is_message():
            return self._offer_message()
        self._literal_octets += size
        if self._literal_octets > self.limits.max_literal:
            return self._refuse(LimitExceeded("literal"))
        if len(self._fragments) > 2 * self.limits.max_literals:
            return self._refuse(LimitExceeded("number of literals"))
        self._step = CommandReader._await_decision if synchronising else CommandReader._read_literal
        return LiteralRequested(self._tag, size) if synchronising else None

    def _is_message(self) -> bool:
        """Whether the literal announced is APPEND's message, not the mailbox's name."""
        found = _APPEND.match(self._fragments[0])
        return found is not None and (len(self._fragments) > 1 or found.end() < len(self._fragments[0]))

    def _offer_message(self) -> Event:
        if self._missing > self.limits.max_append:
            return self._refuse(MessageTooLarge(self.limits.max_append))
        event = MessageOffered(tuple(self._fragments), self._missing, self._synchronising)
        self._fragments = []
        self._used = 0
        self._streaming = True
        self._step = CommandReader._await_decision
        return event

    def _refuse_line(self, fault: LimitExceeded) -> CommandRefused:
        """The line at hand is too long: swallow it and what belongs to it."""
        if self._step is CommandReader._read_continuation:
            tag = b"*"
        else:
            tag = self._tag or command_tag((bytes(self._buffer[: self.limits.max_line]),))
        self._scanned = 0
        self._step = CommandReader._swallow_line
        return CommandRefused(tag, fault)

    def _refuse(self, fault: TrekError) -> CommandRefused:
        event = CommandRefused(self._tag, fault, not self._synchronising and self._missing > _NUMBER_MAX)
        self._discard(self._synchronising)
        if event.fatal:
            self._step = CommandReader._swallow_all
        return event

    def _discard(self, synchronising: bool) -> None:
        missing = self._missing
        self._start_command()
        if not synchronising:
            self._missing = missing
            self._step = CommandReader._swallow_literal
