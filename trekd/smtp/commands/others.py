"""
The commands that change nothing: NOOP, HELP, VRFY, EXPN; and QUIT (RFC 5321 §4.1.1.6 to §4.1.1.10).
"""

from __future__ import annotations

from trekd.smtp import replies
from trekd.smtp.grammar.commands import Expand, Help, Noop, Quit, Verify
from trekd.smtp.session import Session


async def noop(session: Session, request: Noop) -> None:
    """Do nothing."""
    session.send(replies.OK)


async def help_(session: Session, request: Help) -> None:
    """Name the commands."""
    session.send(replies.HELP)


async def vrfy(session: Session, request: Verify) -> None:
    """Tell nobody which addresses exist (RFC 5321 §7.3)."""
    session.send(replies.CANNOT_VERIFY)


async def expn(session: Session, request: Expand) -> None:
    """Tell nobody who is on a list (RFC 5321 §7.3)."""
    session.send(replies.NOT_IMPLEMENTED)


async def quit_(session: Session, request: Quit) -> None:
    """End the session."""
    session.end(replies.GOODBYE)
