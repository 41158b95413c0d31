"""
A stream of mailboxes and messages between C{trekctl} and the store: what C{export} and C{import} read and write.

It is made of what the store renders anyway, so that an export is a copy of octets::

    = {5}CRLF INBOX CRLF                                       the messages that follow are in this mailbox
    * "17-Jul-1996 02:44:25 -0700" (\\Seen) {123}CRLF ... CRLF  one message
    .CRLF                                                      the stream is complete
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import BinaryIO

from trekd.errors import NoSuchMailbox, SyntaxFault
from trekd.store.interfaces import Column, IAccountStore, LineTemplate
from trekd.values import Flag, MailboxName

MAX_LINE = 64 * 1024
"""Octets of a line between messages: flags and a date."""

END = b".\r\n"

_TEMPLATE = LineTemplate((b"* ", Column.INTERNALDATE, b" ", Column.FLAGS, b" ", Column.OCTETS, b"\r\n"))
_MAILBOX = re.compile(rb"= \{(\d{1,5})\}\r\n")
_MESSAGE = re.compile(rb'\* "([^"\r\n]{26})" \(([^()\r\n]*)\) ~?\{(\d{1,12})\}\r\n')
_DATE = re.compile(r"([ \d]\d)-([A-Z][a-z]{2})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """
    One message as it lies in a mailbox.

    @ivar octets: with CRLF line ends.
    @ivar internal_date: with its zone.
    """

    octets: bytes
    flags: frozenset[Flag]
    internal_date: datetime


async def export(account: IAccountStore) -> AsyncIterator[bytes]:
    """Give an account's mailboxes and messages in pieces; what changes meanwhile may be missing or there."""
    for state in await account.mailboxes():
        try:
            view = (await account.open(state.name)).view
        except NoSuchMailbox:
            continue
        yield mailbox_record(state.name)
        if view.uids:
            async for piece in account.list_messages(view, (range(len(view.uids)),), _TEMPLATE):
                yield piece.octets
    yield END


def mailbox_record(name: MailboxName) -> bytes:
    """Write the beginning of a mailbox."""
    octets = str(name).encode()
    return b"= {%d}\r\n%b\r\n" % (len(octets), octets)


def message_record(message: StoredMessage) -> bytes:
    """Write a message."""
    flags = " ".join(sorted(map(str, message.flags)))
    line = f'* "{write_date(message.internal_date)}" ({flags}) {{{len(message.octets)}}}\r\n'
    return line.encode() + message.octets + b"\r\n"


def read_record(stream: BinaryIO) -> MailboxName | StoredMessage | None:
    """
    Read what comes next.

    @return: a mailbox, a message, or C{None} at the end of a complete stream.
    @raise SyntaxFault: neither; also when the stream breaks off.
    @raise BadMailboxName: no such mailbox can be.
    """
    line = stream.readline(MAX_LINE)
    if line == END:
        return None
    if mailbox := _MAILBOX.fullmatch(line):
        return MailboxName(_counted(stream, int(mailbox[1])).decode("utf-8", "replace"))
    message = _MESSAGE.fullmatch(line)
    if message is None:
        raise SyntaxFault("mailbox, message or end of the stream")
    date, flags = read_date(message[1].decode("ascii", "replace")), message[2].decode("ascii", "replace").split()
    kept = frozenset(Flag(flag) for flag in flags if flag != "\\Recent")
    return StoredMessage(_counted(stream, int(message[3])), kept, date)


def _counted(stream: BinaryIO, count: int) -> bytes:
    """Exactly so many octets and the CRLF behind them."""
    octets = stream.read(count)
    if len(octets) != count or stream.read(2) != b"\r\n":
        raise SyntaxFault(f"{count} octets and CRLF")
    return octets


def write_date(date: datetime) -> str:
    """Write a date with a zone as IMAP does (RFC 3501 §9, date-time), without quotes."""
    minutes = int((date.utcoffset() or timedelta()).total_seconds()) // 60
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    day = f"{date.day:2}-{_MONTHS[date.month - 1]}-{date.year:04}"
    return f"{day} {date.hour:02}:{date.minute:02}:{date.second:02} {sign}{hours:02}{rest:02}"


def read_date(text: str) -> datetime:
    """
    Read what L{write_date} wrote.

    @raise SyntaxFault: no such date.
    """
    match = _DATE.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        offset = timedelta(hours=int(match[8]), minutes=int(match[9])) * (-1 if match[7] == "-" else 1)
        year, month, day = int(match[3]), _MONTHS.index(match[2]) + 1, int(match[1])
        return datetime(year, month, day, int(match[4]), int(match[5]), int(match[6]), tzinfo=timezone(offset))
    except ValueError:
        raise SyntaxFault("date-time") from None
