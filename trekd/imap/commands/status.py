"""
STATUS (RFC 3501 §6.3.10, RFC 8438 §2, RFC 7162 §3.1.7).
"""

from __future__ import annotations

from collections.abc import Iterable

from trekd.imap.grammar.commands import Status
from trekd.imap.grammar.writing import status_response
from trekd.imap.session import Session
from trekd.store.interfaces import MailboxState


async def status(session: Session, command: Status) -> bytes:
    """Tell a mailbox's counters, selected or not."""
    if "HIGHESTMODSEQ" in command.items:
        session.enable("CONDSTORE")
    state = await session.store.mailbox(command.mailbox)
    session.wire.write(status_line(session, state, command.items))
    return b"OK STATUS completed"


def status_line(session: Session, state: MailboxState, items: Iterable[str]) -> bytes:
    r"""
    The untagged response; also for LIST-STATUS.

    Deviates from RFC 3501 §6.3.10: RECENT is known for the selected mailbox only, 0 for any other.
    """
    selected = session.selected
    values = {
        "MESSAGES": state.total,
        "RECENT": selected.recent if selected is not None and selected.id == state.id else 0,
        "UIDNEXT": state.uid_next,
        "UIDVALIDITY": state.uid_validity,
        "UNSEEN": state.unseen,
        "SIZE": state.octets,
        "HIGHESTMODSEQ": state.modseq,
        "DELETED": state.deleted,
        "APPENDLIMIT": session.config.max_message,
    }
    return status_response(state.name, {item: values[item] for item in items})
