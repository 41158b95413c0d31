"""
UNAUTHENTICATE (RFC 8437).
"""

from __future__ import annotations

from trekd.imap.grammar.commands import Unauthenticate
from trekd.imap.session import Session


def unauthenticate(session: Session, command: Unauthenticate) -> bytes | None:
    """
    Forget the user and all that the client turned on, but TLS and ID; failed logins go on being counted.

    Compression cannot be ended where a client may have sent the next command in clear already, so the connection ends
    instead (RFC 8437 §3).
    """
    if session.wire.is_compressed:
        session.bye(b"This connection is compressed; open another one")
        return None
    session.forget_user()
    return b"OK Not logged in any more"
