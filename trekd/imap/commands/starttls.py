"""
STARTTLS (RFC 3501 §6.2.1).
"""

from __future__ import annotations

from trekd.imap.grammar.commands import StartTLS
from trekd.imap.session import Session


def starttls(session: Session, command: StartTLS) -> bytes | None:
    """
    Answer in clear, then start over with TLS.

    What the client sent behind the command in clear is dropped, and what it said before is forgotten.
    """
    if not session.wire.can_start_tls:
        return b"BAD TLS is already active" if session.wire.is_secure else b"BAD STARTTLS is not available"
    session.complete(command.tag, b"OK Begin TLS negotiation now")
    session.client = ""
    session.wire.start_tls()
    return None
