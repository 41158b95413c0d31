"""
EXPUNGE and UID EXPUNGE (RFC 3501 §6.4.3, RFC 4315 §2.1).
"""

from __future__ import annotations

from trekd.errors import NotPermitted, Unavailable
from trekd.imap.grammar.commands import Expunge, UidExpunge
from trekd.imap.session import Session


async def expunge(session: Session, command: Expunge) -> bytes:
    r"""Remove the messages with C{\Deleted}; the EXPUNGE responses are those of every announcement."""
    selected = session.mailbox
    if selected.read_only:
        raise NotPermitted
    removed = await session.store.expunge(selected.id)
    selected.must_tell()
    return await completed(session, b"EXPUNGE completed") if removed else b"OK EXPUNGE completed"


async def uid_expunge(session: Session, command: UidExpunge) -> bytes:
    r"""Remove those of the messages named that have C{\Deleted}."""
    selected = session.mailbox
    if selected.read_only:
        raise NotPermitted
    uids = selected.uids(command.uids)
    if not uids or not await session.store.expunge(selected.id, uids):
        return b"OK UID EXPUNGE completed"
    selected.must_tell()
    return await completed(session, b"UID EXPUNGE completed")


async def completed(session: Session, text: bytes) -> bytes:
    """
    The answer of a command that took messages out: with the modification sequence that they left behind, for clients
    that resynchronise by it (RFC 7162 §3.2.7, RFC 6851 §4.4), which is known once they are told.
    """
    if not session.enabled.qresync:
        return b"OK " + text
    try:
        await session.announce(expunge=True, uid=True)
    except Unavailable:
        session.mailbox.must_look()
        return b"OK " + text
    return b"OK [HIGHESTMODSEQ %d] " % session.mailbox.modseq + text
