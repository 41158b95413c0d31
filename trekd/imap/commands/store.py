r"""
STORE and UID STORE (RFC 3501 §6.4.6, RFC 7162 §3.1.3).
"""

from __future__ import annotations

from trekd.errors import NotPermitted
from trekd.imap.grammar.commands import Store, StoreOperation
from trekd.imap.grammar.sequence import uid_set
from trekd.imap.responses import EXPUNGE_ISSUED
from trekd.imap.session import Session
from trekd.store.interfaces import FlagOperation, MailboxChanges
from trekd.values import ModSeq

_OPERATIONS = {
    StoreOperation.REPLACE: FlagOperation.REPLACE,
    StoreOperation.ADD: FlagOperation.ADD,
    StoreOperation.REMOVE: FlagOperation.REMOVE,
}


async def store(session: Session, command: Store) -> bytes:
    """
    Change flags, and tell the new ones of every message named unless C{.SILENT} asks not to; then only modification
    sequences, to a client that wants them, and of messages that were left alone (RFC 7162 §3.1.3).

    Messages that others expunged are passed over; the plain form then ends in NO, so that the client looks
    (RFC 2180 §4.2.1).
    """
    selected = session.mailbox
    if selected.read_only:
        raise NotPermitted
    unchanged_since = None
    if command.unchanged_since is not None:
        session.enable("CONDSTORE")
        unchanged_since = ModSeq(command.unchanged_since)
    positions = selected.positions(command.sequence_set, command.uid)
    if not positions:
        return b"OK STORE completed"
    operation = _OPERATIONS[command.operation]
    flags = frozenset(command.flags)
    changes = await session.store.change_flags(selected.view, positions, operation, flags, unchanged_since)
    selected.own_change(changes)
    selected.announce_keywords(session.wire, changes.keywords)
    if command.silent:
        await _tell_silently(session, changes)
    elif await selected.tell_flags(session.wire, positions, command.uid) < sum(map(len, positions)) and not command.uid:
        selected.must_look()
        if not changes.refused:
            return EXPUNGE_ISSUED
        return b"NO " + _modified(session, command, changes) + b"Some messages are gone"
    if changes.refused:
        return b"OK " + _modified(session, command, changes) + b"Some messages changed meanwhile"
    return b"OK STORE completed"


async def _tell_silently(session: Session, changes: MailboxChanges) -> None:
    selected = session.mailbox
    if session.enabled.condstore:
        await selected.tell_modseqs(session.wire, changes.changed)
    if changes.refused:
        await selected.tell_flags(session.wire, selected.positions_of(changes.refused), uid=True)


def _modified(session: Session, command: Store, changes: MailboxChanges) -> bytes:
    """MODIFIED with the messages that were left alone, as the client named them (RFC 7162 §3.1.3)."""
    refused = changes.refused if command.uid else session.mailbox.sequence_numbers(changes.refused)
    return b"[MODIFIED " + uid_set(refused) + b"] "
