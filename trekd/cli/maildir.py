"""
Mailboxes as a Maildir with its folders beside each other (Maildir++), as Dovecot and Courier keep them.

Dates are the files' times, flags are in the files' names; keywords are letters explained in C{dovecot-keywords}.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime

from trekd.cli.failures import CommandFailure
from trekd.cli.mbox import keyword
from trekd.errors import BadMailboxName, SyntaxFault
from trekd.imap.grammar.names import decode_utf7, encode_utf7
from trekd.values import INBOX, Flag, MailboxName
from trekd.web.messages import StoredMessage

_LETTERS = {
    "S": "\\Seen",
    "R": "\\Answered",
    "F": "\\Flagged",
    "D": "\\Draft",
    "T": "\\Deleted",
    "P": "$Forwarded",
}
_KEYWORDS = "dovecot-keywords"
_FULL_STOP = "&AC4-"
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def is_maildir(folder: str) -> bool:
    """Whether a folder is a Maildir."""
    return os.path.isdir(os.path.join(folder, "cur"))


# --- Reading --------------------------------------------------------------------------------------


def find_folders(maildir: str) -> Iterator[tuple[MailboxName, str]]:
    """
    A Maildir's mailboxes with their folders, INBOX first.

    @raise CommandFailure: a folder's name cannot be a mailbox's.
    """
    yield INBOX, maildir
    for entry in sorted(os.listdir(maildir)):
        folder = os.path.join(maildir, entry)
        if entry.startswith(".") and is_maildir(folder):
            yield _mailbox_name(entry[1:], folder), folder


def _mailbox_name(entry: str, folder: str) -> MailboxName:
    try:
        return MailboxName(MailboxName.DELIMITER.join(map(_unescaped, entry.split("."))))
    except BadMailboxName:
        raise CommandFailure(f"{folder}: its name cannot be a mailbox's") from None


def message_files(folder: str) -> list[str]:
    """The files of a folder's messages, oldest first."""
    found = []
    for part in ("cur", "new"):
        path = os.path.join(folder, part)
        if os.path.isdir(path):
            with os.scandir(path) as entries:
                found += [(each.stat().st_mtime, each.path) for each in entries if _is_message(each)]
    return [path for _, path in sorted(found, key=lambda each: (int(each[0]), os.path.basename(each[1])))]


def _is_message(entry: os.DirEntry[str]) -> bool:
    return entry.is_file() and not entry.name.startswith(".")


def read_message(path: str, keywords: dict[str, Flag]) -> StoredMessage:
    """
    Read one message.

    Line ends become CRLF, unless some are already: then the file holds the message as it was received.

    @param keywords: letter to keyword, from L{read_keywords}.
    """
    with open(path, "rb") as file:
        octets = file.read()
        time = os.fstat(file.fileno()).st_mtime
    if b"\r\n" not in octets:
        octets = octets.replace(b"\n", b"\r\n")
    letters = os.path.basename(path).rpartition(":2,")[2] if ":2," in os.path.basename(path) else ""
    flags = {Flag(_LETTERS[letter]) for letter in letters if letter in _LETTERS}
    flags |= {keywords[letter] for letter in letters if letter in keywords}
    return StoredMessage(octets, frozenset(flags), datetime.fromtimestamp(int(time), UTC))


def read_keywords(folder: str) -> dict[str, Flag]:
    """Letter to keyword; empty when the folder explains none."""
    try:
        with open(os.path.join(folder, _KEYWORDS), encoding="utf-8", errors="replace") as file:
            lines = [line.split() for line in file.read(64 * 1024).splitlines()]
    except FileNotFoundError:
        return {}
    words = {int(line[0]): keyword(line[1]) for line in lines if len(line) == 2 and line[0].isdecimal()}
    return {letter: flag for number, letter in enumerate(_ALPHABET) if (flag := words.get(number)) is not None}


# --- Writing --------------------------------------------------------------------------------------


class MaildirFolder:
    """Writes mailboxes as a Maildir."""

    def __init__(self, folder: str) -> None:
        self._root = folder
        self._folder = folder
        self._count = 0
        self._keywords: dict[Flag, str] = {}

    def begin(self, name: MailboxName) -> None:
        """What follows is in this mailbox."""
        self.close()
        entry = "" if name.is_inbox else "." + ".".join(_escaped(level) for level in name.levels)
        self._folder = os.path.join(self._root, entry) if entry else self._root
        for part in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(self._folder, part), 0o700)
        if entry:
            open(os.path.join(self._folder, "maildirfolder"), "xb").close()

    def add(self, message: StoredMessage) -> None:
        """Write a message."""
        self._count += 1
        time = int(message.internal_date.timestamp())
        octets = message.octets
        if octets.count(b"\n") == octets.count(b"\r\n"):
            octets = octets.replace(b"\r\n", b"\n")
        name = f"{time}.M{self._count}P{os.getpid()}.trekmail,S={len(octets)}:2,{self._letters(message.flags)}"
        path = os.path.join(self._folder, "cur", name)
        with open(path, "xb") as file:
            file.write(octets)
        os.utime(path, (time, time))

    def close(self) -> None:
        """Write down what the letters of this mailbox mean."""
        if self._keywords:
            with open(os.path.join(self._folder, _KEYWORDS), "x", encoding="utf-8") as file:
                file.writelines(f"{_ALPHABET.index(letter)} {flag}\n" for flag, letter in self._keywords.items())
            self._keywords = {}

    def _letters(self, flags: frozenset[Flag]) -> str:
        """Flags as letters in the order of the alphabet; of the keywords of a mailbox the first 26 have one."""
        letters = {letter for letter, flag in _LETTERS.items() if Flag(flag) in flags}
        for flag in sorted(flags):
            if flag.is_keyword and flag != Flag(_LETTERS["P"]):
                if flag not in self._keywords and len(self._keywords) < len(_ALPHABET):
                    self._keywords[flag] = _ALPHABET[len(self._keywords)]
                letters |= {self._keywords[flag]} if flag in self._keywords else set()
        return "".join(sorted(letters))


def _escaped(level: str) -> str:
    """A level as part of a folder's name; a full stop, which parts the levels, is written in base64."""
    return encode_utf7(level).decode("ascii").replace(".", _FULL_STOP)


def _unescaped(level: str) -> str:
    """The other way; what is no modified UTF-7 is taken as it stands, as newer Dovecots write it."""
    try:
        return ".".join(decode_utf7(os.fsencode(piece)) for piece in level.split(_FULL_STOP))
    except SyntaxFault:
        return level
