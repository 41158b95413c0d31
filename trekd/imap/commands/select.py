"""
SELECT, EXAMINE, CLOSE and UNSELECT (RFC 3501 §6.3.1, §6.3.2, §6.4.2; RFC 3691).
"""

from __future__ import annotations

from trekd.imap.grammar.commands import Close, Examine, Select, Unselect
from trekd.imap.selected import SelectedMailbox, flags_responses
from trekd.imap.session import Session
from trekd.store.interfaces import Selection
from trekd.values import MailboxName


async def select(session: Session, command: Select) -> bytes:
    """Open a mailbox for reading and writing."""
    await _open(session, command.mailbox, read_only=False)
    return b"OK [READ-WRITE] SELECT completed"


async def examine(session: Session, command: Examine) -> bytes:
    """Open a mailbox for reading."""
    await _open(session, command.mailbox, read_only=True)
    return b"OK [READ-ONLY] EXAMINE completed"


async def _open(session: Session, name: MailboxName, read_only: bool) -> None:
    r"""
    Select a mailbox; the one selected before is left first, whatever comes of it (RFC 3501 §6.3.1).

    Deviates from RFC 3501 §2.3.2: EXAMINE shows no message as C{\Recent}, for the store cannot say which are
    without taking them from the next session.
    """
    session.deselect()
    session.watch()
    try:
        selection = await session.store.open(name)
        recent_from = 0 if read_only else await session.store.claim_recent(selection.state.id)
    except Exception:
        session.deselect()
        raise
    selected = SelectedMailbox(session.store, selection, read_only, recent_from, session.wire.now())
    session.select(selected)
    session.wire.write(_responses(selection, selected))


def _responses(selection: Selection, selected: SelectedMailbox) -> bytes:
    """What SELECT must tell (RFC 3501 §6.3.1)."""
    state = selection.state
    unseen = b"* OK [UNSEEN %d] First unseen\r\n" % selection.first_unseen if selection.first_unseen else b""
    return b"".join(
        (
            flags_responses(selected.keywords, selected.read_only),
            b"* %d EXISTS\r\n* %d RECENT\r\n" % (len(selected.view.uids), selected.recent),
            unseen,
            b"* OK [UIDVALIDITY %d] UIDs valid\r\n" % state.uid_validity,
            b"* OK [UIDNEXT %d] Predicted next UID\r\n" % state.uid_next,
        )
    )


async def close(session: Session, command: Close) -> bytes:
    r"""Leave the mailbox; messages with C{\Deleted} are expunged without a word, unless it is read-only."""
    selected = session.mailbox
    session.deselect()
    if not selected.read_only:
        await session.store.expunge(selected.id)
    return b"OK CLOSE completed"


def unselect(session: Session, command: Unselect) -> bytes:
    """Leave the mailbox and change nothing."""
    session.deselect()
    return b"OK UNSELECT completed"
