"""
EXPUNGE and UID EXPUNGE (RFC 3501 §6.4.3, RFC 4315 §2.1).
"""

from __future__ import annotations

from trekd.errors import NotPermitted
from trekd.imap.grammar.commands import Expunge, UidExpunge
from trekd.imap.session import Session


async def expunge(session: Session, command: Expunge) -> bytes:
    r"""Remove the messages with C{\Deleted}; the EXPUNGE responses are those of every announcement."""
    selected = session.mailbox
    if selected.read_only:
        raise NotPermitted
    await session.store.expunge(selected.id)
    selected.must_look()
    return b"OK EXPUNGE completed"


async def uid_expunge(session: Session, command: UidExpunge) -> bytes:
    r"""Remove those of the messages named that have C{\Deleted}."""
    selected = session.mailbox
    if selected.read_only:
        raise NotPermitted
    uids = command.uids.present_in(selected.view.uids)
    if uids:
        await session.store.expunge(selected.id, uids)
        selected.must_look()
    return b"OK UID EXPUNGE completed"
