"""
Replies of other servers out of a stream of octets (RFC 5321 §4.2), in bounded memory and linear time.

Replies are pulled one at a time, so that what came in clear behind the reply to STARTTLS can be dropped
(RFC 3207 §4.2).  What a server says is untrusted: its text is kept as printable ASCII only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from trekd.errors import LimitExceeded, SyntaxFault

MAX_LINE = 4096
"""Octets of a reply line with its end; RFC 5321 §4.5.3.1.5 asks for 512."""

MAX_REPLY = 65536
"""Octets of a whole reply; an EHLO reply of today has about 500."""

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?= |\Z)")
_UNFIT = re.compile(r"[^ -~]")
_SHOWN = 400


@dataclass(frozen=True, slots=True)
class RemoteReply:
    """
    One reply.

    @ivar reply_code: 200 to 599.
    @ivar lines: texts without code, printable ASCII, at least one.
    """

    reply_code: int
    lines: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether the command was done (2yz)."""
        return 200 <= self.reply_code < 300

    @property
    def is_permanent(self) -> bool:
        """Whether the command will be refused again (5yz)."""
        return self.reply_code >= 500

    @property
    def status(self) -> str:
        """Enhanced status code (RFC 3463 §2, RFC 2034 §4); C{X.0.0} when the server gave none that fits."""
        found = _ENHANCED.match(self.lines[0])
        if found is not None and found[1] == str(self.reply_code)[0]:
            return found[0]
        return f"{str(self.reply_code)[0]}.0.0"

    @property
    def text(self) -> str:
        """Code and text in one line, not too long, for logs and notices."""
        prefix = f"{self.status} "
        rest = [line.removeprefix(prefix) for line in self.lines[1:]]
        whole = " ".join(filter(None, (str(self.reply_code), self.lines[0].strip(), *map(str.strip, rest))))
        return whole if len(whole) <= _SHOWN else whole[: _SHOWN - 3] + "..."


class ReplyReader:
    """
    Cuts the octets of a server into replies.

    A line ends with LF, and a CR before it is not text: servers that send bare line feeds exist, and no reply means
    something else for it.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._lines: list[str] = []
        self._code = b""
        self._size = 0

    @property
    def pending(self) -> int:
        """Octets received and not yet pulled, those of an unfinished reply included."""
        return len(self._buffer) + self._size

    def feed(self, octets: bytes) -> None:
        """Take what the server sent."""
        self._buffer += octets

    def clear(self) -> None:
        """Forget everything received."""
        self._buffer.clear()
        self._searched = 0
        self._begin()

    def next_reply(self) -> RemoteReply | None:
        """
        Pull the next reply.

        @return: C{None} when its end has not arrived.
        @raise SyntaxFault: that is no reply; nothing after it can be understood.
        @raise LimitExceeded: it is too long.
        """
        while (end := self._buffer.find(b"\n", self._searched)) >= 0:
            if end >= MAX_LINE:
                raise LimitExceeded("Reply-line", MAX_LINE)
            line = bytes(self._buffer[:end]).removesuffix(b"\r")
            del self._buffer[: end + 1]
            self._searched = 0
            self._size += end + 1
            if self._size > MAX_REPLY:
                raise LimitExceeded("Reply-line", MAX_REPLY)
            if self._take(line):
                reply = RemoteReply(int(self._code), tuple(self._lines))
                self._begin()
                return reply
        self._searched = len(self._buffer)
        if self._searched >= MAX_LINE:
            raise LimitExceeded("Reply-line", MAX_LINE)
        return None

    def _take(self, line: bytes) -> bool:
        """
        C{Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF} (RFC 5321 §4.2).

        @return: whether it was the reply's last line.
        """
        found = _LINE.fullmatch(line)
        if found is None or self._code not in (b"", found[1]):
            raise SyntaxFault("Reply-line", self._size)
        self._code = found[1]
        self._lines.append(_UNFIT.sub("?", (found[3] or b"").decode("ascii", "replace")))
        return found[2] != b"-"

    def _begin(self) -> None:
        self._lines, self._code, self._size = [], b"", 0
