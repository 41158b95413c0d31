"""
A naive model of an account, and a machine that does the same at random to it and to a store.
"""

from __future__ import annotations

import shutil
import tempfile
from array import array
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.fakes.mime import PlainReader
from tests.fakes.running import PumpedReactor
from trekd.errors import MailboxExists, NoSuchMailbox, NotPermitted, Refused
from trekd.store.interfaces import (
    Column,
    FlagOperation,
    IStore,
    LineTemplate,
    MailboxView,
    MessageReader,
    NewMessage,
)
from trekd.store.terms import (
    AllOf,
    AnyOf,
    BodyText,
    HasFlag,
    HasUID,
    HeaderText,
    Not,
    Size,
    Term,
)
from trekd.values import DELETED, INBOX, SEEN, Flag, MailboxName, PrincipalId

T = TypeVar("T")
MakeStore = Callable[[PumpedReactor, Path, MessageReader], IStore]

BOUNDED = settings(
    max_examples=30,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

NAMES = st.sampled_from([MailboxName(text) for text in ("INBOX", "Sent", "a", "a/b", "a/b/b", "b", "c/a", "INBOX/x")])
FLAGS = st.frozensets(st.sampled_from([Flag(text) for text in ("\\Seen", "\\Deleted", "\\Flagged", "k1", "k2")]))
WORDS = st.sampled_from(["red", "green", "blue"])
SLICES = st.lists(st.booleans(), min_size=1, max_size=6)


@dataclass
class Letter:
    """A message of the model."""

    uid: int
    subject: str
    text: str
    flags: frozenset[Flag]

    @property
    def octets(self) -> bytes:
        """The whole message."""
        return f"Subject: {self.subject}\r\n\r\n{self.text}".encode()


@dataclass
class Box:
    """A mailbox of the model."""

    letters: list[Letter] = field(default_factory=list)
    uid_next: int = 1

    def add(self, subject: str, text: str, flags: frozenset[Flag]) -> int:
        """Add a message; its UID."""
        self.letters.append(Letter(self.uid_next, subject, text, flags))
        self.uid_next += 1
        return self.uid_next - 1

    def having(self, uids: list[int]) -> list[Letter]:
        """The messages with these UIDs."""
        return [letter for letter in self.letters if letter.uid in uids]


@dataclass
class Opened:
    """A view that a session might hold, with the mailbox it is of."""

    box: Box
    view: MailboxView


def terms() -> st.SearchStrategy[Term]:
    """Queries."""
    leaves: st.SearchStrategy[Term] = st.one_of(
        st.builds(HasFlag, st.sampled_from([Flag(text) for text in ("\\Seen", "\\Flagged", "k1", "K2", "k")])),
        st.builds(lambda uids: HasUID(array("I", sorted(uids))), st.frozensets(st.integers(1, 12))),
        st.builds(Size, st.none() | st.integers(10, 40), st.none() | st.integers(10, 40)),
        st.builds(HeaderText, st.just("Subject"), st.sampled_from(["", "RE", "green", "zzz"])),
        st.builds(BodyText, st.sampled_from(["red", "E", "Subject"]), st.booleans()),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(Not, inner),
            st.builds(AnyOf, st.lists(inner, max_size=3).map(tuple)),
            st.builds(AllOf, st.lists(inner, max_size=3).map(tuple)),
        ),
        max_leaves=6,
    )


def matches(term: Term, letter: Letter) -> bool:
    """Whether a message of the model matches."""
    match term:
        case HasFlag(flag):
            return flag in letter.flags
        case HasUID(uids):
            return letter.uid in list(uids)
        case Size(above, below):
            size = len(letter.octets)
            return (above is None or size > above) and (below is None or size < below)
        case HeaderText(_, text):
            return text.lower() in letter.subject
        case BodyText(text, header):
            return text.lower() in (letter.octets.decode() if header else letter.text).lower()
        case Not(inner):
            return not matches(inner, letter)
        case AnyOf(inners):
            return any(matches(inner, letter) for inner in inners)
        case AllOf(inners):
            return all(matches(inner, letter) for inner in inners)
        case _:
            raise AssertionError(term)


