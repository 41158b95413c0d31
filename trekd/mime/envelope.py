"""
ENVELOPE (RFC 3501 §7.4.2, RFC 9051 §7.5.2) and the facts about a message that are searched and sorted by.
"""

from __future__ import annotations

import re

from trekd.mime.addresses import wire_addresses
from trekd.mime.encoded import decode_words
from trekd.mime.fold import fold
from trekd.mime.wire import nstring

MAX_KEY = 1 << 16
"""Characters of a search key."""

MAX_REFERENCES = 200
"""Message-IDs that are kept of References and In-Reply-To, the newest ones."""

_MESSAGE_ID = re.compile(rb"<([^<>\s]{1,998})>")

Fields = dict[bytes, bytes]
"""Unfolded values by lower-case name; several address fields of one name are joined by commas."""


def envelope(fields: Fields) -> bytes:
    """
    C{envelope} (RFC 3501 §9); encoded words stay as they are.

    Sender and Reply-To without an address are From's (RFC 3501 §7.4.2).
    """
    value = fields.get
    author = wire_addresses(value(b"from"))
    sender = wire_addresses(value(b"sender")) if b"sender" in fields else author
    reply_to = wire_addresses(value(b"reply-to")) if b"reply-to" in fields else author
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        nstring(value(b"date")),
        nstring(_one_line(value(b"subject"))),
        author,
        author if sender == b"NIL" else sender,
        author if reply_to == b"NIL" else reply_to,
        wire_addresses(value(b"to")),
        wire_addresses(value(b"cc")),
        wire_addresses(value(b"bcc")),
        nstring(value(b"in-reply-to")),
        nstring(value(b"message-id")),
    )


def _one_line(value: bytes | None) -> bytes | None:
    """A Subject with each run of white space as one space, as Dovecot sends it."""
    return value if value is None or (b"\t" not in value and b"  " not in value) else b" ".join(value.split())


def search_key(value: bytes | None) -> str:
    """The decoded and folded text of a value without NUL, C{""} for an absent one."""
    return fold(decode_words(value)).replace("\0", "")[:MAX_KEY] if value else ""


def message_id(value: bytes | None) -> str:
    """The Message-ID without angle brackets, C{""} without one."""
    if not value:
        return ""
    match = _MESSAGE_ID.search(value)
    return _text(match[1] if match else value[:998])


def _text(identifier: bytes) -> str:
    return identifier.decode("utf-8", "replace").replace("\0", "")


def references(fields: Fields) -> tuple[str, ...]:
    """Message-IDs without angle brackets of References, then those of In-Reply-To, each once."""
    named = fields.get(b"references", b"") + b" " + fields.get(b"in-reply-to", b"")
    if named == b" ":
        return ()
    found = dict.fromkeys(_MESSAGE_ID.findall(named))
    return tuple([_text(name) for name in list(found)[-MAX_REFERENCES:]])
