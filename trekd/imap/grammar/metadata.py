"""
GETMETADATA's and SETMETADATA's arguments, octets to values (RFC 5464 §5).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from trekd.errors import LimitExceeded
from trekd.imap.grammar.tokens import Cursor
from trekd.values import MailboxName

T = TypeVar("T")

_ENTRY = re.compile(r"/(?:private|shared)(?:/[^/*%\x00-\x19\x7f-\xff]+)+", re.I | re.A)
_ENTRY_BELOW = re.compile(r"/(?:private|shared)(?:/[^/*%\x00-\x19\x7f-\xff]+)*", re.I | re.A)
_VENDOR = re.compile(r"/[^/]+/vendor(?:/[^/]+)?", re.I | re.A)
_OPTIONS = re.compile(rb"\((?:MAXSIZE|DEPTH) ", re.IGNORECASE)
_OPTION_NAMES = frozenset({"MAXSIZE", "DEPTH"})
_DEPTH = re.compile(rb"0|1|infinity", re.IGNORECASE)
_LONGEST_ENTRY = 255
_MOST_ENTRIES = 200


@dataclass(frozen=True, slots=True)
class MetadataOptions:
    """
    What GETMETADATA restricts and widens (RFC 5464 §4.2.1, §4.2.2).

    @ivar max_size: octets; larger values are left out, C{None} for none.
    @ivar depth: levels below the entries named that are told as well, C{None} for all.
    """

    max_size: int | None = None
    depth: int | None = 0


def read_get(cursor: Cursor) -> tuple[MailboxName | None, tuple[str, ...], MetadataOptions]:
    """
    getmetadata = "GETMETADATA" [SP getmetadata-options] SP mailbox SP entries, behind the command's name.

    The options are taken behind the mailbox too, and entries without parentheses, as RFC 5464's examples have them.

    @return: the mailbox, C{None} for the server, the entries as sent, and the options.
    """
    cursor.sp()
    options = MetadataOptions()
    if cursor.peek() == b"(":
        options = _options(cursor)
        cursor.sp()
    mailbox = _mailbox(cursor)
    cursor.sp()
    if cursor.test(_OPTIONS):
        options = _options(cursor)
        cursor.sp()
    whole = _ENTRY if options.depth == 0 else _ENTRY_BELOW
    if cursor.peek() == b"(":
        return mailbox, entries(cursor, whole), options
    found = [_entry(cursor, whole)]
    while not cursor.at_end:
        cursor.sp()
        found.append(_entry(cursor, whole))
    return mailbox, _bounded(found), options


def read_set(cursor: Cursor) -> tuple[MailboxName | None, tuple[tuple[str, bytes | None], ...]]:
    """
    setmetadata = "SETMETADATA" SP mailbox SP "(" entry SP value *(SP entry SP value) ")", behind the command's name.

    @return: the mailbox, C{None} for the server, and the entries with their values.
    """
    cursor.sp()
    mailbox = _mailbox(cursor)
    cursor.sp()

    def entry_value() -> tuple[str, bytes | None]:
        entry = _entry(cursor, _ENTRY).lower()
        cursor.sp()
        return entry, cursor.nstring()

    return mailbox, _bounded(cursor.some_of(entry_value))


def entries(cursor: Cursor, pattern: re.Pattern[str] = _ENTRY) -> tuple[str, ...]:
    """"(" entry *(SP entry) ")\""""
    return _bounded(cursor.some_of(lambda: _entry(cursor, pattern)))


def _bounded(found: Sequence[T]) -> tuple[T, ...]:
    if len(found) > _MOST_ENTRIES:
        raise LimitExceeded("entries")
    return tuple(found)


def _mailbox(cursor: Cursor) -> MailboxName | None:
    """mailbox, where the empty string is the server"""
    return None if cursor.skip(b'""') else cursor.mailbox()


def _options(cursor: Cursor) -> MetadataOptions:
    """"(" getmetadata-option *(SP getmetadata-option) ")\""""
    max_size: list[int] = []
    depths: list[int | None] = [0]

    def option() -> None:
        name = cursor.choice(_OPTION_NAMES, "getmetadata-option")
        cursor.sp()
        if name == "MAXSIZE":
            max_size.append(cursor.number64())
        else:
            depth = cursor.match(_DEPTH, "0, 1 or infinity")[0]
            depths.append(int(depth) if depth.isdigit() else None)

    cursor.some_of(option)
    return MetadataOptions(max_size[-1] if max_size else None, depths[-1])


def _entry(cursor: Cursor, pattern: re.Pattern[str]) -> str:
    """entry = astring; a slash-separated path below C{/private} or C{/shared} (RFC 5464 §3.2)"""
    entry = cursor.astring().decode("latin-1")
    if len(entry) > _LONGEST_ENTRY:
        raise LimitExceeded("entry")
    if not pattern.fullmatch(entry) or (pattern is _ENTRY and _VENDOR.fullmatch(entry)):
        cursor.fail("entry")
    return entry
