"""
The store itself: accounts, sinks, concurrent use, closing; and what survives the process.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.contract.storecase import (
    ALICE,
    ARCHIVE,
    BOB,
    DATE,
    SENT,
    StoreCase,
    content,
    everything,
    fill,
    flags,
    listed,
    message,
    shown,
    subjects,
    uids_in,
    verify,
    view_of,
)
from tests.fakes.running import PumpedReactor
from trekd.errors import OverQuota, StoreBusy, StoreFull
from trekd.store.interfaces import Column, FlagOperation, IAccountStore, IMessageSink, IStore, NewMessage
from trekd.values import INBOX, Flag, MailboxName, PrincipalId

TRICKS = (
    "../x@example.com",
    "../../../../tmp/x@example.com",
    "a/b@example.com",
    "a\\b@example.com",
    "a%2fb@example.com",
    "a\nb@example.com",
    "a'b\"c@example.com",
    "~root@example.com",
    ".@example.com",
    "..",
    "-rf@example.com",
    "a?mode=memory&cache=shared@example.com",
    "a#fragment@example.com",
    "con@example.com",
    "jörg@exämple.com",
    "jorg@example.com",
    "\u65e5\u672c\u8a9e@\u4f8b\u3048.jp",
    "x" * 64 + "@" + ".".join(["y" * 60] * 4),
    "x" * 64 + "@" + ".".join(["y" * 60] * 3 + ["y" * 59 + "z"]),
    "\u65e5" * 21 + "@" + ".".join(["\u672c" * 20] * 6),
)
"""Principals that a careless store would take for paths, or for one another."""


@implementer(IMessageSink)
class FullSink:
    """A sink whose file could not be written."""

    size = 10

    def write(self, octets: bytes) -> None:
        """Lose the octets."""

    async def octets(self) -> bytes:
        """There are none."""
        raise StoreFull("a full disk")

    async def read(self, offset: int, length: int) -> bytes:
        """Nor is there any piece."""
        raise StoreFull("a full disk")

    def discard(self) -> None:
        """Nothing is left to free."""


class AccountRules(StoreCase):
    """Tests of accounts."""

    async def test_interfaces_are_provided(self, reactor: PumpedReactor, store: IStore, alice: IAccountStore) -> None:
        """Every method with its arguments."""
        assert verifyObject(IStore, store)
        assert verifyObject(IAccountStore, alice)
        assert verifyObject(IMessageSink, store.receive())
        assert alice.principal == ALICE

    # Accounts

    async def test_accounts_are_apart(self, reactor: PumpedReactor, store: IStore, alice: IAccountStore) -> None:
        """Nothing of one is seen in another."""
        bob = await store.open(BOB)
        await fill(alice, 3)
        await alice.create(MailboxName("private"))
        assert await uids_in(bob) == []
        assert await bob.usage() == (0, 0)
        assert MailboxName("private") not in [state.name for state in await bob.mailboxes()]
        assert await store.accounts() == (ALICE, BOB)

    async def test_holders_share_an_account(self, reactor: PumpedReactor, store: IStore, alice: IAccountStore) -> None:
        """What one does the other sees."""
        other = await store.open(ALICE)
        await fill(alice, 2)
        assert await uids_in(other) == [1, 2]
        assert await store.accounts() == (ALICE,)

    async def test_principals_are_never_paths(self, reactor: PumpedReactor, store: IStore, tmp_path: Path) -> None:
        """Each gets an account of its own; nothing is made outside the store's directory."""
        beside = set(tmp_path.parent.iterdir())
        for text in TRICKS:
            account = await store.open(PrincipalId(text))
            await account.append(INBOX, [message(f"for number {TRICKS.index(text)}")])
        assert await store.accounts() == tuple(sorted(map(PrincipalId, TRICKS)))
        for text in TRICKS:
            account = await store.open(PrincipalId(text))
            assert account.principal == text
            assert await subjects(account) == [f"for number {TRICKS.index(text)}"]
        assert set(tmp_path.parent.iterdir()) == beside
        await store.remove(PrincipalId(TRICKS[0]))
        assert await store.accounts() == tuple(sorted(map(PrincipalId, TRICKS[1:])))

    async def test_removed_account_is_gone(self, reactor: PumpedReactor, store: IStore, alice: IAccountStore) -> None:
        """With all in it; a later one of that name begins anew, with other identifiers."""
        bob = await store.open(BOB)
        await fill(bob, 1)
        before = await alice.mailboxes()
        big = NewMessage(content(text=b"x" * 300_000))
        await alice.append(INBOX, [big, message("small")])
        await store.remove(ALICE)
        assert await store.accounts() == (BOB,)
        await store.remove(ALICE)
        await store.remove(PrincipalId("nobody@example.com"))
        fresh = await store.open(ALICE)
        assert await uids_in(fresh) == []
        assert await fresh.usage() == (0, 0)
        assert not {state.id for state in before} & {state.id for state in await fresh.mailboxes()}
        assert await uids_in(bob) == [1]

    # Sinks

    @pytest.mark.parametrize("size", [0, 1, 100, 70_000, 3_000_000])
    async def test_sink_keeps_octets(
        self, reactor: PumpedReactor, store: IStore, alice: IAccountStore, size: int
    ) -> None:
        """Small and large, in whatever portions they come; for several accounts."""
        whole = (content("sunk", bytes(range(256))) * (size // 256 + 1))[:size]
        sink = store.receive()
        for start in range(0, size, 40_001):
            waiting = sink.write(whole[start : start + 40_001])
            if waiting is not None:
                await waiting
        assert sink.size == size
        assert await sink.octets() == whole
        bob = await store.open(BOB)
        prefix = b"Return-Path: <>\r\n"
        await alice.append(INBOX, [NewMessage(sink, prefix), message("other")])
        await bob.append(INBOX, [NewMessage(sink)])
        await bob.append(SENT, [NewMessage(sink), NewMessage(sink)])
        sink.discard()
        sink.discard()
        view = await view_of(alice)
        literal = b"{%d}\r\n" % (size + len(prefix)) + prefix + whole
        assert await listed(alice, view, (Column.OCTETS,), (range(1),)) == literal
        assert await listed(bob, await view_of(bob), (Column.OCTETS,)) == b"{%d}\r\n" % size + whole
        assert (await bob.usage())[0] == 3 * size

    async def test_discarded_sink_leaves_nothing(
        self, reactor: PumpedReactor, store: IStore, alice: IAccountStore, tmp_path: Path
    ) -> None:
        """No file, however much was written."""
        before = _files(tmp_path)
        sink = store.receive()
        for _ in range(10):
            waiting = sink.write(b"x" * 100_000)
            if waiting is not None:
                await waiting
        sink.discard()
        assert _files(tmp_path) == before

    async def test_failed_sink_fails_the_whole_append(
        self, reactor: PumpedReactor, store: IStore, alice: IAccountStore
    ) -> None:
        """StoreFull, and none of the messages is added; changes asked for meanwhile are made."""
        before = await alice.mailboxes()
        bad = NewMessage(FullSink())
        failing = reactor.start(alice.append(INBOX, [message("one"), bad, message("two")]))
        good = reactor.start(alice.append(SENT, [message("three")]))
        with pytest.raises(StoreFull):
            reactor.finish(failing)
        reactor.finish(good)
        assert (await alice.mailboxes())[0] == before[0]
        assert await subjects(alice, SENT) == ["three"]
        assert list((await fill(alice, 1)).uids) == [1]

    async def test_one_sink_goes_to_many_accounts_at_once(self, reactor: PumpedReactor, store: IStore) -> None:
        """As a delivery to many recipients does."""
        whole = content("to all", b"x" * 150_000)
        sink = store.receive()
        waiting = sink.write(whole)
        if waiting is not None:
            await waiting
        accounts = [await store.open(PrincipalId(f"user{number}@example.com")) for number in range(10)]
        started = [reactor.start(account.append(INBOX, [NewMessage(sink)])) for account in accounts]
        for each in started:
            reactor.finish(each)
        sink.discard()
        for account in accounts:
            view = await view_of(account)
            assert await listed(account, view, (Column.OCTETS,)) == b"{%d}\r\n" % len(whole) + whole

    # Concurrency

    async def test_concurrent_appends_all_arrive(
        self, reactor: PumpedReactor, store: IStore, alice: IAccountStore
    ) -> None:
        """Each once, with UIDs in the order of the calls."""
        other = await store.open(ALICE)
        started = [
            reactor.start((alice, other)[number % 2].append(INBOX, [message(f"m{number}"), message(f"n{number}")]))
            for number in range(100)
        ]
        appended = [reactor.finish(each) for each in started]
        assert [list(each.uids) for each in appended] == [[2 * n + 1, 2 * n + 2] for n in range(100)]
        expected = [subject for number in range(100) for subject in (f"m{number}", f"n{number}")]
        assert await subjects(alice) == expected
        assert (await alice.mailbox(INBOX)).total == 200

    async def test_failing_change_harms_no_other(self, reactor: PumpedReactor, store: IStore) -> None:
        """Of changes asked for together, only the refused one is missing."""
        alice = await store.open(ALICE, 100 * len(content("m1")))
        huge = NewMessage(b"x" * 100_000)
        nowhere = MailboxName("nowhere")
        good = [reactor.start(alice.append(INBOX, [message(f"m{number}")])) for number in range(3)]
        bad: list[Any] = [reactor.start(alice.append(INBOX, [message("lost"), huge]))]
        bad.append(reactor.start(alice.append(nowhere, [message("lost")])))
        bad.append(reactor.start(alice.create(SENT)))
        good += [reactor.start(alice.append(INBOX, [message(f"m{number}")])) for number in range(3, 6)]
        for each in good:
            reactor.finish(each)
        for each, error in zip(bad, ("OverQuota", "NoSuchMailbox", "MailboxExists"), strict=True):
            with pytest.raises(Exception) as failure:
                reactor.finish(each)
            assert failure.type.__name__ == error
        assert await subjects(alice) == [f"m{number}" for number in range(6)]
        assert await uids_in(alice) == [1, 2, 3, 4, 5, 6]

    async def test_changes_keep_the_order_of_calls(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Each sees what those before it did."""
        name = MailboxName("a")
        started: list[Any] = [
            reactor.start(alice.create(name)),
            reactor.start(alice.append(name, [message("one", "\\Deleted"), message("two")])),
            reactor.start(alice.rename(name, MailboxName("b"))),
            reactor.start(alice.append(MailboxName("b"), [message("three")])),
            reactor.start(alice.create(name)),
            reactor.start(alice.append(name, [message("four")])),
            reactor.start(alice.delete(name)),
        ]
        for each in started:
            reactor.finish(each)
        assert await subjects(alice, MailboxName("b")) == ["one", "two", "three"]
        assert await alice.usage() == (
            sum(len(content(subject)) for subject in ("one", "two", "three")),
            3,
        )

    async def test_readers_see_whole_commits(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Ten messages come and go at a time; nobody ever counts others than multiples of ten."""
        writes: list[Any] = []
        reads: list[Any] = []
        for _ in range(10):
            writes.append(reactor.start(fill(alice, 10, INBOX, "\\Deleted")))
            reads.append(reactor.start(alice.mailboxes()))
            reads.append(reactor.start(alice.open(INBOX)))
        view = reactor.finish(reactor.start(view_of(alice)))
        writes.append(reactor.start(alice.move(view, everything(view), SENT)))
        reads.append(reactor.start(alice.mailboxes()))
        writes.append(reactor.start(alice.expunge(view.mailbox)))
        reads.append(reactor.start(alice.mailboxes()))
        for each in writes:
            reactor.finish(each)
        for each in reads:
            seen = reactor.finish(each)
            if isinstance(seen, tuple):
                totals = {state.name: state.total for state in seen}
                assert totals[INBOX] % 10 == 0
                assert totals[INBOX] + totals[SENT] in range(0, 110, 10)
            else:
                assert seen.state.total == len(seen.view.uids)
                assert seen.state.modseq == seen.view.modseq
                assert len(seen.view.uids) % 10 == 0

    async def test_many_accounts_at_once(self, reactor: PumpedReactor, store: IStore) -> None:
        """Also more than are kept open."""
        principals = [PrincipalId(f"user{number}@example.com") for number in range(40)]
        accounts = [await store.open(principal) for principal in principals]
        for _ in range(2):
            started = [reactor.start(fill(account, 2)) for account in accounts]
            for each in started:
                reactor.finish(each)
        for account in accounts:
            assert await uids_in(account) == [1, 2, 3, 4]
        assert await store.accounts() == tuple(sorted(principals))

    # Closing

    async def test_close_finishes_what_was_accepted(self, reactor: PumpedReactor, tmp_path: Path) -> None:
        """And refuses what comes later; a second close ends well, too."""
        directory = tmp_path / "other"
        directory.mkdir()
        store = self.make_store(reactor, directory, self.make_reader())
        alice = await store.open(ALICE)
        started = [reactor.start(fill(alice, 2)) for _ in range(20)]
        closing = reactor.start(store.close())
        assert [list(reactor.finish(each).uids) for each in started] == [[2 * n + 1, 2 * n + 2] for n in range(20)]
        reactor.finish(closing)
        await store.close()
        for ask in (
            lambda: store.open(ALICE),
            lambda: store.accounts(),
            lambda: store.remove(ALICE),
            lambda: alice.mailboxes(),
            lambda: alice.open(INBOX),
            lambda: alice.usage(),
            lambda: fill(alice, 1),
            lambda: alice.create(MailboxName("late")),
        ):
            with pytest.raises(StoreBusy):
                await ask()


class Durability(StoreCase):
    """Tests of what is there after a restart."""

    async def test_everything_is_there_after_a_restart(self, reactor: PumpedReactor, tmp_path: Path) -> None:
        """Mailboxes with identifiers and counters, messages with flags and dates, subscriptions, quota's count."""
        directory = tmp_path / "kept"
        directory.mkdir()
        store = self.make_store(reactor, directory, self.make_reader())
        alice = await store.open(ALICE, 2_001_000)
        await alice.create(MailboxName("a/b"), ("\\Important",))
        await alice.subscribe(MailboxName("nowhere"))
        huge = NewMessage(content("huge", b"x" * 1_000_000), b"", flags("$big"), DATE)
        await alice.append(INBOX, [message("one", "\\Seen", "k"), message("two", "\\Deleted"), huge])
        view = await view_of(alice)
        await alice.copy(view, (range(1), range(2, 3)), SENT)
        await alice.expunge(view.mailbox)
        before = await self._summary(alice)
        await store.close()

        again = self.make_store(reactor, directory, self.make_reader())
        alice = await again.open(ALICE, 2_001_000)
        assert await again.accounts() == (ALICE,)
        assert await self._summary(alice) == before
        assert [each async for each in _octets(alice)] == [content("one"), content("huge", b"x" * 1_000_000)]
        with pytest.raises(OverQuota):
            await alice.append(INBOX, [huge])
        assert (await alice.open(INBOX)).keywords == (Flag("$big"), Flag("k"))
        changes = await alice.changes(view.mailbox, view.modseq)
        assert list(changes.view.uids) == [1, 3]
        assert list((await fill(alice, 1)).uids) == [4]
        assert (await alice.mailbox(INBOX)).modseq > max(state.modseq for state in before[0])
        await verify(again)
        await again.close()

    async def test_names_used_before_a_restart_get_greater_validity(
        self, reactor: PumpedReactor, tmp_path: Path
    ) -> None:
        """Also when the clock stands, or went back."""
        directory = tmp_path / "kept"
        directory.mkdir()
        store = self.make_store(reactor, directory, self.make_reader())
        alice = await store.open(ALICE)
        old = await alice.create(MailboxName("a"))
        await alice.delete(MailboxName("a"))
        await store.close()
        reactor.now -= 1000
        again = self.make_store(reactor, directory, self.make_reader())
        alice = await again.open(ALICE)
        new = await alice.create(MailboxName("a"))
        assert new.uid_validity > old.uid_validity
        assert new.modseq > old.modseq
        await verify(again)
        await again.close()

    async def test_nothing_is_recent_after_a_restart(self, reactor: PumpedReactor, tmp_path: Path) -> None:
        """What was there then was offered to sessions, or is old news (RFC 3501 §2.3.2)."""
        directory = tmp_path / "kept"
        directory.mkdir()
        store = self.make_store(reactor, directory, self.make_reader())
        alice = await store.open(ALICE)
        await fill(alice, 2)
        await store.close()
        again = self.make_store(reactor, directory, self.make_reader())
        alice = await again.open(ALICE)
        mailbox = (await alice.mailbox(INBOX)).id
        await fill(alice, 1)
        assert await alice.claim_recent(mailbox) == 3
        await verify(again)
        await again.close()

    async def test_removed_account_leaves_no_file(self, reactor: PumpedReactor, store: IStore, tmp_path: Path) -> None:
        """Large messages included."""
        await store.open(BOB)
        before = len(_files(tmp_path))
        alice = await store.open(ALICE)
        await alice.append(INBOX, [NewMessage(content(text=b"x" * 500_000), b"", flags("\\Deleted"))])
        view = await view_of(alice)
        await alice.copy(view, everything(view), ARCHIVE)
        await alice.change_flags(view, everything(view), FlagOperation.ADD, flags("\\Seen"))
        await store.remove(ALICE)
        assert len(_files(tmp_path)) <= before

    async def _summary(self, account: IAccountStore) -> tuple[Any, ...]:
        states = await account.mailboxes()
        lines = [
            await shown(account, column, state.name)
            for state in states
            for column in (Column.UID, Column.FLAGS, Column.INTERNALDATE, Column.MODSEQ, Column.SIZE, Column.ENVELOPE)
        ]
        return states, lines, await account.subscriptions(), await account.usage()


async def _octets(account: IAccountStore) -> Any:
    view = await view_of(account)
    for place in range(len(view.uids)):
        literal = await listed(account, view, (Column.OCTETS,), (range(place, place + 1),))
        yield literal.partition(b"\r\n")[2]


def _files(directory: Path) -> set[Path]:
    return {path for path in directory.rglob("*") if path.is_file()}
