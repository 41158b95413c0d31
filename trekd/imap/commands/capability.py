"""
CAPABILITY (RFC 3501 §6.1.1).
"""

from __future__ import annotations

from trekd.imap.grammar.commands import Capability
from trekd.imap.session import Session


def capability(session: Session, command: Capability) -> bytes:
    """List what is possible in this state."""
    session.wire.write(b"* CAPABILITY " + session.capabilities + b"\r\n")
    return b"OK CAPABILITY completed"
