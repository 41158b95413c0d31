"""
Rendering of response lines: in SQL, many messages to a statement, or message by message where SQL cannot.

L{Rendering.read} is called in reader threads, one call at a time; between calls no database is held.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

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
FEWEST_DENSE = 32


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
        count = max(FEWEST_AT_ONCE, min(MOST_AT_ONCE, PIECE_OCTETS * 7 // 8 // self._expected))
        mark = self._places.mark()
        taken = self._places.take(count)
        sql = bulk.dense if taken.is_dense else bulk.sparse
        rendered = bulk.rendered(database.rows(sql, (*taken.parameters(self._base or 0), *bulk.constants))[0])
        if rendered is not None and rendered.messages:
            self._expected = rendered.read // rendered.messages + 1
        if rendered is None or len(rendered.octets) > PIECE_OCTETS:
            self._places.go_back(mark)
            return False
        if rendered.messages:
            cut.add_piece(rendered.octets, rendered.messages)
        return True

    def _read_steps(self, database: Database, cut: Cutter) -> None:
        """Render message by message, until enough octets are together or one has to come from its file."""
        taken = self._places.take(STEPS_AT_ONCE)
        lines = self._lines = self._lines or Lines(self._template)
        seq = 0
        missing: StoredMessage | None = None
        for message in self._stored(database, lines.dense if taken.is_dense else lines.sparse, taken):
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

    def _stored(self, database: Database, sql: str, taken: Taken) -> Iterator[StoredMessage]:
        for row in database.stream(sql, taken.parameters(self._base or 0)):
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


@dataclass(frozen=True, slots=True)
class Taken:
    """
    Places to be rendered by one statement.

    @ivar first: the first UID, or JSON as L{Bulk <trekd.store.sqlite.templates.Bulk>} takes it.
    @ivar last: the last UID when they have no gaps, else C{None}.
    @ivar seq: the sequence number of the first UID; 0 when the JSON has them.
    """

    first: int | str
    last: int | None
    seq: int

    @property
    def is_dense(self) -> bool:
        """Whether the UIDs have no gaps."""
        return self.last is not None

    def parameters(self, base: int) -> tuple[int | str | None, ...]:
        """For the statements of L{Bulk <trekd.store.sqlite.templates.Bulk>}."""
        if isinstance(self.first, int) and self.last is not None:
            return base + self.first, base + self.last, base, self.seq - base - self.first
        return self.first, None, base, self.seq


class Places:
    """The positions of a view that are still to be rendered."""

    def __init__(self, view: MailboxView, positions: tuple[range, ...]) -> None:
        self._uids = view.uids
        self._left = deque(range(span.start, min(span.stop, len(view.uids))) for span in positions if span)
        self._taken: list[range] = []

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

    def take(self, count: int) -> Taken:
        """The next positions, C{count} at most: those that have UIDs without gaps, when they are many or all."""
        first = self._left[0][:count]
        dense = first[: self._without_gaps(first)]
        if len(dense) >= min(count, FEWEST_DENSE) or (dense == self._left[0] and len(self._left) == 1):
            self._taken = [dense]
            self._drop(len(dense))
            return Taken(self._uids[dense[0]], self._uids[dense[-1]], dense[0] + 1)
        self._taken = []
        while self._left and count:
            span = self._left[0][:count]
            self._taken.append(span)
            self._drop(len(span))
            count -= len(span)
        if len(self._taken) == 1:
            return Taken(str(self._uids[span.start : span.stop].tolist()), None, span.start + 1)
        numbers = {place + 1: self._uids[place] for span in self._taken for place in span}
        return Taken(json.dumps(numbers), None, 0)

    def _without_gaps(self, span: range) -> int:
        """How many UIDs from the first of C{span} on follow one another."""
        uids = self._uids
        lead = uids[span[0]] - span[0]
        if uids[span[-1]] - span[-1] == lead:
            return len(span)
        return bisect_right(span, lead, key=lambda place: uids[place] - place)

    def _drop(self, count: int) -> None:
        """Take away from the first span."""
        rest = self._left.popleft()[count:]
        if rest:
            self._left.appendleft(rest)

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
