"""
LOGOUT (RFC 3501 §6.1.3).
"""

from __future__ import annotations

from trekd.imap.grammar.commands import Logout
from trekd.imap.session import Session, State


def logout(session: Session, command: Logout) -> None:
    """Say goodbye and close."""
    session.wire.write(b"* BYE Logging out\r\n")
    session.complete(command.tag, b"OK LOGOUT completed")
    session.state = State.LOGOUT
    session.wire.close()
