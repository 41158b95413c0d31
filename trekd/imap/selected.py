"""
The selected mailbox as one session knows it (RFC 3501 §5.2, §7.4.1).

The invariant: C{view} is what the client was told, nothing else.  What the store has since is learnt by
L{SelectedMailbox.announce} alone, which the session calls at the end of each command and IDLE at any time; until
then every sequence number means what it meant to the client.  Hints from the store cost nothing but a comparison
of integers; a command in a mailbox where nothing happened asks the store nothing.

Expunges are withheld while they would move sequence numbers under the client (after FETCH, STORE and SEARCH by
sequence number).  New messages and flags are announced all the same; the view is then one of our own, with the
expunged messages still in their places.

A STORE of the session's own that directly follows what the client knows, as the store says, needs no announcement: the
client knows that as well.  Otherwise all is announced, the session's own change included: which of two changes a
message's flags show cannot be told.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from trekd.imap.enabled import Enabled
from trekd.imap.grammar.sequence import SequenceSet
from trekd.imap.responses import flag_list
from trekd.imap.vanished import absent, among, runs, vanished
from trekd.imap.wire import Wire, send_listing
from trekd.store.interfaces import (
    Column,
    Extract,
    IAccountStore,
    LineTemplate,
    MailboxChanges,
    MailboxView,
    Selection,
)
from trekd.values import SYSTEM_FLAGS, Flag, MailboxId, MailboxName, ModSeq

Positions = tuple[range, ...]
"""0-based places in a view: ascending, disjoint ranges of step 1."""

_LOOK_ANYWAY = 60.0
"""Seconds after which the store is asked without any hint: a hint may be lost."""

@dataclass(frozen=True, slots=True)
class Told:
    """
    What is told of changes in the selected mailbox.

    @ivar flags: whether flags that others change.
    @ivar arrived: what to tell of new messages beside their number, as a template's items.
    """

    flags: bool = True
    arrived: tuple[bytes | Column | Extract, ...] = ()


EVERYTHING = Told()
"""What a client is told that asked for nothing else (RFC 3501 §5.2)."""

_FLAGS = (b"* ", Column.SEQ, b" FETCH (FLAGS ", Column.FLAGS, b")\r\n")
_UID_MODSEQ = (b"* ", Column.SEQ, b" FETCH (UID ", Column.UID, b" MODSEQ (", Column.MODSEQ, b"))\r\n")
_UID_MODSEQ_FLAGS = (*_UID_MODSEQ[:-1], b") FLAGS ", Column.FLAGS, b")\r\n")
_UID_FLAGS = (b"* ", Column.SEQ, b" FETCH (UID ", Column.UID, b" FLAGS ", Column.FLAGS, b")\r\n")


class SelectedMailbox:
    r"""
    A mailbox selected by one session.

    @ivar name: as it was selected.
    @ivar enabled: what the client turned on.
    @ivar view: the messages the client knows.
    @ivar recent_from: messages from this UID on are C{\Recent} in this session; 0 for none.
    @ivar saved: UIDs that the last SEARCH with SAVE found, gone ones among them (RFC 5182 §2.1).
    @ivar keywords: those the client was told of.
    @ivar owes_answer: L{must_tell} was called since the last announcement.
    """

    __slots__ = (
            "_checked",
        "_flags_told",
        "_hinted",
        "_modseq",
        "_own",
        "_top",
        "_withheld",
        "enabled",
        "keywords",
        "name",
        "owes_answer",
        "read_only",
        "recent_from",
        "saved",
        "store",
        "view",
    )

    def __init__(
        self,
        store: IAccountStore,
        selection: Selection,
        enabled: Enabled,
        *,
        read_only: bool,
        recent_from: int,
        now: float,
    ) -> None:
        self.store = store
        self.enabled = enabled
        self.name: MailboxName = selection.state.name
        self.read_only = read_only
        self.view = selection.view
        self.recent_from = recent_from
        self.keywords = selection.keywords
        self.saved = array("I")
        self._modseq: int = selection.view.modseq
        self._top = selection.state.uid_next - 1
        self._flags_told: int = selection.view.modseq
        self._own = array("I")
        self.owes_answer = False
        self._hinted = 0
        self._withheld = False
        self._checked = now

    @property
    def id(self) -> MailboxId:
        """The mailbox's identifier, the same after a RENAME."""
        return self.view.mailbox

    @property
    def modseq(self) -> int:
        """The modification sequence up to which the client was told everything."""
        return self._modseq

    @property
    def recent(self) -> int:
        r"""How many messages are C{\Recent} here."""
        if not self.recent_from:
            return 0
        return len(self.view.uids) - bisect_left(self.view.uids, self.recent_from)

    # --- What a client's numbers mean ---------------------------------------------------------------

    def positions(self, sequence_set: SequenceSet, uid: bool) -> Positions:
        """
        Where the messages named are in the view; UIDs that are not there are skipped.

        @param uid: whether the set has UIDs.
        @raise SyntaxFault: a sequence number is above the largest in use.
        """
        if sequence_set.is_saved:
            return self.positions_of(self.saved)
        if uid:
            return tuple(range(start, stop) for start, stop in sequence_set.index_ranges(self.view.uids))
        ranges = sequence_set.seq_ranges(len(self.view.uids))
        return tuple(range(first - 1, last) for first, last in ranges)

    def uids(self, sequence_set: SequenceSet) -> array[int]:
        """The UIDs of a set of UIDs that are in the view."""
        return self.saved if sequence_set.is_saved else sequence_set.present_in(self.view.uids)

    def positions_of(self, uids: array[int]) -> Positions:
        """Where UIDs are in the view, those skipped that are not there."""
        return positions_of(self.view.uids, uids)

    def sequence_numbers(self, uids: array[int]) -> array[int]:
        """The sequence numbers of UIDs that are all in the view; both ascending."""
        view = self.view.uids
        if len(uids) == len(view):
            return array("I", range(1, len(view) + 1))
        return array("I", (place + 1 for place in _places(view, uids)))

    # --- What happened since ------------------------------------------------------------------------

    def hint(self, modseq: int) -> bool:
        """
        The store committed something in this mailbox; whether it may be news to the client.
        """
        self._hinted = max(self._hinted, modseq)
        return modseq > self._modseq

    def needs_announcement(self, expunge: bool, now: float) -> bool:
        """Whether L{announce} may have something to say."""
        return (
            self._hinted > self._modseq or (self._withheld and expunge) or now - self._checked > _LOOK_ANYWAY
        )

    def own_change(self, changes: MailboxChanges) -> None:
        """
        Take note of flags that this session changed.

        @param changes: what C{change_flags} returned.
        """
        if changes.previous == self._modseq:
            if self._flags_told == self._modseq:
                self._flags_told = changes.view.modseq
            self._modseq = changes.view.modseq
        elif changes.view.modseq > self._modseq:
            self.must_look()

    def must_look(self) -> None:
        """Let the next L{announce} ask the store, hint or not."""
        self._checked = float("-inf")

    def must_tell(self) -> None:
        """A command of this session took messages out: the next L{announce} is its answer."""
        self.must_look()
        self.owes_answer = True

    def own_arrivals(self, uids: array[int]) -> None:
        """Take note of messages that this session put here: nothing but their number is news to the client."""
        self._own = self._own + uids

    async def announce(self, wire: Wire, expunge: bool, uid: bool, told: Told = EVERYTHING) -> None:
        """
        Tell the client what happened.

        @param expunge: whether EXPUNGE responses are allowed now (RFC 3501 §7.4.1).
        @param uid: whether FETCH responses must have the UID (RFC 3501 §6.4.8).
        @param told: what the client wants to know; flags that it is not told of now are kept for later.
        @raise NoSuchMailbox: it was deleted.
        """
        self.must_look()
        changes = await self.store.changes(self.id, ModSeq(self._flags_told if told.flags else self._modseq))
        arrived = self._arrivals(changes.view.uids)
        changed = changes.changed[: bisect_right(changes.changed, self._top)]
        if arrived and not self.read_only:
            await self._claim_recent()
        self._checked = wire.now()
        self._take_view(wire, changes.view, len(changes.view.uids) - len(arrived), arrived, expunge)
        if arrived:
            wire.write(b"* %d EXISTS\r\n* %d RECENT\r\n" % (len(self.view.uids), self.recent))
        self.announce_keywords(wire, changes.keywords)
        if changed and told.flags:
            await self.tell_flags(wire, self.positions_of(changed), uid)
        if arrived and told.arrived:
            await self._tell_arrivals(wire, arrived, told.arrived)
        self._own = array("I")
        self.owes_answer = False
        self._modseq = changes.view.modseq
        if told.flags:
            self._flags_told = self._modseq

    async def _tell_arrivals(
        self, wire: Wire, arrived: array[int], items: tuple[bytes | Column | Extract, ...]
    ) -> None:
        """Write a FETCH response for each new message that others brought (RFC 5465 §5.2)."""
        own = set(self._own)
        positions = self.positions_of(array("I", (uid for uid in arrived if uid not in own)))
        template = LineTemplate(items, self.recent_from)
        await send_listing(wire, self.store.list_messages(self.view, positions, template))

    def _arrivals(self, uids: array[int]) -> array[int]:
        """The UIDs that the client never heard of."""
        return uids[bisect_right(uids, self._top) :]

    def _take_view(
        self, wire: Wire, latest: MailboxView, survivors: int, arrived: array[int], expunge: bool
    ) -> None:
        """
        Make the view the latest one, and write EXPUNGE responses, or withhold them.

        @param survivors: how many of C{latest} the client knows.
        """
        known = self.view.uids
        if survivors == len(known):
            self.view = latest
            self._withheld = False
        elif expunge:
            gone = _vanished(known, latest.uids, survivors)
            if self.enabled.qresync:
                wire.write(vanished(runs(known[seq - 1] for seq in reversed([*gone])), earlier=False))
            else:
                wire.write(b"".join(b"* %d EXPUNGE\r\n" % seq for seq in gone))
            self.view = latest
            self._withheld = False
        else:
            self.view = MailboxView(latest.mailbox, latest.modseq, known + arrived) if arrived else self.view
            self._withheld = True
        if arrived:
            self._top = arrived[-1]

    async def _claim_recent(self) -> None:
        r"""
        New messages are C{\Recent} here unless another session was told of them first.

        Deviates from RFC 3501 §2.3.2: while a session shows recent messages, later ones are recent to it as well,
        told to another session or not; one number is all it keeps.
        """
        first = await self.store.claim_recent(self.id)
        if not self.recent:
            self.recent_from = first

    def announce_keywords(self, wire: Wire, keywords: tuple[Flag, ...]) -> None:
        """FLAGS and PERMANENTFLAGS when a keyword is in use that the client was not told of (RFC 3501 §7.2.6)."""
        if keywords != self.keywords and not set(keywords) <= set(self.keywords):
            self.keywords = keywords
            wire.write(flags_responses(keywords, self.read_only))

    async def tell_flags(self, wire: Wire, positions: Positions, uid: bool) -> int:
        """
        Write a FETCH response with the flags of each message that still exists.

        @param uid: whether with its UID.
        @return: how many there were.
        """
        items = _UID_MODSEQ_FLAGS if self.enabled.condstore else _UID_FLAGS if uid else _FLAGS
        template = LineTemplate(items, self.recent_from)
        return await send_listing(wire, self.store.list_messages(self.view, positions, template))

    async def tell_modseqs(self, wire: Wire, uids: array[int]) -> None:
        """Write a FETCH response with the modification sequence of each message that still exists."""
        listing = self.store.list_messages(self.view, self.positions_of(uids), LineTemplate(_UID_MODSEQ))
        await send_listing(wire, listing)

    async def tell_vanished(self, wire: Wire, known: SequenceSet, since: int, behind: int = 0) -> None:
        """
        Write which messages are gone that a client may still show (RFC 7162 §3.2.10.1); those in the view are left
        for the next announcement.

        @param known: the UIDs to tell of.
        @param since: the client knows of all expunges up to this modification sequence.
        @param behind: and of those of all UIDs up to this one.
        """
        present = self.view.uids
        expunged = await self.store.vanished(self.id, ModSeq(since))
        top = self._top
        gone = absent(known, top, present) if expunged is None else among(known, top, expunged, present)
        ranges = ((max(first, behind + 1), last) for first, last in gone if last > behind)
        wire.write(vanished(ranges, earlier=True))


