"""
ID (RFC 2971).
"""

from __future__ import annotations

from trekd.imap.grammar.commands import Id
from trekd.imap.session import Session

_SHOWN = ("name", "version")
_LONGEST = 100


def identify(session: Session, command: Id) -> bytes:
    """Remember who the client says it is, and say who we are, without version."""
    told = {name.lower(): value for name, value in command.parameters if value}
    words = " ".join(told[name] for name in _SHOWN if name in told)
    session.client = "".join(character for character in words if character.isprintable())[:_LONGEST]
    session.wire.write(b'* ID ("name" "TrekMail")\r\n')
    return b"OK ID completed"
