"""
IMAP URLs of messages and parts, relative to an account's own mailboxes (RFC 5092, as far as RFC 4469 §3 has them).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from trekd.errors import BadMailboxName, SyntaxFault
from trekd.imap.grammar.attributes import fetch_attributes
from trekd.imap.grammar.fetch import BodySection
from trekd.imap.grammar.tokens import Cursor, ParseOptions
from trekd.values import MailboxName

_URL = re.compile(
    rb"/?(?P<mailbox>[!-:<-~]*?)(?:;UIDVALIDITY=(?P<validity>[1-9][0-9]{0,9}))?"
    rb"/?;UID=(?P<uid>[1-9][0-9]{0,9})(?:/;SECTION=(?P<section>[!-:<-~]+?))?"
    rb"(?:/;PARTIAL=(?P<origin>[0-9]{1,19})(?:\.(?P<length>[0-9]{1,19}))?)?",
    re.IGNORECASE,
)
"""iabsolute-path = "/" enc-mailbox [uidvalidity] iuid [isection] [ipartial] (RFC 5092 §11)"""
_SERVER = re.compile(rb"//|[A-Za-z][A-Za-z0-9+.-]*://")
_TO_THE_END = b"%d" % ((1 << 63) - 1)


@dataclass(frozen=True, slots=True)
class MessageReference:
    """
    What a URL names.

    @ivar mailbox: C{None} for the selected one.
    @ivar uid_validity: C{None} for whichever it has.
    """

    mailbox: MailboxName | None
    uid_validity: int | None
    uid: int
    section: BodySection


def parse_url(url: bytes, options: ParseOptions) -> MessageReference:
    """
    Read a relative URL.

    @raise SyntaxFault: it is none, or is that of another server, or names a mailbox and no message.
    """
    found = _URL.fullmatch(url)
    if found is None or _SERVER.match(url):
        raise SyntaxFault("relative URL of a message")
    try:
        mailbox = unquote_to_bytes(found["mailbox"]).decode("utf-8")
        name = MailboxName(mailbox) if mailbox else None
    except (UnicodeDecodeError, BadMailboxName):
        raise SyntaxFault("enc-mailbox") from None
    validity = found["validity"]
    window = b"<%b.%b>" % (found["origin"], found["length"] or _TO_THE_END) if found["origin"] else b""
    cursor = Cursor((b"BODY.PEEK[%b]%b" % (unquote_to_bytes(found["section"] or b""), window),), options)
    section, *others = fetch_attributes(cursor)
    cursor.end()
    if others or not isinstance(section, BodySection):
        raise SyntaxFault("enc-section")
    return MessageReference(name, int(validity) if validity else None, int(found["uid"]), section)
