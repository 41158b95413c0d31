"""
Replies to octets (RFC 5321 §4.2, RFC 2034 §4).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_UNFIT = re.compile(r"[^\x20-\x7e\u00a1-\U0010ffff]")
_TEXT_OCTETS = 490


@dataclass(frozen=True, slots=True)
class Reply:
    """
    One reply, of one line or several.

    @ivar reply_code: 200 to 599.
    @ivar enhanced_code: C{class.subject.detail} (RFC 3463), C{None} where there is none (greeting, EHLO,
        3yz).
    @ivar lines: text, at least one line; what cannot stand in a reply line becomes C{?}.
    """

    reply_code: int
    enhanced_code: str | None
    lines: tuple[str, ...]

    @property
    def is_error(self) -> bool:
        """Whether the request was refused, for now or for good."""
        return self.reply_code >= 400

    def wire(self) -> bytes:
        """
        The octets, each line within the 512 of RFC 5321 §4.5.3.1.5 and with the enhanced code (RFC 2034 §4).
        """
        prefix = f"{self.enhanced_code} " if self.enhanced_code else ""
        texts = [self._line(prefix + _UNFIT.sub("?", line)) for line in self.lines]
        parts = [b"%d-%s\r\n" % (self.reply_code, text) for text in texts[:-1]]
        return b"".join([*parts, b"%d %s\r\n" % (self.reply_code, texts[-1])])

    @staticmethod
    def _line(text: str) -> bytes:
        return text.encode()[:_TEXT_OCTETS].decode(errors="ignore").encode()


def reply(reply_code: int, enhanced_code: str | None, *lines: str) -> Reply:
    """Make a reply of one or several lines."""
    return Reply(reply_code, enhanced_code, lines)
