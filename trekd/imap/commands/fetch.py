"""
FETCH and UID FETCH (RFC 3501 §6.4.5, RFC 7162 §3.1.4).

What is asked becomes one template; the store fills it in for each message and the octets go out as they come.
"""

from __future__ import annotations

from functools import partial

from trekd.errors import Unavailable
from trekd.imap.enabled import Enabled
from trekd.imap.grammar.commands import Fetch
from trekd.imap.grammar.fetch import (
    BinarySection,
    BinarySize,
    BodySection,
    FetchAttribute,
    FetchItem,
    Preview,
    SectionKind,
)
from trekd.imap.grammar.writing import EMAIL_PREFIX
from trekd.imap.responses import EXPUNGE_ISSUED
from trekd.imap.selected import Positions, SelectedMailbox, intersected
from trekd.imap.session import Session
from trekd.imap.wire import send_listing
from trekd.mime.sections import Section, decoded_entity, field_cutter, locate, locate_entity
from trekd.store.interfaces import Column, Extract, FlagOperation, Form, LineTemplate
from trekd.values import SEEN, ModSeq

_COLUMNS = {
    FetchItem.FLAGS: Column.FLAGS,
    FetchItem.UID: Column.UID,
    FetchItem.INTERNALDATE: Column.INTERNALDATE,
    FetchItem.RFC822_SIZE: Column.SIZE,
    FetchItem.ENVELOPE: Column.ENVELOPE,
    FetchItem.BODYSTRUCTURE: Column.BODYSTRUCTURE,
    FetchItem.BODY: Column.BODY,
    FetchItem.MODSEQ: Column.MODSEQ,
    FetchItem.EMAILID: Column.EMAILID,
    FetchItem.SAVEDATE: Column.SAVEDATE,
}

_PARENTHESISED: dict[FetchAttribute, bytes] = {
    FetchItem.MODSEQ: b" (",
    FetchItem.EMAILID: b" (" + EMAIL_PREFIX,
}
"""What stands between a label and a value in parentheses."""

_WHOLE = {
    SectionKind.ALL: Column.OCTETS,
    SectionKind.HEADER: Column.HEADER,
    SectionKind.TEXT: Column.TEXT,
}
"""Sections of the message itself that are stored as they are sent."""


async def fetch(session: Session, command: Fetch) -> bytes:
    r"""
    Tell what is asked of each message named.

    C{\Seen} is set first where it is due, and the flags are told with the rest if that changed any.  Of messages
    that others expunged nothing is told; the plain form then ends in NO (RFC 2180 §4.1.2).
    """
    selected = session.mailbox
    if command.vanished and not session.enabled.qresync:
        return b"BAD Enable QRESYNC first"
    if FetchItem.MODSEQ in command.attributes:
        session.enable("CONDSTORE")
    positions = await _wanted(session, command)
    if not positions:
        return b"OK FETCH completed"
    attributes = command.attributes
    if _sets_seen(selected, attributes) and await _set_seen(session, positions):
        attributes = with_flags(attributes, session.enabled)
    template = LineTemplate(template_items(attributes), selected.recent_from)
    told = await send_listing(session.wire, session.store.list_messages(selected.view, positions, template))
    if told < sum(map(len, positions)):
        selected.must_look()
        if not command.uid:
            return EXPUNGE_ISSUED
    return b"OK FETCH completed"


async def _wanted(session: Session, command: Fetch) -> Positions:
    """The messages to tell of; those that are gone are told here, before any other (RFC 7162 §3.2.6)."""
    selected = session.mailbox
    positions = selected.positions(command.sequence_set, command.uid)
    since = command.changed_since
    if since is None:
        return positions
    changes = await session.store.changes(selected.id, ModSeq(since))
    if command.vanished:
        await selected.tell_vanished(session.wire, command.sequence_set, since)
    return intersected(positions, selected.positions_of(changes.changed))


