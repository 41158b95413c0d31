"""
COPY, MOVE and their UID forms (RFC 3501 §6.4.7, RFC 6851, RFC 4315 §3).
"""

from __future__ import annotations

from trekd.errors import NoSuchMailbox, NotPermitted
from trekd.imap.commands.expunge import completed
from trekd.imap.grammar.commands import Copy, Move
from trekd.imap.grammar.writing import copyuid
from trekd.imap.responses import EXPUNGE_ISSUED, TRY_CREATE
from trekd.imap.session import Session
from trekd.store.interfaces import Copied


async def copy(session: Session, command: Copy) -> bytes:
    """
    Copy messages, all or none.

    UIDs that are not there are passed over, all of them as well (quirk C{move-of-vanished}).  A sequence number of
    a message that others expunged makes it NO, with the others copied: COPYUID says which (RFC 2180 §4.4.1).
    """
    selected = session.mailbox
    positions = selected.positions(command.sequence_set, command.uid)
    if not positions:
        return b"OK Nothing to copy"
    try:
        copied = await session.store.copy(selected.view, positions, command.mailbox)
    except NoSuchMailbox:
        return bytes(TRY_CREATE)
    if command.mailbox == selected.name:
        selected.must_look()
        selected.own_arrivals(copied.target)
    session.caused(command.mailbox, arrived=len(copied.target))
    if not copied.source:
        return b"OK Nothing to copy" if command.uid else EXPUNGE_ISSUED
    return b"OK [" + _copyuid(copied) + b"] COPY completed"


async def move(session: Session, command: Move) -> bytes:
    """
    Move messages in one step; COPYUID is told before the EXPUNGE responses (RFC 6851 §4.3).
    """
    selected = session.mailbox
    if selected.read_only:
        raise NotPermitted
    positions = selected.positions(command.sequence_set, command.uid)
    if not positions:
        return b"OK Nothing to move"
    try:
        moved = await session.store.move(selected.view, positions, command.mailbox)
    except NoSuchMailbox:
        return bytes(TRY_CREATE)
    selected.must_tell()
    session.caused(command.mailbox, arrived=len(moved.target))
    if not moved.source:
        return b"OK Nothing to move" if command.uid else EXPUNGE_ISSUED
    session.wire.write(b"* OK [" + _copyuid(moved) + b"] Moved\r\n")
    return await completed(session, b"MOVE completed")


def _copyuid(copied: Copied) -> bytes:
    return copyuid(copied.uid_validity, copied.source, copied.target)
