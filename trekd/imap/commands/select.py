"""
SELECT, EXAMINE, CLOSE and UNSELECT (RFC 3501 §6.3.1, §6.3.2, §6.4.2; RFC 3691; RFC 7162 §3.2.5).
"""

from __future__ import annotations

from trekd.errors import Unavailable
from trekd.imap.commands.quota import warn
from trekd.imap.grammar.commands import Close, Examine, Resync, Select, Unselect
from trekd.imap.grammar.sequence import SequenceSet
from trekd.imap.grammar.writing import mailbox_id
from trekd.imap.responses import highest_modseq
from trekd.imap.selected import SelectedMailbox, flags_responses, intersected
from trekd.imap.session import Session
from trekd.imap.vanished import known_up_to
from trekd.store.interfaces import Selection
from trekd.values import ModSeq

_EVERY_UID = SequenceSet((), 1)


async def select(session: Session, command: Select) -> bytes:
    """Open a mailbox for reading and writing."""
    return await _open(session, command, b"OK [READ-WRITE] SELECT completed")


async def examine(session: Session, command: Examine) -> bytes:
    """Open a mailbox for reading."""
    return await _open(session, command, b"OK [READ-ONLY] EXAMINE completed")


async def _open(session: Session, command: Select, completed: bytes) -> bytes:
    r"""
    Select a mailbox; the one selected before is left first, whatever comes of it (RFC 3501 §6.3.1).

    Deviates from RFC 3501 §2.3.2: EXAMINE shows no message as C{\Recent}, for the store cannot say which are
    without taking them from the next session.
    """
    if command.resync is not None and not session.enabled.qresync:
        return b"BAD Enable QRESYNC first"
    if session.selected is not None:
        session.wire.write(b"* OK [CLOSED] Previous mailbox closed\r\n")
    session.deselect()
    if command.condstore:
        session.enable("CONDSTORE")
    session.watch()
    read_only = isinstance(command, Examine)
    try:
        selection = await session.store.open(command.mailbox)
        recent_from = 0 if read_only else await session.store.claim_recent(selection.state.id)
    except Exception:
        session.deselect()
        raise
    selected = SelectedMailbox(
        session.store,
        selection,
        session.enabled,
        read_only=read_only,
        recent_from=recent_from,
        now=session.wire.now(),
    )
    session.select(selected)
    session.wire.write(_responses(selection, selected))
    if command.resync is not None and command.resync.uid_validity == selection.state.uid_validity:
        try:
            await _resynchronise(session, command.resync)
        except Exception:
            session.deselect()
            raise
    if not read_only:
        await _warn(session)
    return completed


async def _warn(session: Session) -> None:
    """A warning that cannot be made does not keep the client from its mailbox."""
    try:
        await warn(session)
    except Unavailable:
        return


async def _resynchronise(session: Session, resync: Resync) -> None:
    """Tell what a client missed: first what is gone, then what changed (RFC 7162 §3.2.5.1)."""
    selected = session.mailbox
    known = resync.known or _EVERY_UID
    behind = known_up_to(resync.sample, selected.view.uids) if resync.sample is not None else 0
    await selected.tell_vanished(session.wire, known, resync.modseq, behind)
    changes = await session.store.changes(selected.id, ModSeq(resync.modseq))
    positions = intersected(selected.positions_of(changes.changed), selected.positions(known, uid=True))
    await selected.tell_flags(session.wire, positions, uid=True)


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
            b"* OK [MAILBOXID %b] Name for ever\r\n" % mailbox_id(state.id),
            b"* OK [UIDNEXT %d] Predicted next UID\r\n" % state.uid_next,
            highest_modseq(selected.modseq),
        )
    )


async def close(session: Session, command: Close) -> bytes:
    r"""Leave the mailbox; messages with C{\Deleted} are expunged without a word, unless it is read-only."""
    selected = session.mailbox
    session.deselect()
    if not selected.read_only:
        session.caused(selected.name, gone=len(await session.store.expunge(selected.id)))
    return b"OK CLOSE completed"


def unselect(session: Session, command: Unselect) -> bytes:
    """Leave the mailbox and change nothing."""
    session.deselect()
    return b"OK UNSELECT completed"
