"""
CREATE, DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE (RFC 3501 §6.3.3 to §6.3.7, RFC 6154 §3).
"""

from __future__ import annotations

from trekd.imap.grammar.commands import Create, Delete, Rename, Subscribe, Unsubscribe
from trekd.imap.grammar.writing import mailbox_id
from trekd.imap.session import Session
from trekd.values import SPECIAL_USES

_VIRTUAL = frozenset({"\\All", "\\Flagged"})
"""Special uses that show other mailboxes' messages: none of ours can do that."""

_USE_REFUSED = b"NO [USEATTR] That special use cannot be given"


async def create(session: Session, command: Create) -> bytes:
    """
    Make a mailbox, with a special use if it is asked for and no other mailbox has it.
    """
    uses = tuple(dict.fromkeys(command.special_uses))
    if uses and not await _can_use(session, uses):
        return _USE_REFUSED
    made = await session.store.create(command.mailbox, uses)
    session.caused_names(command.mailbox)
    return b"OK [MAILBOXID %b] CREATE completed" % mailbox_id(made.id)


async def _can_use(session: Session, uses: tuple[str, ...]) -> bool:
    if any(use not in SPECIAL_USES or use in _VIRTUAL for use in uses):
        return False
    taken = {use for mailbox in await session.store.mailboxes() for use in mailbox.special_use}
    return taken.isdisjoint(uses)


async def delete(session: Session, command: Delete) -> bytes:
    """
    Remove a mailbox.  The session that has it selected leaves it first; others are told by BYE.
    """
    selected = session.selected
    if selected is not None:
        state = await session.store.mailbox(command.mailbox)
        is_ours = state.id == selected.id
        await session.store.delete(command.mailbox)
        if is_ours:
            session.deselect()
            session.wire.write(b"* OK [CLOSED] The selected mailbox was deleted\r\n")
    else:
        await session.store.delete(command.mailbox)
    session.caused_names(command.mailbox)
    return b"OK DELETE completed"


async def rename(session: Session, command: Rename) -> bytes:
    """Rename a mailbox with its inferior ones; INBOX is emptied into the new one."""
    await session.store.rename(command.source, command.target)
    session.caused_names(command.source, command.target)
    return b"OK RENAME completed"


async def subscribe(session: Session, command: Subscribe) -> bytes:
    """Add a name to the subscriptions, whether there is such a mailbox or not."""
    await session.store.subscribe(command.mailbox)
    session.caused_names(command.mailbox)
    return b"OK SUBSCRIBE completed"


async def unsubscribe(session: Session, command: Unsubscribe) -> bytes:
    """Remove a name from the subscriptions."""
    await session.store.unsubscribe(command.mailbox)
    session.caused_names(command.mailbox)
    return b"OK UNSUBSCRIBE completed"
