r"""
STORE and UID STORE (RFC 3501 §6.4.6).
"""

from __future__ import annotations

from trekd.errors import NotPermitted
from trekd.imap.grammar.commands import Store, StoreOperation
from trekd.imap.responses import EXPUNGE_ISSUED
from trekd.imap.session import Session
from trekd.store.interfaces import FlagOperation

_OPERATIONS = {
    StoreOperation.REPLACE: FlagOperation.REPLACE,
    StoreOperation.ADD: FlagOperation.ADD,
    StoreOperation.REMOVE: FlagOperation.REMOVE,
}


async def store(session: Session, command: Store) -> bytes:
    """
    Change flags, and tell the new ones of every message named unless C{.SILENT} asks not to.

    Messages that others expunged are passed over; the plain form then ends in NO, so that the client looks
    (RFC 2180 §4.2.1).
    """
    selected = session.mailbox
    if selected.read_only:
        raise NotPermitted
    positions = selected.positions(command.sequence_set, command.uid)
    if not positions:
        return b"OK STORE completed"
    operation = _OPERATIONS[command.operation]
    changes = await session.store.change_flags(selected.view, positions, operation, frozenset(command.flags))
    selected.own_change(changes)
    selected.announce_keywords(session.wire, changes.keywords)
    if not command.silent:
        told = await selected.tell_flags(session.wire, positions, command.uid)
        if told < sum(map(len, positions)) and not command.uid:
            selected.must_look()
            return EXPUNGE_ISSUED
    return b"OK STORE completed"
