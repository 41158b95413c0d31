"""
Flags, modification sequences, what changed, and the hints that say so.
"""

from __future__ import annotations

import threading

import pytest

from tests.contract.storecase import (
    ALICE,
    ARCHIVE,
    BOB,
    SENT,
    StoreCase,
    everything,
    fill,
    flags,
    message,
    shown,
    uid_set,
    uids_in,
    view_of,
)
from tests.fakes.running import PumpedReactor
from trekd.errors import NoSuchMailbox
from trekd.store.interfaces import Column, FlagOperation, IAccountStore, IStore
from trekd.values import INBOX, Flag, MailboxId, MailboxName, ModSeq

ADD, REMOVE, REPLACE = FlagOperation.ADD, FlagOperation.REMOVE, FlagOperation.REPLACE


class ChangeRules(StoreCase):
    """Tests of changes."""

    # Flags

    async def test_change_says_what_it_followed(self, alice: IAccountStore) -> None:
        """Who knew the mailbox at C{previous} knows it after the change: nobody else's came in between."""
        await fill(alice, 2)
        view = await view_of(alice)
        first = await alice.change_flags(view, everything(view), ADD, flags("\\Seen"))
        assert first.previous == view.modseq
        await fill(alice, 1, SENT)
        second = await alice.change_flags(view, everything(view), ADD, flags("\\Flagged"))
        assert second.previous == first.view.modseq
        await fill(alice, 1)
        third = await alice.change_flags(view, everything(view), REMOVE, flags("\\Flagged"))
        assert second.view.modseq < (third.previous or 0) < third.view.modseq

    @pytest.mark.parametrize(
        ("operation", "given", "expected"),
        [
            (ADD, ("\\Seen", "b"), [b"(\\Seen b)", b"(\\Seen a b)", b"(\\Flagged \\Seen b)"]),
            (REMOVE, ("\\Seen", "b"), [b"()", b"(a)", b"(\\Flagged)"]),
            (REPLACE, ("\\Draft",), [b"(\\Draft)"] * 3),
            (REPLACE, (), [b"()"] * 3),
            (ADD, (), [b"()", b"(\\Seen a)", b"(\\Flagged \\Seen b)"]),
        ],
    )
    async def test_flags_change(
        self,
        reactor: PumpedReactor,
        alice: IAccountStore,
        operation: FlagOperation,
        given: tuple[str, ...],
        expected: list[bytes],
    ) -> None:
        """RFC 3501 §6.4.6; only messages that differ now count as changed and get the new sequence."""
        start = [message("x"), message("x", "\\Seen", "a"), message("x", "\\Flagged", "\\Seen", "b")]
        await alice.append(INBOX, start)
        was = await shown(alice, Column.FLAGS)
        view = await view_of(alice)
        changes = await alice.change_flags(view, everything(view), operation, flags(*given))
        now = await shown(alice, Column.FLAGS)
        assert now == expected
        differing = [uid for uid, old, new in zip(view.uids, was, now, strict=True) if old != new]
        assert list(changes.changed) == differing
        sequences = [int(modseq) for modseq in await shown(alice, Column.MODSEQ)]
        state = await alice.mailbox(INBOX)
        assert changes.view.modseq == state.modseq
        assert state.modseq == (view.modseq if not differing else max(sequences))
        for uid, modseq in zip(view.uids, sequences, strict=True):
            assert (modseq > view.modseq) == (uid in differing)
        assert len(set(sequences)) <= 2
        assert state.unseen == sum(b"\\Seen" not in shown_flags for shown_flags in now)

    async def test_all_system_flags_in_order(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """System flags first, then keywords, each list in one order always."""
        await alice.append(
            INBOX, [message("x", "zz", "\\Draft", "$Forwarded", "\\Seen", "\\deleted", "\\FLAGGED", "\\Answered")]
        )
        assert await shown(alice, Column.FLAGS) == [
            b"(\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded zz)"
        ]

    async def test_case_of_keywords_is_ignored(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """RFC 9051 §2.3.2: one keyword, however it is written."""
        await alice.append(INBOX, [message("x", "Label")])
        view = await view_of(alice)
        changes = await alice.change_flags(view, everything(view), ADD, flags("LABEL"))
        assert list(changes.changed) == []
        assert len(changes.keywords) == 1
        assert changes.keywords[0] == Flag("label")
        await alice.change_flags(view, everything(view), REMOVE, flags("lABEL"))
        assert await shown(alice, Column.FLAGS) == [b"()"]

    async def test_keywords_in_use_are_known(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Sorted, of this mailbox only; new ones come with the change that brought them."""
        await alice.append(INBOX, [message("x", "c", "\\Seen", "$a"), message("x", "b")])
        await alice.append(SENT, [message("x", "elsewhere")])
        selection = await alice.open(INBOX)
        assert selection.keywords == (Flag("$a"), Flag("b"), Flag("c"))
        changes = await alice.change_flags(selection.view, (range(1),), ADD, flags("aa"))
        assert changes.keywords == (Flag("$a"), Flag("aa"), Flag("b"), Flag("c"))
        assert (await alice.changes(selection.state.id, selection.state.modseq)).keywords == changes.keywords

    async def test_expunged_messages_are_not_flagged(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Positions of messages that are gone do nothing."""
        await fill(alice, 3, INBOX, "\\Deleted")
        view = await view_of(alice)
        await alice.expunge(view.mailbox, uid_set(2))
        changes = await alice.change_flags(view, everything(view), ADD, flags("\\Seen"))
        assert list(changes.changed) == [1, 3]
        assert list(changes.view.uids) == [1, 3]

    async def test_only_the_positions_given_are_flagged(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Sparse and dense ranges."""
        await fill(alice, 6)
        view = await view_of(alice)
        await alice.change_flags(view, (range(1), range(2, 4), range(5, 6)), ADD, flags("\\Seen"))
        seen = [b"Seen" in shown_flags for shown_flags in await shown(alice, Column.FLAGS)]
        assert seen == [True, False, True, True, False, True]
        assert (await alice.open(INBOX)).first_unseen == 2
        assert list((await alice.change_flags(view, (), ADD, flags("\\Seen"))).changed) == []

    # Conditional changes (RFC 7162 §3.1.3)

    async def test_what_changed_meanwhile_is_left_alone(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """The others change; the messages refused are named."""
        await fill(alice, 4)
        view = await view_of(alice)
        await alice.change_flags(view, (range(1, 3),), ADD, flags("\\Flagged"))
        changes = await alice.change_flags(view, everything(view), ADD, flags("\\Deleted"), view.modseq)
        assert list(changes.changed) == [1, 4]
        assert list(changes.refused) == [2, 3]
        assert await shown(alice, Column.FLAGS) == [b"(\\Deleted)", b"(\\Flagged)", b"(\\Flagged)", b"(\\Deleted)"]
        again = await alice.change_flags(view, everything(view), ADD, flags("\\Deleted"), changes.view.modseq)
        assert (list(again.changed), list(again.refused)) == ([2, 3], [])

    async def test_what_is_as_wanted_is_not_refused(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """RFC 7162 §3.1.12: another change of the message is no conflict when it has the flags already."""
        await fill(alice, 2)
        view = await view_of(alice)
        await alice.change_flags(view, everything(view), ADD, flags("\\Seen", "\\Flagged"))
        changes = await alice.change_flags(view, everything(view), ADD, flags("\\Seen"), view.modseq)
        assert (list(changes.changed), list(changes.refused)) == ([], [])
        gone = await alice.change_flags(view, everything(view), REMOVE, flags("\\Draft"), view.modseq)
        assert (list(gone.changed), list(gone.refused)) == ([], [])
        replaced = await alice.change_flags(view, everything(view), REPLACE, flags("\\Seen"), view.modseq)
        assert (list(replaced.changed), list(replaced.refused)) == ([], [1, 2])

    async def test_zero_refuses_everything(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """RFC 7162 §3.1.3: C{UNCHANGEDSINCE 0} always fails."""
        await fill(alice, 2, INBOX, "\\Seen")
        view = await view_of(alice)
        changes = await alice.change_flags(view, everything(view), ADD, flags("\\Seen"), ModSeq(0))
        assert (list(changes.changed), list(changes.refused)) == ([], [1, 2])
        assert changes.view.modseq == view.modseq

    async def test_highest_modification_sequence(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Of the messages named that are there."""
        await fill(alice, 3)
        view = await view_of(alice)
        changes = await alice.change_flags(view, (range(1, 2),), ADD, flags("\\Seen"))
        assert await alice.highest_modseq(view.mailbox, uid_set(1, 3)) == view.modseq
        assert await alice.highest_modseq(view.mailbox, uid_set(1, 2, 9)) == changes.view.modseq
        assert await alice.highest_modseq(view.mailbox, uid_set(9)) == 0

    async def test_expunges_are_remembered(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Those behind a modification sequence, by EXPUNGE and by MOVE, in the mailbox that they left."""
        await fill(alice, 5, INBOX, "\\Deleted")
        view = await view_of(alice)
        assert list(await alice.vanished(view.mailbox, view.modseq) or ()) == []
        await alice.expunge(view.mailbox, uid_set(4))
        between = (await alice.mailbox(INBOX)).modseq
        await alice.move(view, (range(1, 2),), ARCHIVE)
        await alice.expunge(view.mailbox, uid_set(1))
        assert list(await alice.vanished(view.mailbox, view.modseq) or ()) == [1, 2, 4]
        assert list(await alice.vanished(view.mailbox, between) or ()) == [1, 2]
        archive = await alice.mailbox(ARCHIVE)
        assert list(await alice.vanished(archive.id, ModSeq(0)) or ()) == []
        with pytest.raises(NoSuchMailbox):
            await alice.vanished(MailboxId("gone"), ModSeq(0))

    # Opening and catching up

    async def test_selection_is_of_one_commit(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """State and view agree."""
        await alice.append(INBOX, [message("x", "\\Seen"), message("x", "\\Seen"), message("x")])
        selection = await alice.open(INBOX)
        assert selection.state == await alice.mailbox(INBOX)
        assert selection.view.mailbox == selection.state.id
        assert selection.view.modseq == selection.state.modseq
        assert selection.view.uids.typecode == "I"
        assert list(selection.view.uids) == [1, 2, 3]
        assert selection.first_unseen == 3
        assert (await alice.open(SENT)).first_unseen == 0
        view = selection.view
        await alice.change_flags(view, everything(view), ADD, flags("\\Seen"))
        assert (await alice.open(INBOX)).first_unseen == 0

    async def test_first_unseen_is_a_sequence_number(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Not a UID."""
        await alice.append(INBOX, [message("x", "\\Deleted"), message("x", "\\Seen"), message("x"), message("x")])
        await alice.expunge((await alice.mailbox(INBOX)).id)
        assert (await alice.open(INBOX)).first_unseen == 2

    async def test_changes_behind_a_sequence(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """New messages and other flags, each once, ascending; nothing twice."""
        await fill(alice, 3)
        start = await view_of(alice)
        quiet = await alice.changes(start.mailbox, start.modseq)
        assert list(quiet.changed) == []
        assert quiet.view.modseq == start.modseq
        assert quiet.view.uids == start.uids
        await alice.change_flags(start, (range(2, 3),), ADD, flags("\\Seen"))
        await fill(alice, 1)
        await alice.change_flags(start, (range(1),), ADD, flags("\\Deleted"))
        changes = await alice.changes(start.mailbox, start.modseq)
        assert list(changes.changed) == [1, 3, 4]
        assert changes.changed.typecode == "I"
        assert list(changes.view.uids) == [1, 2, 3, 4]
        await alice.expunge(start.mailbox)
        later = await alice.changes(start.mailbox, changes.view.modseq)
        assert list(later.changed) == []
        assert list(later.view.uids) == [2, 3, 4]
        assert later.view.modseq > changes.view.modseq
        assert list((await alice.changes(start.mailbox, ModSeq(0))).changed) == [2, 3, 4]

    async def test_highest_modseq_rises_once_per_change(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """One sequence for all messages of a change; never the same twice in an account; others stay."""
        seen = {state.modseq for state in await alice.mailboxes()}
        steps = 0
        untouched = await alice.mailbox(ARCHIVE)

        async def rose(name: MailboxName) -> ModSeq:
            nonlocal steps
            steps += 1
            modseq = (await alice.mailbox(name)).modseq
            assert modseq > max(seen)
            seen.add(modseq)
            return modseq

        await fill(alice, 3)
        modseq = await rose(INBOX)
        assert await shown(alice, Column.MODSEQ) == [b"%d" % modseq] * 3
        view = await view_of(alice)
        await alice.change_flags(view, everything(view), ADD, flags("\\Deleted"))
        modseq = await rose(INBOX)
        assert await shown(alice, Column.MODSEQ) == [b"%d" % modseq] * 3
        await alice.copy(view, (range(2),), SENT)
        assert (await alice.mailbox(INBOX)).modseq == modseq
        modseq = await rose(SENT)
        assert await shown(alice, Column.MODSEQ, SENT) == [b"%d" % modseq] * 2
        await alice.expunge(view.mailbox)
        await rose(INBOX)
        assert steps == 4
        assert await alice.mailbox(ARCHIVE) == untouched

    async def test_views_do_not_change(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """A session's view is a snapshot, whatever others do."""
        await fill(alice, 3)
        view = await view_of(alice)
        held = list(view.uids)
        await fill(alice, 2, INBOX, "\\Deleted")
        await alice.expunge(view.mailbox)
        await alice.move(view, (range(1),), SENT)
        assert list(view.uids) == held

    async def test_views_are_shared(self, reactor: PumpedReactor, store: IStore, alice: IAccountStore) -> None:
        """Sessions on one state of a mailbox hold one array (DESIGN §5)."""
        await fill(alice, 3)
        other = await store.open(ALICE)
        assert (await view_of(alice)).uids is (await view_of(other)).uids

    # Recent

    async def test_recent_is_claimed_once(self, reactor: PumpedReactor, store: IStore, alice: IAccountStore) -> None:
        """RFC 3501 §2.3.2: one session is told, over all holders."""
        mailbox = (await alice.mailbox(INBOX)).id
        assert await alice.claim_recent(mailbox) == 1
        await fill(alice, 3)
        other = await store.open(ALICE)
        assert await other.claim_recent(mailbox) == 1
        assert await alice.claim_recent(mailbox) == 4
        await fill(alice, 1)
        assert await alice.claim_recent(mailbox) == 4
        assert await other.claim_recent(mailbox) == 5

    async def test_copies_are_recent_in_their_mailbox(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """RFC 3501 §6.4.7: a copy is recent."""
        await fill(alice, 1)
        view = await view_of(alice)
        await alice.claim_recent(view.mailbox)
        sent = (await alice.mailbox(SENT)).id
        await alice.claim_recent(sent)
        await alice.copy(view, everything(view), SENT)
        assert await alice.claim_recent(sent) == 1
        assert await alice.claim_recent(view.mailbox) == 2

    # Hints

    async def test_hints_follow_commits(self, reactor: PumpedReactor, store: IStore, alice: IAccountStore) -> None:
        """In the reactor's thread, after the change can be read, with the mailbox and its sequence."""
        heard: list[tuple[MailboxId, ModSeq]] = []
        threads = set()

        def listener(mailbox: MailboxId, modseq: ModSeq) -> None:
            heard.append((mailbox, modseq))
            threads.add(threading.get_ident())

        cancel = store.subscribe(ALICE, listener)
        inbox, sent = (await alice.mailbox(INBOX)).id, (await alice.mailbox(SENT)).id
        bob = await store.open(BOB)
        await fill(bob, 1)
        reactor.settle()
        assert heard == []
        await fill(alice, 3)
        view = await view_of(alice)
        reactor.until(lambda: (inbox, view.modseq) in heard)
        await alice.change_flags(view, everything(view), ADD, flags("\\Deleted"))
        after = (await alice.mailbox(INBOX)).modseq
        reactor.until(lambda: (inbox, after) in heard)
        await alice.copy(view, (range(1),), SENT)
        reactor.until(lambda: any(mailbox == sent for mailbox, _ in heard))
        heard.clear()
        await alice.move(view, (range(1),), SENT)
        reactor.until(lambda: {inbox, sent} == {mailbox for mailbox, _ in heard})
        heard.clear()
        await alice.expunge(inbox)
        reactor.until(lambda: any(mailbox == inbox for mailbox, _ in heard))
        heard.clear()
        await alice.delete(SENT)
        reactor.until(lambda: any(mailbox == sent for mailbox, _ in heard))
        cancel()
        reactor.settle()
        heard.clear()
        await fill(alice, 1)
        reactor.settle()
        assert heard == []
        assert threads == {reactor.thread}
        cancel()

    async def test_hint_never_comes_before_its_commit(
        self, reactor: PumpedReactor, store: IStore, alice: IAccountStore
    ) -> None:
        """Whoever hears of a sequence can read it."""
        heard: list[ModSeq] = []
        store.subscribe(ALICE, lambda mailbox, modseq: heard.append(modseq))
        for _ in range(5):
            started = reactor.start(fill(alice, 2))
            reactor.until(lambda: bool(heard))
            assert (await alice.mailbox(INBOX)).modseq >= max(heard)
            reactor.finish(started)
            heard.clear()
        assert await uids_in(alice) == list(range(1, 11))

    async def test_failing_listener_harms_no_other(
        self, reactor: PumpedReactor, store: IStore, alice: IAccountStore
    ) -> None:
        """The next one hears, and the change stands."""
        heard: list[ModSeq] = []

        def broken(mailbox: MailboxId, modseq: ModSeq) -> None:
            raise RuntimeError("a listener's fault")

        store.subscribe(ALICE, broken)
        store.subscribe(ALICE, lambda mailbox, modseq: heard.append(modseq))
        await fill(alice, 1)
        reactor.until(lambda: bool(heard))
        assert await uids_in(alice) == [1]
