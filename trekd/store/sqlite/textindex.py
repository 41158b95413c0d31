"""
The index of one account's text: which messages hold some text, without reading them.

It is a database of its own beside the account's (C{text.db}) and can be deleted at any time: every trigram of the
folded text of each message, with its places, so that a text of three characters or more is found exactly, across words
and punctuation.  Messages are added behind their commit, in the order of their row numbers, which only rise: those up
to the mark C{known} are in the index, what is behind it is asked message by message.  Messages that are gone stay until
they are many; whoever asks leaves them out by asking for rows that are there.

Of a long text the beginning is indexed; such messages are named as C{partial} and asked themselves as well.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import cast

from trekd.store.interfaces import MessageReader
from trekd.store.sqlite.database import Database, OpenDatabase, changing, reading, value
from trekd.store.sqlite.paths import AccountFiles
from trekd.store.terms import BodyText

CHARACTERS = 512 * 1024
"""How much of a header, and of the rest of a message, is indexed, in folded characters."""

OCTETS = 4 * CHARACTERS
"""How much of a text in a file is read for it, in octets."""

_VERSION = 1
_SCHEMA = (
    "CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), known INTEGER NOT NULL, messages INTEGER NOT NULL)"
    " STRICT",
    "CREATE TABLE partial (email INTEGER PRIMARY KEY) STRICT",
    "CREATE VIRTUAL TABLE trigrams USING fts5(header, body, tokenize = 'trigram case_sensitive 1', content = '',"
    " columnsize = 0)",
    "CREATE VIRTUAL TABLE terms USING fts5vocab(trigrams, row)",
    "INSERT INTO state VALUES (1, 0, 0)",
    f"PRAGMA user_version = {_VERSION}",
)

_SEPARATOR = "\ufffe"
"""Stands between texts, and twice at the end, so that the last characters begin trigrams too; no text holds it."""
_UNINDEXED = re.compile("[\0\ufffe\ud800-\udfff]")
_TRIGRAM = 3
_MOST_TERMS = 2_000
"""A text of one or two characters begins so many trigrams at most, or the messages are asked."""
_LONGEST = 256
_FEW = 1_000
"""So many messages that are gone do not matter."""


@dataclass(frozen=True, slots=True)
class Answers:
    """
    What the index knows.

    @ivar known: messages up to this row number are in it.
    @ivar partial: those of them whose text is too long for it.
    @ivar found: messages by what was asked; what is not there could not be answered.
    """

    known: int = 0
    partial: tuple[int, ...] = ()
    found: dict[BodyText, list[int]] = field(default_factory=dict)


@contextmanager
def opened(open_database: OpenDatabase, files: AccountFiles) -> Iterator[Database]:
    """
    The index, made when there is none or when it is of another version.

    @raise StoreCorrupt: it cannot be read; L{discard} it.
    @raise StoreFull: it cannot be made.
    """
    os.close(os.open(files.text_index, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    database = open_database(files.text_index)
    try:
        version = value(database, "PRAGMA user_version")
        if version == 0:
            with changing(database):
                for statement in _SCHEMA:
                    database.execute(statement)
        yield database
    finally:
        database.close()


def discard(files: AccountFiles) -> None:
    """Remove the index; it is made again."""
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            os.unlink(f"{files.text_index}{suffix}")


# --- Asking ---------------------------------------------------------------------------------------


def ask(open_database: OpenDatabase, files: AccountFiles, terms: Iterable[BodyText], reader: MessageReader) -> Answers:
    """
    What the index knows of some terms; nothing when there is none.

    @raise StoreCorrupt: as L{opened}.
    """
    if not files.text_index.exists():
        return Answers()
    with opened(open_database, files) as database, reading(database):
        known = value(database, "SELECT known FROM state")
        partial = tuple(email for (email,) in database.rows("SELECT email FROM partial"))
        found = {}
        for term in terms:
            expression = _expression(database, reader.fold(term.text), term.header)
            if expression is not None:
                rows = database.rows("SELECT rowid FROM trigrams WHERE trigrams MATCH ?", (expression,))
                found[term] = [email for (email,) in rows]
    return Answers(known, partial, found)


def _expression(database: Database, needle: str, header: bool) -> str | None:
    """What FTS5 is asked, C{None} where it cannot answer."""
    if not needle or len(needle) > _LONGEST or _UNINDEXED.search(needle):
        return None
    if len(needle) >= _TRIGRAM:
        phrases = _quoted(needle)
    else:
        rows = database.rows(
            "SELECT term FROM terms WHERE term >= ? AND term < ? LIMIT ?",
            (needle, needle + "\U0010ffff", _MOST_TERMS + 1),
        )
        if len(rows) > _MOST_TERMS:
            return None
        phrases = " OR ".join(_quoted(term) for (term,) in rows) or _quoted(needle)
    return phrases if header else f"body : ({phrases})"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


# --- Adding ---------------------------------------------------------------------------------------


def add(index: Database, mail: Database, files: AccountFiles, reader: MessageReader, most: int) -> int:
    """
    Add the next messages to the index, one transaction.

    @param mail: the account's database.
    @param most: messages.
    @return: how many were looked at; 0 when all are known.
    """
    with changing(index):
        known = value(index, "SELECT known FROM state")
        newest = value(mail, "SELECT max(id) FROM email") or 0
        if known > newest and value(mail, "SELECT modseq FROM account") << 20 <= known:
            _empty(index)  # the account was put back to an earlier day: row numbers mean other messages now
            known = 0
        rows = mail.rows(
            "SELECT email.id, parts, file, objectid, header, text FROM email LEFT JOIN body ON body.email = email.id"
            " WHERE email.id > ? ORDER BY email.id LIMIT ?",
            (known, most),
        )
        for email, parts, in_file, objectid, header, text in rows:
            if in_file:
                _add_file(index, email, files.body(objectid), parts, reader)
            else:
                _add(index, email, (header or b"") + (text or b""), parts, reader)
        if rows:
            index.execute("UPDATE state SET known = ?, messages = messages + ?", (rows[-1][0], len(rows)))
    return len(rows)


def is_mostly_gone(index: Database, mail: Database) -> bool:
    """Whether most of what is indexed is of messages that are gone."""
    known, messages = index.rows("SELECT known, messages FROM state")[0]
    there: int = value(mail, "SELECT count(*) FROM email WHERE id <= ?", (known,))
    return bool(messages > _FEW and there * 2 < messages)


def progress(index: Database, mail: Database) -> tuple[int, int]:
    """How many messages are indexed, and how many there are."""
    known = value(index, "SELECT known FROM state")
    done, total = mail.rows("SELECT count(*) FILTER (WHERE id <= ?), count(*) FROM email", (known,))[0]
    return done, total


def empty(index: Database) -> None:
    """Forget everything."""
    with changing(index):
        _empty(index)


def _empty(index: Database) -> None:
    index.execute("INSERT INTO trigrams (trigrams) VALUES ('delete-all')")
    index.execute("DELETE FROM partial")
    index.execute("UPDATE state SET known = 0, messages = 0")


def _add(index: Database, email: int, octets: bytes, parts: bytes, reader: MessageReader) -> None:
    header, is_header_whole = _joined(reader.texts(octets, parts, header=True))
    body, is_body_whole = _joined(reader.texts(octets, parts, header=False))
    if not (is_header_whole and is_body_whole):
        index.execute("INSERT OR REPLACE INTO partial (email) VALUES (?)", (email,))
    index.execute("INSERT INTO trigrams (rowid, header, body) VALUES (?, ?, ?)", (email, header, body))


def _joined(texts: Iterable[Iterable[str]]) -> tuple[str, bool]:
    """Folded texts as they are indexed, and whether that is all."""
    pieces: list[str] = []
    length = 0
    for text in texts:
        for piece in text:
            pieces.append(_UNINDEXED.sub(_SEPARATOR, piece))
            length += len(piece)
            if length > CHARACTERS:
                return "".join(pieces), False
        pieces.append(_SEPARATOR * (_TRIGRAM - 1))
    return "".join(pieces), True


def _add_file(index: Database, email: int, path: Path, parts: bytes, reader: MessageReader) -> None:
    """Add a large message, of which only the text is read; one that cannot be read has to be asked itself."""
    try:
        with open(path, "rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as octets:
            beginnings = _Beginnings(octets)
            _add(index, email, cast(bytes, beginnings), parts, reader)
            is_whole = not beginnings.were_cut
    except OSError:
        is_whole = False
    if not is_whole:
        index.execute("INSERT OR REPLACE INTO partial (email) VALUES (?)", (email,))


class _Beginnings:
    """
    The octets of a file, of any stretch no more than L{OCTETS}: a long text is indexed by its beginning in any case.

    @ivar were_cut: whether a stretch was longer.
    """

    def __init__(self, octets: mmap) -> None:
        self._octets = octets
        self.were_cut = False

    def __getitem__(self, stretch: slice) -> bytes:
        start, stop, _ = stretch.indices(len(self._octets))
        if stop - start > OCTETS:
            self.were_cut = True
            stop = start + OCTETS
        return self._octets[start:stop]