def with_flags(attributes: tuple[FetchAttribute, ...], enabled: Enabled) -> tuple[FetchAttribute, ...]:
    """The attributes, FLAGS among them, and what else a client wants to know of a change (RFC 7162 §3.2.4)."""
    due = (FetchItem.UID, FetchItem.MODSEQ, FetchItem.FLAGS) if enabled.condstore else (FetchItem.FLAGS,)
    return (*(item for item in due if item not in attributes), *attributes)


def _sets_seen(selected: SelectedMailbox, attributes: tuple[FetchAttribute, ...]) -> bool:
    if selected.read_only:
        return False
    return any(isinstance(attribute, BodySection | BinarySection) and not attribute.peek for attribute in attributes)


async def _set_seen(session: Session, positions: Positions) -> bool:
    r"""
    Set C{\Seen} on the messages; whether it was missing on any.

    A store that cannot write now does not keep the client from reading.
    """
    selected = session.mailbox
    try:
        changes = await session.store.change_flags(
            selected.view, positions, FlagOperation.ADD, frozenset({SEEN})
        )
    except Unavailable:
        return False
    selected.own_change(changes)
    return bool(changes.changed)


# --- The template ---------------------------------------------------------------------------------


def template_items(attributes: tuple[FetchAttribute, ...]) -> tuple[bytes | Column | Extract, ...]:
    """One FETCH response, with neighbouring octets joined."""
    items: list[bytes | Column | Extract] = [b"* ", Column.SEQ]
    before = b" FETCH ("
    for attribute in attributes:
        label = attribute.value if isinstance(attribute, FetchItem) else attribute.label
        if attribute is FetchItem.THREADID:
            items.append(before + label + b" NIL")
            before = b" "
            continue
        opening = _PARENTHESISED.get(attribute)
        items += [before + label + (opening or b" "), template_item(attribute)]
        before = b") " if opening else b" "
    items.append(before.rstrip(b" ") + b")\r\n")
    return tuple(items)


def template_item(attribute: FetchAttribute) -> Column | Extract:
    """The value of an attribute that is not a constant."""
    if isinstance(attribute, FetchItem):
        return _COLUMNS[attribute]
    if isinstance(attribute, Preview):
        return Column.PREVIEW_LAZY if attribute.lazy else Column.PREVIEW
    if isinstance(attribute, BinarySize):
        return _decoded(attribute.path, Form.SIZE)
    if isinstance(attribute, BinarySection):
        window = attribute.partial
        return _decoded(attribute.path, Form.BINARY, None if window is None else (window.origin, window.length))
    column = _WHOLE.get(attribute.kind)
    if column is not None and not attribute.path and attribute.partial is None:
        return column
    return _extract(attribute)


def _extract(attribute: BodySection) -> Extract:
    """What the store cuts out of each message; nothing past its end (quirks C{partial-past-end}, C{chunks})."""
    section = Section(
        attribute.path,
        attribute.kind.value.decode(),
        tuple(name.encode() for name in attribute.fields),
    )
    window = attribute.partial
    by_fields = attribute.kind in (SectionKind.HEADER_FIELDS, SectionKind.HEADER_FIELDS_NOT)
    return Extract(
        locate=None if section.is_header else partial(locate, section),
        select=field_cutter(section) if by_fields else None,
        partial=(window.origin, window.length) if window is not None else None,
    )


def _decoded(path: tuple[int, ...], form: Form, window: tuple[int, int] | None = None) -> Extract:
    """
    A part without its transfer encoding (RFC 3516 §4.2), of which C{window} is cut.

    Deviates from RFC 3516 §6: C{BODY[]} and BODYSTRUCTURE of a message that was appended with NUL are of the message as
    it is, for signatures would not stand what another encoding changes.
    """
    decode = partial(decoded_entity, path)
    return Extract(partial(locate_entity, path), partial=window, decode=decode, form=form)
