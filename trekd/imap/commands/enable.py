"""
ENABLE (RFC 5161).
"""

from __future__ import annotations

from trekd.imap.grammar.commands import Enable
from trekd.imap.session import Session


def enable(session: Session, command: Enable) -> bytes:
    """
    Say what was turned on; clients treat the response as owed, also when it names nothing (RFC 5161 §3.2).
    """
    enabled = [name.encode("ascii") for name in command.capabilities if session.enable(name)]
    session.wire.write(b" ".join([b"* ENABLED", *enabled]) + b"\r\n")
    return b"OK ENABLE completed"
