"""
NAMESPACE (RFC 2342).
"""

from __future__ import annotations

from trekd.imap.grammar.commands import Namespace
from trekd.imap.session import Session


def namespace(session: Session, command: Namespace) -> bytes:
    """One personal namespace without a prefix, no other users' mailboxes, no shared ones."""
    session.wire.write(b'* NAMESPACE (("" "/")) NIL NIL\r\n')
    return b"OK NAMESPACE completed"
