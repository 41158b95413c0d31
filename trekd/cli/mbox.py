"""
Mailboxes as mbox files (RFC 4155, quoted the C{mboxrd} way): a folder of them, one for each mailbox.

What an mbox file cannot say is said as mail programs do: flags in Status, X-Status and X-Keywords fields, the
arrival in the C{From } line, in UTC.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import BinaryIO

from trekd.cli.failures import CommandFailure
from trekd.errors import BadMailboxName, SyntaxFault
from trekd.values import Flag, MailboxName
from trekd.web.messages import StoredMessage

SUFFIX = ".mbox"
MAX_MESSAGE = 1024**3
"""Octets of one message; a file without message separators is no mbox."""

_QUOTED = re.compile(rb">+From ")
_TO_QUOTE = re.compile(rb"^(?=>*From )", re.MULTILINE)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_ARRIVAL = re.compile(
    rb" ([A-Z][a-z]{2}) +(\d{1,2}) (\d\d):(\d\d)(?::(\d\d))?(?: [A-Z]{1,5})?(?: ([+-]\d{4}))? (\d{4})(?: ([+-]\d{4}))?"
)
_LETTERS = {"R": "\\Seen", "A": "\\Answered", "F": "\\Flagged", "T": "\\Draft", "D": "\\Deleted"}
_OWN_FIELDS = (b"status:", b"x-status:", b"x-keywords:")


# --- Reading --------------------------------------------------------------------------------------


def read_mbox(path: str) -> Iterator[tuple[StoredMessage, int]]:
    """
    Read a file's messages in order, each with the octets of the file it took.

    @raise CommandFailure: it is no mbox file.
    """
    with open(path, "rb") as file:
        separator = file.readline(MAX_MESSAGE)
        if separator.strip() and not separator.startswith(b"From "):
            raise CommandFailure(f"{path}: not an mbox file: its first line does not begin with 'From '")
        while separator:
            lines, following, took = _one_message(file, path)
            yield _message(separator, lines), took + len(separator)
            separator = following


def _one_message(file: BinaryIO, path: str) -> tuple[list[bytes], bytes, int]:
    """The lines up to the next separator, that separator ('' at the end), and the octets of the lines."""
    lines: list[bytes] = []
    took = 0
    after_blank = False
    for line in file:
        if after_blank and line.startswith(b"From "):
            return _without_last_blank(lines), line, took
        took += len(line)
        if took > MAX_MESSAGE:
            raise CommandFailure(f"{path}: a message is larger than {MAX_MESSAGE} octets")
        lines.append(line)
        after_blank = not line.rstrip(b"\r\n")
    return _without_last_blank(lines), b"", took


def _without_last_blank(lines: list[bytes]) -> list[bytes]:
    """The lines without the blank one before a separator, unless it ends the header."""
    bare = [bool(line.rstrip(b"\r\n")) for line in lines[-2:]]
    if lines and not bare[-1] and b"" in (line.rstrip(b"\r\n") for line in lines[:-1]):
        return lines[:-1]
    return lines


def _message(separator: bytes, lines: list[bytes]) -> StoredMessage:
    flags: set[Flag] = set()
    kept: list[bytes] = []
    in_header = True
    for line in lines:
        line = line.rstrip(b"\n").removesuffix(b"\r")
        in_header = in_header and bool(line)
        if in_header and line.lower().startswith(_OWN_FIELDS):
            flags |= _flags(line)
            continue
        kept.append(line[1:] if _QUOTED.match(line) else line)
    octets = b"\r\n".join([*kept, b""])
    return StoredMessage(octets, frozenset(flags), _arrival(separator) or _sent(octets))


def _flags(line: bytes) -> set[Flag]:
    """What a Status, X-Status or X-Keywords field says."""
    name, _, value = line.decode("ascii", "replace").partition(":")
    if name.lower() == "x-keywords":
        return {flag for word in value.split() if (flag := keyword(word)) is not None}
    return {Flag(_LETTERS[letter]) for letter in value if letter in _LETTERS}


def keyword(word: str) -> Flag | None:
    """A word as a keyword, C{None} when it cannot be one."""
    try:
        return Flag(word)
    except SyntaxFault:
        return None


def _arrival(separator: bytes) -> datetime | None:
    """The date of a C{From } line; UTC unless it names a zone in figures."""
    found = _ARRIVAL.search(separator)
    if found is None or found[1].decode() not in _MONTHS:
        return None
    zone = (found[6] or found[8] or b"+0000").decode()
    month = _MONTHS.index(found[1].decode()) + 1
    text = f"{found[7].decode()}-{month:02}-{int(found[2]):02}T{found[3].decode()}:{found[4].decode()}"
    try:
        return datetime.fromisoformat(f"{text}:{(found[5] or b'00').decode()}{zone[:3]}:{zone[3:]}")
    except ValueError:
        return None


def _sent(octets: bytes) -> datetime:
    """The Date field, now when there is no usable one."""
    found = re.search(rb"^Date:[ \t]*([^\r\n]{1,100})", octets.partition(b"\r\n\r\n")[0], re.MULTILINE | re.IGNORECASE)
    try:
        date = parsedate_to_datetime(found[1].decode("ascii", "replace")) if found else datetime.now(UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        return datetime.now(UTC)
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def find_mboxes(folder: str) -> Iterator[tuple[MailboxName, str]]:
    """
    The mailboxes of a folder that L{MboxFolder} wrote, or of one like it, with their files.

    @raise CommandFailure: a file's name cannot be a mailbox's.
    """
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for file in sorted(files):
            if file.endswith(SUFFIX):
                path = os.path.join(parent, file)
                levels = os.path.relpath(path, folder)[: -len(SUFFIX)].split(os.sep)
                yield _mailbox_name(levels, path), path


def _mailbox_name(levels: Iterable[str], path: str) -> MailboxName:
    try:
        return MailboxName(MailboxName.DELIMITER.join(map(_unescaped, levels)))
    except BadMailboxName:
        raise CommandFailure(f"{path}: its name cannot be a mailbox's") from None


# --- Writing --------------------------------------------------------------------------------------


class MboxFolder:
    """Writes mailboxes as files C{Name.mbox} in a folder; levels of names are folders."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._file: BinaryIO | None = None

    def begin(self, name: MailboxName) -> None:
        """What follows is in this mailbox."""
        self.close()
        *above, last = map(_escaped, name.levels)
        folder = os.path.join(self._folder, *above)
        os.makedirs(folder, 0o700, exist_ok=True)
        self._file = open(os.path.join(folder, last + SUFFIX), "xb")  # noqa: SIM115 - closed by close()

    def add(self, message: StoredMessage) -> None:
        """Write a message."""
        assert self._file is not None
        header, blank, body = message.octets.partition(b"\r\n\r\n")
        fields = _status_fields(message.flags)
        arrival = message.internal_date.astimezone(UTC)
        day, month = _DAYS[arrival.weekday()], _MONTHS[arrival.month - 1]
        date = f"{day} {month} {arrival.day:2} {arrival:%H:%M:%S} {arrival.year:04}"
        whole = header + b"".join(b"\r\n" + field for field in fields) + blank + body if blank else message.octets
        text = _TO_QUOTE.sub(b">", whole.replace(b"\r\n", b"\n"))
        end = b"\n" if text.endswith(b"\n") else b"\n\n"
        self._file.write(b"From MAILER-DAEMON %b\n%b%b" % (date.encode(), text, end))

    def close(self) -> None:
        """Finish the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _status_fields(flags: frozenset[Flag]) -> list[bytes]:
    system = {str(flag) for flag in flags if not flag.is_keyword}
    letters = "".join(letter for letter in "AFTD" if _LETTERS[letter] in system)
    keywords = " ".join(sorted(str(flag) for flag in flags if flag.is_keyword))
    fields = [f"Status: {'RO' if _LETTERS['R'] in system else 'O'}"]
    fields += [f"X-Status: {letters}"] if letters else []
    fields += [f"X-Keywords: {keywords}"] if keywords else []
    return [field.encode() for field in fields]


def _escaped(level: str) -> str:
    """A level's name as a file's: no hidden file, and no folder that looks like another mailbox's file."""
    level = level.replace("%", "%25")
    if level.startswith("."):
        level = "%2E" + level[1:]
    return level[: -len(SUFFIX)] + "%2Embox" if level.endswith(SUFFIX) else level


def _unescaped(level: str) -> str:
    return level.replace("%2E", ".").replace("%25", "%")
