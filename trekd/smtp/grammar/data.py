"""
Message octets out of DATA and BDAT.

What comes out is the message as it will be stored: complete lines that end in CRLF, no dot-stuffing, no bare
CR, no bare LF, no NUL.  A message that breaks one of these rules (or a limit) is refused: the reader notes
the first fault, hands out nothing more, and goes on to the true end of the data, so that no octet of a
message is ever read as a command, whatever sequence another server would take for an end of data.

Mail of other servers gets one kindness: a bare LF becomes CRLF, unless a line with nothing but a dot is near,
which somebody might take for the end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from trekd.errors import LimitExceeded, MessageTooLarge, SyntaxFault

END = b"\r\n.\r\n"
_ENDS = tuple(END[:length] for length in range(4, 0, -1))


@dataclass(frozen=True, slots=True)
class MessageLimits:
    """
    What one message may be.

    @ivar octets: size of the message without dot-stuffing.
    @ivar line: octets of one line without its CRLF.  RFC 5321 §4.5.3.1.6 asks for 998 at least; mail in the
        wild has longer lines, and clients expect them to pass.
    @ivar mend: a bare LF becomes CRLF instead of a fault.
    """

    octets: int = 50 * 1024 * 1024
    line: int = 65536
    mend: bool = False


_LONE_DOT = re.compile(rb"(?<!\r)\n\.\r?\n|\n\.\n")
"""A dot alone on a line of which at least one end is a bare LF; CRLF on both sides is the end of data itself."""


class LoneDots:
    """
    Looks for lines with nothing but a dot in octets as they were sent, across any split.
    """

    def __init__(self) -> None:
        self._tail = b""

    def found_in(self, octets: bytes) -> bool:
        """Whether the octets so far have such a line that these ones complete."""
        seen, start = self._tail + octets, len(self._tail) // 4
        self._tail = seen[-4:]
        # A match at the very start of four old octets is an old one, and whether a CR came before it is forgotten.
        return (b"\n.\n" in seen or b"\n.\r\n" in seen) and _LONE_DOT.search(seen, start) is not None


class MessageCheck:
    """
    The rules for the octets of one message, whichever command carries them.

    @ivar fault: the first rule that was broken, C{None} while none was.
    @ivar size: octets admitted so far.
    """

    def __init__(self, limits: MessageLimits) -> None:
        self.fault: SyntaxFault | MessageTooLarge | None = None
        self.size = 0
        self._limits = limits
        self._line = 0
        self._lone_dots = LoneDots() if limits.mend else None

    def take(self, octets: bytes, raw: bytes) -> list[bytes]:
        """
        Check the next octets of a client, and mend them where that is allowed.

        @param octets: never end between a CR and its LF.
        @param raw: the same as they were sent, before dot-stuffing was undone.
        @return: what of them may be stored.
        """
        if self.fault is None and self._lone_dots is not None:
            octets = self._mended(octets, raw)
        return [octets] if self.admit(octets) and octets else []

    def admit(self, octets: bytes) -> bool:
        """
        Check the next octets.

        @param octets: never end between a CR and its LF.
        @return: whether they may be stored.
        """
        if self.fault is None:
            self.fault = self._judge(octets)
            self.size += len(octets)
        return self.fault is None

    def _mended(self, octets: bytes, raw: bytes) -> bytes:
        """The octets with CRLF for each bare LF; notes a fault where that could make or hide an end of data."""
        if self._lone_dots is not None and self._lone_dots.found_in(raw):
            self.fault = SyntaxFault("CRLF around a dot", self.size)
        elif octets.count(b"\n") > octets.count(b"\r\n") and octets.count(b"\r") == octets.count(b"\r\n"):
            return octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        return octets

    def _judge(self, octets: bytes) -> SyntaxFault | MessageTooLarge | None:
        pairs = octets.count(b"\r\n")
        if octets.count(b"\r") != pairs:
            return SyntaxFault("CRLF after every line, no bare CR", self.size)
        if octets.count(b"\n") != pairs:
            return SyntaxFault("CRLF after every line, no bare LF", self.size)
        if b"\0" in octets:
            return SyntaxFault("text without NUL", self.size + octets.find(b"\0"))
        if self.size + len(octets) > self._limits.octets:
            return MessageTooLarge(self._limits.octets)
        if self._has_long_line(octets):
            return LimitExceeded("line", self._limits.line)
        return None

    def _has_long_line(self, octets: bytes) -> bool:
        """Hop from line end to line end, each hop as far as the longest line reaches."""
        start, limit = 0, self._limits.line
        room = limit - self._line
        while len(octets) - start > room:
            end = octets.rfind(b"\r\n", start, start + room + 2)
            if end < 0:
                return True
            start, room, self._line = end + 2, limit, 0
        last = octets.rfind(b"\r\n", start)
        self._line = len(octets) - last - 2 if last >= 0 else self._line + len(octets) - start
        return False


class DataReader:
    """
    The data after C{DATA} (RFC 5321 §4.1.1.4, §4.5.2).

    Only CRLF.CRLF ends it; the CRLF before the dot is the message's own last one, or the one that ended the
    DATA command.  Any split of the octets gives the same message.

    @ivar done: the end was found.
    @ivar rest: what followed the end: commands.
    """

    def __init__(self, limits: MessageLimits) -> None:
        self.done = False
        self.rest = b""
        self._check = MessageCheck(limits)
        self._held = b"\r\n"
        self._phantom = 2

    @property
    def fault(self) -> SyntaxFault | MessageTooLarge | None:
        """The first rule that the message broke."""
        return self._check.fault

    @property
    def size(self) -> int:
        """Octets of the message so far."""
        return self._check.size

    def feed(self, octets: bytes) -> list[bytes]:
        """
        Take what the client sent; after L{done} nothing may be fed.

        @return: the message's next octets, none after a fault.
        """
        octets = self._held + octets
        end = octets.find(END)
        if end >= 0:
            self.done = True
            self.rest = octets[end + len(END) :]
            body, self._held = octets[: end + 2], b""
        else:
            self._held = next(filter(octets.endswith, _ENDS), b"")
            body = octets[: len(octets) - len(self._held)]
        return self._emit(body)

    def _emit(self, body: bytes) -> list[bytes]:
        """
        Undo the dot-stuffing of octets that surely belong to the message.

        They begin at the start of a line only with its CRLF in front, since an unfinished END is held back as
        a whole.
        """
        raw = body
        if b"\r\n." in body:
            body = body.replace(b"\r\n.", b"\r\n")
        if body and self._phantom:
            body, self._phantom = body[2:], 0
        return self._check.take(body, raw) if raw else []


class ChunkReader:
    """
    The chunks of one message sent with C{BDAT} (RFC 3030 §2).

    @ivar done: the chunk that L{expect} announced is complete.
    @ivar rest: what followed the chunk: commands.
    """

    def __init__(self, limits: MessageLimits) -> None:
        self.done = True
        self.rest = b""
        self._check = MessageCheck(limits)
        self._left = 0
        self._held = b""
        self._ends_line = True

    @property
    def fault(self) -> SyntaxFault | MessageTooLarge | None:
        """The first rule that the message broke."""
        return self._check.fault

    @property
    def size(self) -> int:
        """Octets of the message so far."""
        return self._check.size

    def expect(self, size: int) -> None:
        """The next C{size} octets are a chunk."""
        self._left = size
        self.done = size == 0
        self.rest = b""

    def feed(self, octets: bytes) -> list[bytes]:
        """
        Take what the client sent; after L{done} nothing may be fed until the next L{expect}.

        @return: the message's next octets, none after a fault.
        """
        chunk, self.rest = octets[: self._left], octets[self._left :]
        self._left -= len(chunk)
        self.done = not self._left
        chunk = self._held + chunk
        self._held = b"\r" if chunk.endswith(b"\r") else b""
        return self._emit(chunk[: len(chunk) - len(self._held)])

    def finish(self) -> list[bytes]:
        """
        The last chunk is complete.

        @return: what is missing for the message to end in CRLF, which a chunk need not do.
        """
        left, self._held = self._held, b""
        if left:
            return self._emit(left)
        return [] if self._ends_line else self._emit(b"\r\n")

    def _emit(self, body: bytes) -> list[bytes]:
        if body:
            self._ends_line = body.endswith(b"\n")
        return self._check.take(body, body) if body else []
