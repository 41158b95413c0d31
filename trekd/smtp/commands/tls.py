"""
STARTTLS (RFC 3207).
"""

from __future__ import annotations

from trekd.smtp import replies
from trekd.smtp.grammar.commands import StartTLS
from trekd.smtp.session import Session


async def starttls(session: Session, request: StartTLS) -> None:
    """
    Switch to TLS and forget all that the client said in clear (RFC 3207 §4.2).

    What it sent behind the command is dropped, never run: it may be somebody else's.
    """
    if session.secure:
        return session.send(replies.BAD_SEQUENCE)
    if session.service.lmtp or not session.connection.can_start_tls:
        return session.send(replies.NOT_IMPLEMENTED)
    session.forget_client()
    session.stream.drop()
    session.send(replies.READY_FOR_TLS)
    session.connection.start_tls()
    session.secure = True
    return None
