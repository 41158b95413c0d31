"""
Parts of messages named by URLs, for CATENATE (RFC 4469 §3).
"""

from __future__ import annotations

import re
from bisect import bisect_left

from trekd.errors import BadURL, MessageTooLarge, NoSuchMailbox, SyntaxFault
from trekd.imap.commands.fetch import template_item
from trekd.imap.grammar.tokens import ParseOptions
from trekd.imap.grammar.urls import parse_url
from trekd.imap.session import Session
from trekd.store.interfaces import IMessageSink, LineTemplate

_LITERAL = re.compile(rb"\{([0-9]+)\}\r\n")


async def add_part(session: Session, url: bytes, options: ParseOptions, sink: IMessageSink) -> None:
    r"""
    Add the octets that a URL names to a message, as they come from the store; C{\Seen} stays as it is.

    @raise BadURL: it names nothing of this account, or what it names is gone.
    @raise MessageTooLarge: the message would be.
    """
    try:
        named = parse_url(url, options)
        if named.mailbox is None and session.selected is None:
            raise BadURL(url)
        selection = await session.store.open(named.mailbox or session.mailbox.name)
    except (SyntaxFault, NoSuchMailbox):
        raise BadURL(url) from None
    view = selection.view
    place = bisect_left(view.uids, named.uid)
    if named.uid_validity not in (None, selection.state.uid_validity) or named.uid not in view.uids[place : place + 1]:
        raise BadURL(url)
    template = LineTemplate((template_item(named.section),))
    size: int | None = None
    async for piece in session.store.list_messages(view, (range(place, place + 1),), template):
        octets = piece.octets
        if size is None:
            found = _LITERAL.match(octets)
            if found is None:
                break
            size, octets = int(found[1]), octets[found.end() :]
            require_room(session, sink, size)
        waiting = sink.write(octets)
        if waiting is not None:
            await waiting
    if size is None:
        raise BadURL(url)


def require_room(session: Session, sink: IMessageSink, octets: int) -> None:
    """
    @raise MessageTooLarge: with so many octets more it would be (RFC 4469 §4.2).
    """
    most = session.config.max_message
    if sink.size + octets > most:
        raise MessageTooLarge(most)