class StoreMachine(RuleBasedStateMachine):
    """
    Does the same to a store and to the model, and compares after each step.

    A provider's machine derives from this and sets C{make_store}.
    """

    make_store: MakeStore

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="storemodel"))
        self.reactor = PumpedReactor()
        self.store = type(self).make_store(self.reactor, self.directory, PlainReader())
        self.account = self.run(self.store.open(PrincipalId("alice@example.com")))
        states = self.run(self.account.mailboxes())
        self.boxes = {state.name: Box() for state in states}
        self.subscribed = {state.name for state in states}
        self.validity = {state.name: int(state.uid_validity) for state in states}
        self.modseqs = {state.name: int(state.modseq) for state in states}
        self.changed: set[MailboxName] = set()
        self.held: list[Opened] = []

    def teardown(self) -> None:
        """Everything checks clean."""
        try:
            assert self.run(self.account.check()) == ()
            self.run(self.store.close())
        finally:
            shutil.rmtree(self.directory)

    def run(self, awaitable: Awaitable[T]) -> T:
        """The awaitable's result."""
        return self.reactor.run(awaitable)

    def refused(self, awaitable: Awaitable[Any], error: type[Refused] | None) -> bool:
        """Run it; whether it was refused, as it must be when C{error} is given."""
        try:
            self.run(awaitable)
        except Refused as refusal:
            assert error is not None, refusal
            assert isinstance(refusal, error), refusal
            return True
        assert error is None
        return False

    # Mailboxes

    def _make(self, name: MailboxName) -> None:
        levels = name.levels
        for depth in range(1, len(levels) + 1):
            made = MailboxName("/".join(levels[:depth]))
            if made not in self.boxes:
                self.boxes[made] = Box()
                self.modseqs.pop(made, None)

    @rule(name=NAMES)
    def create(self, name: MailboxName) -> None:
        """CREATE."""
        if not self.refused(self.account.create(name), MailboxExists if name in self.boxes else None):
            self._make(name)

    @rule(name=NAMES)
    def delete(self, name: MailboxName) -> None:
        """DELETE."""
        error: type[Refused] | None = None
        if name == INBOX:
            error = NotPermitted
        elif name not in self.boxes:
            error = NoSuchMailbox
        if not self.refused(self.account.delete(name), error):
            del self.boxes[name]

    @rule(source=NAMES, aim=NAMES)
    def rename(self, source: MailboxName, aim: MailboxName) -> None:
        """RENAME."""
        below = source.text + "/"
        moving = {name for name in self.boxes if name == source or name.text.startswith(below)}
        pairs = {MailboxName(aim.text + name.text[len(source.text) :]): name for name in moving}
        error: type[Refused] | None = None
        if source == INBOX:
            error = MailboxExists if aim in self.boxes else None
        elif not moving:
            error = NoSuchMailbox
        elif aim.text.startswith(below):
            error = NotPermitted
        elif aim == source or ({aim} | pairs.keys()) & (self.boxes.keys() - moving):
            error = MailboxExists
        if self.refused(self.account.rename(source, aim), error):
            return
        if source == INBOX:
            self._make(aim)
            inbox = self.boxes[INBOX]
            for letter in inbox.letters:
                self.boxes[aim].add(letter.subject, letter.text, letter.flags)
                self.changed.add(INBOX)
                self.changed.add(aim)
            inbox.letters = []
        else:
            moved = {new: self.boxes.pop(old) for new, old in pairs.items()}
            validity = {new: self.validity[old] for new, old in pairs.items()}
            if aim.parent is not None:
                self._make(aim.parent)
            self.boxes.update(moved)
            self.validity.update(validity)
            for new in moved:
                self.modseqs.pop(new, None)

    @rule(name=NAMES, wanted=st.booleans())
    def subscribe(self, name: MailboxName, wanted: bool) -> None:
        """SUBSCRIBE, UNSUBSCRIBE."""
        if wanted:
            self.run(self.account.subscribe(name))
            self.subscribed.add(name)
        else:
            self.run(self.account.unsubscribe(name))
            self.subscribed.discard(name)

    # Messages

    @rule(name=NAMES, words=st.lists(st.tuples(WORDS, WORDS, FLAGS), max_size=4))
    def append(self, name: MailboxName, words: list[tuple[str, str, frozenset[Flag]]]) -> None:
        """APPEND."""
        letters = [Letter(0, *each) for each in words]
        messages = [NewMessage(letter.octets, flags=letter.flags) for letter in letters]
        if name not in self.boxes:
            self.refused(self.account.append(name, messages), NoSuchMailbox)
            return
        appended = self.run(self.account.append(name, messages))
        assert list(appended.uids) == [self.boxes[name].add(*each) for each in words]
        self._touch(name, bool(words))

    @rule(name=NAMES)
    def hold(self, name: MailboxName) -> None:
        """SELECT: keep the view for later."""
        if name in self.boxes:
            self.held = [*self.held[-3:], Opened(self.boxes[name], self.run(self.account.open(name)).view)]

    def _opened(self, which: int) -> Opened:
        if self.held:
            return self.held[which % len(self.held)]
        return Opened(self.boxes[INBOX], self.run(self.account.open(INBOX)).view)

    def _picked(self, opened: Opened, picks: list[bool]) -> tuple[tuple[range, ...], list[Letter]]:
        """Positions of a view, and the messages there that still exist."""
        uids = opened.view.uids
        places = [place for place in range(len(uids)) if picks[place % len(picks)]]
        there = opened.box in self.boxes.values() and [uids[place] for place in places]
        return tuple(range(place, place + 1) for place in places), opened.box.having(there or [])

    @rule(which=st.integers(0, 3), picks=SLICES, aim=NAMES, moving=st.booleans())
    def copy(self, which: int, picks: list[bool], aim: MailboxName, moving: bool) -> None:
        """COPY, MOVE."""
        opened = self._opened(which)
        positions, letters = self._picked(opened, picks)
        ask = (self.account.move if moving else self.account.copy)(opened.view, positions, aim)
        if aim not in self.boxes:
            self.refused(ask, NoSuchMailbox)
            return
        copied = self.run(ask)
        box = self.boxes[aim]
        assert list(copied.source) == [letter.uid for letter in letters]
        assert list(copied.target) == [box.add(letter.subject, letter.text, letter.flags) for letter in letters]
        assert copied.uid_validity == self.validity[aim]
        self._touch(aim, bool(letters))
        if moving:
            self._remove(opened.box, letters)

    @rule(which=st.integers(0, 3), picks=SLICES, operation=st.sampled_from(FlagOperation), flags=FLAGS)
    def store_flags(self, which: int, picks: list[bool], operation: FlagOperation, flags: frozenset[Flag]) -> None:
        """STORE."""
        opened = self._opened(which)
        positions, letters = self._picked(opened, picks)
        ask = self.account.change_flags(opened.view, positions, operation, flags)
        name = self._name_of(opened.box)
        if name is None:
            self.refused(ask, NoSuchMailbox)
            return
        changes = self.run(ask)
        changed = []
        for letter in letters:
            after = {"+": letter.flags | flags, "-": letter.flags - flags, "=": flags}[operation.value]
            if after != letter.flags:
                letter.flags = after
                changed.append(letter.uid)
        assert list(changes.changed) == changed
        self._touch(name, bool(changed))

    @rule(name=NAMES, among=st.none() | st.frozensets(st.integers(1, 12)))
    def expunge(self, name: MailboxName, among: frozenset[int] | None) -> None:
        """EXPUNGE, UID EXPUNGE."""
        if name in self.boxes:
            mailbox = self.run(self.account.mailbox(name)).id
            uids = None if among is None else array("I", sorted(among))
            gone = [
                letter
                for letter in self.boxes[name].letters
                if DELETED in letter.flags and (among is None or letter.uid in among)
            ]
            assert list(self.run(self.account.expunge(mailbox, uids))) == [letter.uid for letter in gone]
            self._remove(self.boxes[name], gone)

    @rule(which=st.integers(0, 3), query=terms())
    def search(self, which: int, query: Term) -> None:
        """SEARCH."""
        opened = self._opened(which)
        _, letters = self._picked(opened, [True])
        found = self.run(self.account.search(opened.view, query))
        assert list(found) == [letter.uid for letter in letters if matches(query, letter)]

    @rule(which=st.integers(0, 3), picks=SLICES)
    def fetch(self, which: int, picks: list[bool]) -> None:
        """FETCH."""
        opened = self._opened(which)
        positions, letters = self._picked(opened, picks)
        items = (Column.SEQ, b" ", Column.UID, b" ", Column.OCTETS, b"\n")
        listing = self.account.list_messages(opened.view, positions, LineTemplate(items))
        places = {uid: place for place, uid in enumerate(opened.view.uids, 1)}
        assert self.run(_joined(listing)) == b"".join(
            b"%d %d {%d}\r\n%b\n" % (places[letter.uid], letter.uid, len(letter.octets), letter.octets)
            for letter in letters
        )

    def _name_of(self, box: Box) -> MailboxName | None:
        return next((name for name, each in self.boxes.items() if each is box), None)

    def _touch(self, name: MailboxName, changed: bool) -> None:
        if changed:
            self.changed.add(name)

    def _remove(self, box: Box, letters: list[Letter]) -> None:
        gone = {letter.uid for letter in letters}
        box.letters = [letter for letter in box.letters if letter.uid not in gone]
        name = self._name_of(box)
        if name is not None:
            self._touch(name, bool(letters))

    # Comparing

    @invariant()
    def same(self) -> None:
        """Counters, UIDs, flags, subscriptions, sequences."""
        states = self.run(self.account.mailboxes())
        assert {state.name for state in states} == set(self.boxes)
        for state in states:
            box = self.boxes[state.name]
            assert (state.total, state.uid_next) == (len(box.letters), box.uid_next)
            assert state.unseen == sum(SEEN not in letter.flags for letter in box.letters)
            assert state.deleted == sum(DELETED in letter.flags for letter in box.letters)
            assert state.octets == sum(len(letter.octets) for letter in box.letters)
            assert state.subscribed == (state.name in self.subscribed)
            self._compare_versions(state.name, int(state.uid_validity), int(state.modseq))
        assert self.run(self.account.subscriptions()) == tuple(sorted(self.subscribed))
        assert self.run(self.account.usage()) == (
            sum(state.octets for state in states),
            sum(state.total for state in states),
        )
        for name in self.changed & self.boxes.keys():
            self._compare_messages(name)
        self.changed.clear()

    def _compare_versions(self, name: MailboxName, validity: int, modseq: int) -> None:
        before = self.modseqs.get(name)
        if before is not None and self.validity.get(name) == validity:
            assert (modseq > before) == (name in self.changed), name
        self.validity[name] = validity
        self.modseqs[name] = modseq

    def _compare_messages(self, name: MailboxName) -> None:
        selection = self.run(self.account.open(name))
        letters = self.boxes[name].letters
        assert list(selection.view.uids) == [letter.uid for letter in letters]
        unseen = [place for place, letter in enumerate(letters, 1) if SEEN not in letter.flags]
        assert selection.first_unseen == (unseen[0] if unseen else 0)
        positions = (range(len(letters)),)
        listing = self.account.list_messages(selection.view, positions, LineTemplate((Column.FLAGS, b"\n")))
        shown = [line.strip(b"()").split() for line in self.run(_joined(listing)).splitlines()]
        assert [set(each) for each in shown] == [{flag.text.encode() for flag in letter.flags} for letter in letters]
        in_use = {flag for letter in letters for flag in letter.flags if flag.is_keyword}
        assert in_use <= set(selection.keywords)


async def _joined(listing: Any) -> bytes:
    return b"".join([piece.octets async for piece in listing])
