"""
STATUS (RFC 3501 §6.3.10, RFC 8438 §2, RFC 7162 §3.1.7, RFC 9208 §4.1.4).
"""

from __future__ import annotations

from collections.abc import Iterable

from trekd.errors import NoSuchMailbox
from trekd.imap.grammar.commands import Status
from trekd.imap.grammar.writing import mailbox_id, status_response
from trekd.imap.selected import positions_of
from trekd.imap.session import Session
from trekd.store.interfaces import Column, LineTemplate, MailboxState
from trekd.store.terms import HasFlag
from trekd.values import DELETED


async def status(session: Session, command: Status) -> bytes:
    """Tell a mailbox's counters, selected or not."""
    if "HIGHESTMODSEQ" in command.items:
        session.enable("CONDSTORE")
    state = await session.store.mailbox(command.mailbox)
    session.wire.write(await status_line(session, state, command.items))
    return b"OK STATUS completed"


async def status_line(session: Session, state: MailboxState, items: Iterable[str]) -> bytes:
    r"""
    The untagged response; also for LIST-STATUS.

    Deviates from RFC 3501 §6.3.10: RECENT is known for the selected mailbox only, 0 for any other.
    """
    selected = session.selected
    values: dict[str, int | bytes] = {
        "MESSAGES": state.total,
        "RECENT": selected.recent if selected is not None and selected.id == state.id else 0,
        "UIDNEXT": state.uid_next,
        "UIDVALIDITY": state.uid_validity,
        "UNSEEN": state.unseen,
        "SIZE": state.octets,
        "HIGHESTMODSEQ": state.modseq,
        "DELETED": state.deleted,
        "DELETED-STORAGE": await _deleted_octets(session, state) if "DELETED-STORAGE" in items else 0,
        "APPENDLIMIT": session.config.max_message,
        "MAILBOXID": mailbox_id(state.id),
    }
    return status_response(state.name, {item: values[item] for item in items})


async def _deleted_octets(session: Session, state: MailboxState) -> int:
    r"""The sizes of the messages with C{\Deleted} together (RFC 9208 §4.1.4)."""
    if not state.deleted:
        return 0
    try:
        view = (await session.store.open(state.name)).view
    except NoSuchMailbox:
        return 0
    deleted = await session.store.search(view, HasFlag(DELETED))
    positions = positions_of(view.uids, deleted)
    sizes = session.store.list_messages(view, positions, LineTemplate((Column.SIZE, b"\n")))
    return sum([sum(map(int, piece.octets.split())) async for piece in sizes])
