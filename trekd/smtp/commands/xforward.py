"""
XFORWARD: what an MTA in front tells of the client that it has the message from (Postfix, XFORWARD_README).

Over LMTP only, whose socket nobody but that MTA can open, and only where the configuration makes use of it.
"""

from __future__ import annotations

from trekd.smtp import replies
from trekd.smtp.grammar.commands import Forward
from trekd.smtp.session import Peer, Session


def takes_forwarded(session: Session) -> bool:
    """Whether the command is offered."""
    return session.service.lmtp and session.site.reception.config.verify_lmtp


async def xforward(session: Session, request: Forward) -> None:
    """
    Believe it for the next message.  Postfix tells name and address in one command, what the client said in another:
    each leaves the other's word as it is.
    """
    if not takes_forwarded(session):
        return session.send(replies.NOT_HERE)
    before = session.forwarded
    session.forwarded = Peer(
        before.client if request.client is None else request.client,
        before.hello if request.hello is None else request.hello,
    )
    return session.send(replies.OK)
