"""
GETMETADATA and SETMETADATA (RFC 5464): annotations of mailboxes, and of the server as this user sees it.

All of a mailbox's are its owner's to read and write, shared or private.  Of the server's own the shared ones are the
administrator's and cannot be changed; there is one, C{/shared/admin}.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from trekd.errors import LimitReached
from trekd.imap.grammar.commands import GetMetadata, SetMetadata
from trekd.imap.grammar.metadata import MetadataOptions
from trekd.imap.grammar.writing import metadata_response
from trekd.imap.session import Session
from trekd.store.interfaces import NO_MAILBOX
from trekd.values import MailboxId, MailboxName

LARGEST_VALUE = 16 * 1024
"""Octets of one value."""

_SERVERS_OWN = "/shared/"


async def get_metadata(session: Session, command: GetMetadata) -> bytes:
    """Tell the values of entries, C{NIL} for one that is asked for by its name and not there."""
    mailbox = await _identified(session, command.mailbox)
    there: dict[str, bytes] = dict((await session.store.annotations(mailbox)).get(mailbox, {}))
    if mailbox == NO_MAILBOX:
        there["/shared/admin"] = b"mailto:postmaster@" + _domain(session)
    found = dict(_chosen(there, command.entries, command.options))
    longest = max((len(value or b"") for value in found.values()), default=0)
    limit = command.options.max_size
    told = {entry: value for entry, value in found.items() if limit is None or len(value or b"") <= limit}
    if told:
        session.wire.write(metadata_response(command.mailbox, told))
    if limit is not None and longest > limit:
        return b"OK [METADATA LONGENTRIES %d] GETMETADATA completed" % longest
    return b"OK GETMETADATA completed"


def _domain(session: Session) -> bytes:
    assert session.user is not None
    return str(session.user.account.principal).rpartition("@")[2].encode("ascii", "replace")


async def _identified(session: Session, mailbox: MailboxName | None) -> MailboxId:
    return NO_MAILBOX if mailbox is None else (await session.store.mailbox(mailbox)).id


def _chosen(
    there: Mapping[str, bytes], entries: Iterable[str], options: MetadataOptions
) -> Iterator[tuple[str, bytes | None]]:
    """Entries as the client spells them, and those below them (RFC 5464 §4.2.2)."""
    for entry in entries:
        value = there.get(entry.lower())
        if value is not None or options.depth == 0:
            yield entry, value
        if options.depth == 0:
            continue
        for each in sorted(there):
            below = each.removeprefix(entry.lower() + "/")
            if below != each and (options.depth is None or "/" not in below):
                yield each, there[each]


async def set_metadata(session: Session, command: SetMetadata) -> bytes:
    """Set entries, or remove them, all or none."""
    values = dict(command.values)
    if any(len(value or b"") > LARGEST_VALUE for value in values.values()):
        return b"NO [METADATA MAXSIZE %d] A value is too large" % LARGEST_VALUE
    if command.mailbox is None and any(entry.startswith(_SERVERS_OWN) for entry in values):
        return b"NO [NOPERM] Shared entries of the server are the administrator's"
    mailbox = await _identified(session, command.mailbox)
    try:
        await session.store.annotate(mailbox, values)
    except LimitReached:
        return b"NO [METADATA TOOMANY] There are too many entries"
    session.caused_entries(mailbox, values)
    return b"OK SETMETADATA completed"
