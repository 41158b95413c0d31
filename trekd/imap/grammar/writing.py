"""
The mirror of reading: values to the octets of responses (RFC 3501 §7, §9).

Tokens come without spaces around them; lines end with CRLF.  Nothing here lets CR, LF or NUL into a line but
by a literal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from trekd.imap.grammar.names import encode_name
from trekd.imap.grammar.sequence import uid_set
from trekd.values import MailboxId, MailboxName

_ATOM = re.compile(rb"[!#$&',\-./0-9:;<=>?@A-Z\[^_`a-z|}~+]{1,255}")
_QUOTABLE = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x7f]{0,1000}")
_SPECIAL = re.compile(rb'["\\]')


EMAIL_PREFIX = b"M"
"""What an EMAILID begins with, so that it is neither a number nor a MAILBOXID (RFC 8474 §8)."""


# --- Tokens ---------------------------------------------------------------------------------------


def literal(octets: bytes) -> bytes:
    """literal = "{" number "}" CRLF *CHAR8"""
    return b"{%d}\r\n%b" % (len(octets), octets)


def string(value: bytes | str) -> bytes:
    """
    string = quoted / literal, whichever can hold it.

    @param value: text is written in UTF-8.
    """
    octets = value.encode("utf-8") if isinstance(value, str) else value
    if _QUOTABLE.fullmatch(octets):
        return b'"' + _SPECIAL.sub(rb"\\\g<0>", octets) + b'"'
    return literal(octets)


def astring(value: bytes | str) -> bytes:
    """astring, as an atom where it can be one and would not be read as C{NIL}."""
    octets = value.encode("utf-8") if isinstance(value, str) else value
    return octets if _ATOM.fullmatch(octets) and octets.upper() != b"NIL" else string(octets)


def mailbox(name: MailboxName, utf8: bool = False) -> bytes:
    """
    mailbox = "INBOX" / astring, always quoted, as clients like it best.

    @param utf8: whether the client enabled UTF-8 (RFC 6855 §3), else modified UTF-7.
    """
    octets = encode_name(name, utf8)
    return b'"' + _SPECIAL.sub(rb"\\\g<0>", octets) + b'"'


def parenthesised(tokens: Iterable[bytes]) -> bytes:
    """"(" [token *(SP token)] ")\""""
    return b"(" + b" ".join(tokens) + b")"


# --- Lines ----------------------------------------------------------------------------------------


def untagged(*tokens: bytes) -> bytes:
    """response-data = "*" SP ... CRLF"""
    return b"* " + b" ".join(tokens) + b"\r\n"


def list_response(
    attributes: Iterable[str],
    name: MailboxName | None,
    *,
    response: str = "LIST",
    child_info: Sequence[str] = (),
    old_name: MailboxName | None = None,
    utf8: bool = False,
) -> bytes:
    """
    mailbox-list behind C{LIST}, C{LSUB} or C{XLIST} (RFC 3501 §7.2.2, RFC 5258 §6).

    @param attributes: C{\\HasChildren}, C{\\Sent} and so on, with backslash.
    @param name: C{None} for the answer to the pattern C{""}, which tells the delimiter.
    @param child_info: selection options that inferior mailboxes matched (C{CHILDINFO}).
    @param old_name: what a renamed mailbox was called (C{OLDNAME}, RFC 5465 §5.4).
    """
    listed = b'""' if name is None else mailbox(name, utf8)
    tokens = [response.encode("ascii"), parenthesised(attribute.encode("ascii") for attribute in attributes)]
    tokens += [b'"' + MailboxName.DELIMITER.encode("ascii") + b'"', listed]
    if child_info:
        tokens.append(b'("CHILDINFO" ' + parenthesised(map(string, child_info)) + b")")
    if old_name is not None:
        tokens.append(b'("OLDNAME" (' + mailbox(old_name, utf8) + b"))")
    return untagged(*tokens)


def status_response(name: MailboxName, items: Mapping[str, int | bytes], utf8: bool = False) -> bytes:
    """"* STATUS" with the items in their order (RFC 3501 §7.2.4)."""
    pairs = (
        b"%b %b" % (item.encode("ascii"), value if isinstance(value, bytes) else b"%d" % value)
        for item, value in items.items()
    )
    return untagged(b"STATUS", mailbox(name, utf8), parenthesised(pairs))


