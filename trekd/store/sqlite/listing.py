"""
Rendering of response lines: in SQL, many messages to a statement, or message by message where SQL cannot.

L{Rendering.read} is called in reader threads, one call at a time; between calls no database is held.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator

from trekd.errors import NoSuchMailbox, StoreCorrupt
from trekd.store.interfaces import LineTemplate, Listing, MailboxView
from trekd.store.rendering import PIECE_OCTETS
from trekd.store.sqlite import mailboxes
from trekd.store.sqlite.database import Database, value
from trekd.store.sqlite.lines import InFile, Lines, StoredMessage, in_file
from trekd.store.sqlite.paths import AccountFiles
from trekd.store.sqlite.templates import Bulk, bulk_of

READ_OCTETS = 4 * PIECE_OCTETS
"""A call of L{Rendering.read} ends when it has read so much, or somewhat more."""
MOST_AT_ONCE = 2000
FEWEST_AT_ONCE = 8
STEPS_AT_ONCE = 256


class Rendering:
    """One listing under way."""

    def __init__(
        self, view: MailboxView, positions: tuple[range, ...], template: LineTemplate, files: AccountFiles
    ) -> None:
        self._view = view
        self._template = template
        self._files = files
        self._places = Places(view, positions)
        self._bulk: Bulk | None = bulk_of(template)
        self._lines: Lines | None = None
        self._expected = self._bulk.octets_expected if self._bulk else 0
        self._base: int | None = None
        self._streaming: InFile | None = None

    def read(self, database: Database) -> tuple[list[Listing], bool]:
        """
        The next pieces.

        @return: them, and whether they are the last.
        """
        if self._base is None:
            try:
                self._base = mailboxes.identified(database, self._view.mailbox).base
            except NoSuchMailbox:
                return [], True
        cut = Cutter()
        while cut.octets < READ_OCTETS:
            if self._streaming is not None:
                self._stream(cut, self._streaming)
            elif self._places.at_end:
                return cut.finished(), True
            elif self._bulk is None or not self._read_bulk(database, self._bulk, cut):
                self._read_steps(database, cut)
        return cut.finished(), False

    def close(self) -> None:
        """Let go of an open file; nothing is read any more."""
        if self._streaming is not None:
            self._streaming.close()
            self._streaming = None
        self._places.end()

    def _read_bulk(self, database: Database, bulk: Bulk, cut: Cutter) -> bool:
        """
        Render many messages with one statement.

        @return: C{False} when some of them are too large for that; nothing was done.
        """
        count = max(FEWEST_AT_ONCE, min(MOST_AT_ONCE, PIECE_OCTETS * 3 // 4 // self._expected))
        mark = self._places.mark()
        wanted, first = self._places.take(count)
        octets, found, rendered = database.rows(bulk.sql, (wanted, self._base, first, *bulk.constants))[0]
        if found:
            self._expected = len(octets or b"") // found + 1
        if found != rendered or len(octets or b"") > PIECE_OCTETS:
            self._places.go_back(mark)
            return False
        if found:
            cut.add_piece(octets, found)
        return True

    def _read_steps(self, database: Database, cut: Cutter) -> None:
        """Render message by message, until enough octets are together or one has to come from its file."""
        wanted, first = self._places.take(STEPS_AT_ONCE)
        lines = self._lines = self._lines or Lines(self._template)
        seq = 0
        missing: StoredMessage | None = None
        for message in self._stored(database, lines.sql, wanted, first):
            seq = message.seq
            if lines.is_in_file(message):
                try:
                    self._streaming = in_file(self._template, message, self._files.body(message.objectid))
                except FileNotFoundError:
                    missing = message
                else:
                    cut.begin_message()
                break
            cut.add(lines.line(message))
            if cut.octets >= READ_OCTETS:
                break
        else:
            return
        self._places.go_back_behind(seq)
        if missing is not None and value(database, "SELECT 1 FROM slot WHERE key = ?", (self._key(missing),)):
            raise StoreCorrupt(f"{self._files.body(missing.objectid)} is missing")

    def _stored(self, database: Database, sql: str, wanted: str, first: int) -> Iterator[StoredMessage]:
        for row in database.stream(sql, (wanted, self._base, first)):
            yield StoredMessage(*row)

    def _stream(self, cut: Cutter, message: InFile) -> None:
        octets = message.read(PIECE_OCTETS)
        if octets:
            cut.extend(octets)
        else:
            message.close()
            self._streaming = None

    def _key(self, message: StoredMessage) -> int:
        return (self._base or 0) + message.uid


class Places:
    """The positions of a view that are still to be rendered."""

    def __init__(self, view: MailboxView, positions: tuple[range, ...]) -> None:
        self._uids = view.uids
        self._left = deque(range(span.start, min(span.stop, len(view.uids))) for span in positions if span)

    @property
    def at_end(self) -> bool:
        """Whether nothing is left."""
        return not self._left

    def mark(self) -> tuple[range, ...]:
        """Where we are, for L{go_back}."""
        return tuple(self._left)

    def go_back(self, mark: tuple[range, ...]) -> None:
        """What was taken since C{mark} is left again."""
        self._left = deque(mark)

    def end(self) -> None:
        """Leave nothing."""
        self._left.clear()

    def take(self, count: int) -> tuple[str, int]:
        """
        The next positions, C{count} at most.

        @return: JSON and a number which together give sequence numbers and UIDs: an array with the sequence number
            of its first UID, or an object from sequence numbers to UIDs with 0.
        """
        taken: list[range] = []
        while self._left and count:
            span = self._left.popleft()
            part, rest = span[:count], span[count:]
            count -= len(part)
            taken.append(part)
            if rest:
                self._left.appendleft(rest)
        self._taken = taken
        if len(taken) == 1:
            return str(self._uids[taken[0].start : taken[0].stop].tolist()), taken[0].start + 1
        return json.dumps({place + 1: self._uids[place] for span in taken for place in span}), 0

    def go_back_behind(self, seq: int) -> None:
        """What was taken by the last L{take} is left again from behind C{seq} on."""
        for span in reversed(self._taken):
            rest = range(max(span.start, seq), span.stop)
            if rest:
                self._left.appendleft(rest)


class Cutter:
    """
    Cuts what is rendered into pieces of at most L{PIECE_OCTETS}.

    @ivar octets: that came so far.
    """

    def __init__(self) -> None:
        self.octets = 0
        self._pieces: list[Listing] = []
        self._waiting: list[bytes] = []
        self._size = 0
        self._messages = 0

    def add(self, octets: bytes) -> None:
        """A whole message."""
        if self._size + len(octets) > PIECE_OCTETS:
            self._flush()
        self.begin_message()
        self.extend(octets)

    def begin_message(self) -> None:
        """A message begins, whose octets come through L{extend}."""
        if self._size >= PIECE_OCTETS:
            self._flush()
        self._messages += 1

    def extend(self, octets: bytes) -> None:
        """More of the message that began last."""
        self.octets += len(octets)
        while octets:
            if self._size >= PIECE_OCTETS:
                self._flush()
            part = octets[: PIECE_OCTETS - self._size]
            self._waiting.append(part)
            self._size += len(part)
            octets = octets[len(part) :]

    def add_piece(self, octets: bytes, messages: int) -> None:
        """Whole messages, which make a piece."""
        self._flush()
        self._pieces.append(Listing(octets, messages))
        self.octets += len(octets)

    def finished(self) -> list[Listing]:
        """All pieces."""
        self._flush()
        return self._pieces

    def _flush(self) -> None:
        if self._waiting or self._messages:
            self._pieces.append(Listing(b"".join(self._waiting), self._messages))
        self._waiting, self._size, self._messages = [], 0, 0