def positions_of(view: array[int], uids: array[int]) -> Positions:
    """Where UIDs are among those of a view, those skipped that are not there; both ascending."""
    return tuple(_joined(_places(view, uids)))


def intersected(some: Positions, others: Positions) -> Positions:
    """The positions that are in both."""
    both = []
    others_left = iter(others)
    other = next(others_left, None)
    for span in some:
        while other is not None and other.start < span.stop:
            if other.stop > span.start:
                both.append(range(max(span.start, other.start), min(span.stop, other.stop)))
            if other.stop > span.stop:
                break
            other = next(others_left, None)
    return tuple(both)


def flags_responses(keywords: tuple[Flag, ...], read_only: bool) -> bytes:
    r"""
    FLAGS, and which of them can be changed for good (RFC 3501 §7.1, PERMANENTFLAGS; §7.2.6).

    C{\*} says that keywords can be made.
    """
    flags: tuple[Flag | str, ...] = (*SYSTEM_FLAGS, *keywords)
    permanent: tuple[Flag | str, ...] = () if read_only else (*flags, "\\*")
    return (
        b"* FLAGS " + flag_list(flags) + b"\r\n"
        b"* OK [PERMANENTFLAGS " + flag_list(permanent) + b"] Flags permitted\r\n"
    )


def _places(view: array[int], uids: array[int]) -> Iterator[int]:
    """The position in the view of each UID that is there; both ascending."""
    start = 0
    for uid in uids:
        start = bisect_left(view, uid, start)
        if start < len(view) and view[start] == uid:
            yield start


def _joined(places: Iterator[int]) -> Iterator[range]:
    """Ascending positions as ranges."""
    start = stop = -1
    for place in places:
        if place != stop:
            if start >= 0:
                yield range(start, stop)
            start = place
        stop = place + 1
    if start >= 0:
        yield range(start, stop)


def _vanished(known: array[int], survivors: array[int], count: int) -> Iterator[int]:
    """
    Sequence numbers of the messages expunged, descending, so that each is right when it is read.

    Stretches without a gap are passed over whole: the cost is that of the expunges, times a bisection.

    @param survivors: its first C{count} are a part of C{known}.
    """
    # Each entry: known[low:high] lost something exactly if it is longer than survivors[first:last].
    pending = [(0, len(known), 0, count)]
    while pending:
        low, high, first, last = pending.pop()
        if high - low == last - first:
            continue
        if first == last:
            yield from range(high, low, -1)
            continue
        middle = (low + high) // 2
        split = bisect_left(survivors, known[middle], first, last)
        pending.append((low, middle, first, split))
        pending.append((middle, high, split, last))
