"""
Command lines out of a stream of octets.

Lines are pulled one at a time, because what follows a line depends on its answer: after C{DATA} the next
octets are a message when the answer was 354, and more commands when it was not; after C{STARTTLS} they must
be dropped. Only CRLF ends a line (RFC 5321 §2.3.8): a line feed alone is an octet of the line, which no
command allows.
"""

from __future__ import annotations

from trekd.errors import LimitExceeded

COMMAND_LIMIT = 2048
"""
Octets of a command line with its CRLF: the 512 of RFC 5321 §4.5.3.1.4 and what extensions add to MAIL and
RCPT (26 SIZE, 17 BODY, 500 AUTH, 500 DSN, 10 SMTPUTF8).
"""

AUTH_LIMIT = 12288
"""Octets of a line of an authentication exchange with its CRLF (RFC 4954 §4)."""


class CommandReader:
    """
    Cuts the octets of a client into command lines, in bounded memory and linear time.

    @ivar limit: longest line in octets with its CRLF; may be changed between two lines.
    @ivar fatal: the client sent C{swallow} octets without a line end; no line comes any more.
    """

    def __init__(self, limit: int = COMMAND_LIMIT, swallow: int = 65536) -> None:
        """
        @param swallow: octets of an over-long line that are skipped before the reader gives up.
        """
        self.limit = limit
        self.fatal = False
        self._swallow = swallow
        self._buffer = bytearray()
        self._searched = 0
        self._skipped = 0

    @property
    def pending(self) -> int:
        """Octets received and not yet pulled."""
        return len(self._buffer)

    def feed(self, octets: bytes) -> None:
        """Take what the client sent."""
        if not self.fatal:
            self._buffer += octets

    def next_line(self) -> bytes | None:
        """
        Pull the next line.

        @return: the line without its CRLF, C{None} when its end has not arrived.
        @raise LimitExceeded: the line was too long; it is skipped up to its CRLF (or, when L{fatal}, not
            found to end).
        """
        end = self._buffer.find(b"\r\n", self._searched)
        if end < 0:
            self._wait()
            return None
        length = self._skipped + end + 2
        line = bytes(self._buffer[:end]) if length <= self.limit else b""
        del self._buffer[: end + 2]
        self._searched = self._skipped = 0
        if length > self.limit:
            raise LimitExceeded("line", self.limit)
        return line

    def _wait(self) -> None:
        """Keep of an unfinished line what can still become a command, and give up where there is no end."""
        size = len(self._buffer)
        if self._skipped + size > self.limit:
            tail = 1 if self._buffer.endswith(b"\r") else 0
            self._skipped += size - tail
            del self._buffer[: size - tail]
        self._searched = max(0, len(self._buffer) - 1)
        if self._skipped > self._swallow and not self.fatal:
            self.fatal = True
            self._buffer.clear()
            self._searched = 0
            raise LimitExceeded("line", self.limit)

    def take_rest(self) -> bytes:
        """
        Hand over, and forget, everything after the last line: the reader of what follows gets it, or nobody.
        """
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._searched = self._skipped = 0
        return rest