def mailbox_id(objectid: MailboxId) -> bytes:
    """What stands behind MAILBOXID (RFC 8474 §4); the letter keeps identifiers apart from numbers (§8)."""
    return b"(F%b)" % objectid.encode("ascii")


def metadata_response(
    name: MailboxName | None, values: Mapping[str, bytes | None], utf8: bool = False
) -> bytes:
    """
    "* METADATA" with values (RFC 5464 §4.4.1).

    @param name: C{None} for the server.
    """
    pairs = (astring(entry) + b" " + (b"NIL" if value is None else string(value)) for entry, value in values.items())
    return untagged(b"METADATA", b'""' if name is None else mailbox(name, utf8), parenthesised(pairs))


def metadata_changed(name: MailboxName | None, entries: Iterable[str], utf8: bool = False) -> bytes:
    """"* METADATA" with the names of entries that changed (RFC 5464 §4.4.2)."""
    return untagged(b"METADATA", b'""' if name is None else mailbox(name, utf8), *map(astring, entries))


def search_response(numbers: Iterable[int], modseq: int = 0, name: bytes = b"SEARCH") -> bytes:
    """
    "* SEARCH" *(SP nz-number) (RFC 3501 §7.2.5), or "* SORT" (RFC 5256 §4).

    @param modseq: the highest modification sequence among the messages, 0 when it was not asked for (RFC 7162 §3.1.6).
    """
    highest = [b"(MODSEQ %d)" % modseq] if modseq else []
    return untagged(name, *(b"%d" % number for number in numbers), *highest)


def thread_response(threads: Sequence[tuple[int, int]]) -> bytes:
    """
    "* THREAD" (RFC 5256 §4).

    @param threads: each message's level, from 0 on, and number, followed by what answers it; number 0 for a message
        that is not there.
    """
    below = [0] * len(threads)
    line: list[int] = []
    for place, (level, _) in enumerate(threads):
        del line[level:]
        if line:
            below[line[-1]] += 1
        line.append(place)
    pieces: list[bytes] = []
    closed_at: list[int] = []
    above: list[int] = []
    for place, (level, number) in enumerate(threads):
        del above[level:]
        while closed_at and closed_at[-1] >= level:
            pieces.append(b")")
            closed_at.pop()
        parent = above[-1] if above else None
        follows_number = parent is not None and parent == place - 1 and threads[parent][1] != 0
        if follows_number:
            pieces.append(b" ")
        if parent is None or below[parent] > 1:
            pieces.append(b"(")
            closed_at.append(level)
        if number:
            pieces.append(b"%d" % number)
        above.append(place)
    pieces += [b")"] * len(closed_at)
    return untagged(b"THREAD", *([b"".join(pieces)] if pieces else []))


def esearch_response(tag: bytes, uid: bool, results: Mapping[str, int | bytes]) -> bytes:
    """
    "* ESEARCH" (RFC 4731 §3.1).

    @param results: C{MIN}, C{MAX}, C{COUNT}, C{MODSEQ}, and C{ALL} as L{uid_set} writes it; only what is there.
    """
    tokens = [b"ESEARCH", b"(TAG " + string(tag) + b")", *([b"UID"] if uid else [])]
    for name, value in results.items():
        tokens += [name.encode("ascii"), b"%d" % value if isinstance(value, int) else value]
    return untagged(*tokens)


# --- Response codes, without brackets ---------------------------------------------------------------


def appenduid(uid_validity: int, uids: Iterable[int]) -> bytes:
    """resp-code-apnd = "APPENDUID" SP nz-number SP append-uid (RFC 4315 §4)"""
    return b"APPENDUID %d %b" % (uid_validity, uid_set(uids))


def copyuid(uid_validity: int, source: Iterable[int], target: Iterable[int]) -> bytes:
    """
    resp-code-copy = "COPYUID" SP nz-number SP uid-set SP uid-set (RFC 4315 §4)

    @param uid_validity: the target's.
    @param source: UIDs in the source, in the order of their copies C{target}.
    """
    return b"COPYUID %d %b %b" % (uid_validity, uid_set(source), uid_set(target))
