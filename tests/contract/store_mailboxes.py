"""
Mailboxes by name: creating, deleting, renaming, subscribing.
"""

from __future__ import annotations

import pytest

from tests.contract.storecase import (
    ARCHIVE,
    SENT,
    StoreCase,
    content,
    everything,
    fill,
    flags,
    message,
    subjects,
    uids_in,
    view_of,
)
from tests.fakes.running import PumpedReactor
from trekd.errors import BadMailboxName, LimitReached, MailboxExists, NoSuchMailbox, NotPermitted
from trekd.store.interfaces import FlagOperation, IAccountStore
from trekd.values import INBOX, MailboxName

A = MailboxName("a")
AB = MailboxName("a/b")
ABC = MailboxName("a/b/c")
NOWHERE = MailboxName("nowhere")


async def names(account: IAccountStore) -> list[str]:
    """Names of all mailboxes but the first ones."""
    first = {"INBOX", "Drafts", "Sent", "Junk", "Trash", "Archive"}
    return [state.name.text for state in await account.mailboxes() if state.name.text not in first]


class MailboxRules(StoreCase):
    """Tests of mailboxes."""

    def test_what_arrives_beside_the_first_look_is_counted(
        self, reactor: PumpedReactor, alice: IAccountStore
    ) -> None:
        first = reactor.start(alice.append(INBOX, [message()]))
        look = reactor.start(alice.mailbox(INBOX))
        second = reactor.start(alice.append(INBOX, [message()]))
        for arrival in (first, second):
            reactor.finish(arrival)
        assert reactor.finish(look).total in (1, 2)
        assert reactor.run(alice.mailbox(INBOX)).total == 2

    async def test_new_account_has_its_first_mailboxes(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """INBOX first, special uses of RFC 6154, all subscribed and empty."""
        states = await alice.mailboxes()
        assert [(state.name.text, state.special_use) for state in states] == [
            ("INBOX", ()),
            ("Archive", ("\\Archive",)),
            ("Drafts", ("\\Drafts",)),
            ("Junk", ("\\Junk",)),
            ("Sent", ("\\Sent",)),
            ("Trash", ("\\Trash",)),
        ]
        for state in states:
            assert state.subscribed
            assert state.uid_next == 1
            assert state.uid_validity > 0
            assert state.modseq > 0
            assert (state.total, state.unseen, state.deleted, state.octets) == (0, 0, 0, 0)
            assert await alice.mailbox(state.name) == state
        assert await alice.subscriptions() == tuple(sorted(state.name for state in states))

    async def test_identifiers_differ(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """MAILBOXID is unique (RFC 8474 §4)."""
        identifiers = [state.id for state in await alice.mailboxes()]
        assert len(set(identifiers)) == len(identifiers)

    async def test_absent_mailbox_is_refused_everywhere(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """NoSuchMailbox, not an empty answer."""
        await fill(alice, 1)
        view = await view_of(alice)
        for ask in (
            lambda: alice.mailbox(NOWHERE),
            lambda: alice.open(NOWHERE),
            lambda: alice.delete(NOWHERE),
            lambda: alice.rename(NOWHERE, A),
            lambda: alice.append(NOWHERE, [message()]),
            lambda: alice.copy(view, everything(view), NOWHERE),
            lambda: alice.move(view, everything(view), NOWHERE),
        ):
            with pytest.raises(NoSuchMailbox):
                await ask()
        assert await alice.usage() == (len(content("m1")), 1)
        assert await names(alice) == []

    async def test_create_makes_missing_superiors(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """RFC 3501 §6.3.3; nothing new is subscribed."""
        state = await alice.create(ABC, ("\\Important",))
        assert state.name == ABC
        assert state.special_use == ("\\Important",)
        assert not state.subscribed
        assert await names(alice) == ["a", "a/b", "a/b/c"]
        assert (await alice.mailbox(AB)).special_use == ()
        assert ABC not in await alice.subscriptions()
        assert await alice.mailbox(ABC) == state

    async def test_create_refuses_a_taken_name(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """MailboxExists; any case of INBOX is INBOX."""
        await alice.create(A)
        before = await alice.mailboxes()
        for name in (A, INBOX, MailboxName("inbox"), SENT):
            with pytest.raises(MailboxExists):
                await alice.create(name)
        assert await alice.mailboxes() == before

    async def test_names_are_exact(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Case, SQL wildcards, quotes and non-ASCII letters are all significant."""
        for text in ("a_b", "aXb", "A_B", "a'b", 'a"b', "a\\b", "a?b", "ä", "日本語", "a;b"):
            await alice.create(MailboxName(text))
            await alice.append(MailboxName(text), [message("in " + str(len(text)))])
        await alice.create(MailboxName("a_b/c"))
        await alice.create(MailboxName("aXb/c"))
        await alice.rename(MailboxName("a_b"), MailboxName("moved"))
        assert "aXb/c" in await names(alice)
        assert "moved/c" in await names(alice)
        assert "a_b/c" not in await names(alice)
        await alice.delete(MailboxName("A_B"))
        assert (await alice.mailbox(MailboxName("aXb"))).total == 1
        assert await names(alice) == sorted(await names(alice))

    async def test_too_many_mailboxes_are_refused_whole(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """LimitReached counts the superiors; none of them is left behind."""
        room = self.limits.mailboxes - len(await alice.mailboxes())
        for number in range(room - 2):
            await alice.create(MailboxName(f"m{number:03}"))
        before = await alice.mailboxes()
        with pytest.raises(LimitReached):
            await alice.create(ABC)
        assert await alice.mailboxes() == before
        await alice.create(AB)
        with pytest.raises(LimitReached):
            await alice.create(MailboxName("one more"))
        await alice.rename(AB, MailboxName("renamed"))
        await alice.delete(A)
        await alice.create(A)

    async def test_too_many_subscriptions_are_refused(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """As many names as mailboxes."""
        room = self.limits.mailboxes - len(await alice.subscriptions())
        for number in range(room):
            await alice.subscribe(MailboxName(f"s{number}"))
        await alice.subscribe(MailboxName("s0"))
        with pytest.raises(LimitReached):
            await alice.subscribe(MailboxName("one more"))
        await alice.unsubscribe(MailboxName("s0"))
        await alice.subscribe(MailboxName("one more"))

    async def test_delete_keeps_inferiors_and_subscription(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """RFC 3501 §6.3.4, §6.3.9."""
        await alice.create(ABC)
        await fill(alice, 2, AB)
        await alice.subscribe(AB)
        await alice.delete(AB)
        assert await names(alice) == ["a", "a/b/c"]
        assert AB in await alice.subscriptions()
        assert await alice.usage() == (0, 0)
        assert (await alice.create(AB)).subscribed

    async def test_inbox_cannot_be_deleted(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """NotPermitted; its messages stay."""
        await fill(alice, 1)
        with pytest.raises(NotPermitted):
            await alice.delete(INBOX)
        assert await uids_in(alice) == [1]

    async def test_mailbox_made_again_is_another(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Greater UIDVALIDITY, other identifier, no messages, however often and fast (RFC 3501 §2.3.1.1)."""
        old = await alice.create(A)
        await fill(alice, 2, A)
        for _ in range(3):
            await alice.delete(A)
            new = await alice.create(A)
            assert new.uid_validity > old.uid_validity
            assert new.id != old.id
            assert new.modseq > old.modseq
            assert (new.total, new.uid_next) == (0, 1)
            old = new

    async def test_name_that_returns_by_rename_has_greater_validity(
        self, reactor: PumpedReactor, alice: IAccountStore
    ) -> None:
        """After RENAME, a new mailbox of the old name differs from both."""
        old = await alice.create(A)
        await alice.rename(A, MailboxName("z"))
        assert (await alice.create(A)).uid_validity > old.uid_validity

    async def test_deleted_mailbox_is_gone_for_who_has_it_open(
        self, reactor: PumpedReactor, alice: IAccountStore
    ) -> None:
        """Its messages count as expunged; asking for its changes says that it is gone."""
        state = await alice.create(A)
        await fill(alice, 2, A)
        view = await view_of(alice, A)
        await alice.delete(A)
        with pytest.raises(NoSuchMailbox):
            await alice.changes(state.id, state.modseq)
        with pytest.raises(NoSuchMailbox):
            await alice.claim_recent(state.id)
        with pytest.raises(NoSuchMailbox):
            await alice.change_flags(view, everything(view), FlagOperation.ADD, flags("\\Seen"))
        copied = await alice.copy(view, everything(view), INBOX)
        assert (list(copied.source), list(copied.target)) == ([], [])
        moved = await alice.move(view, everything(view), INBOX)
        assert (list(moved.source), list(moved.target)) == ([], [])
        assert await uids_in(alice) == []

    async def test_rename_keeps_identity_and_messages(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Identifier, UIDVALIDITY, UIDs and flags move along, of inferiors too."""
        await alice.create(ABC)
        await alice.append(AB, [message("one", "\\Seen", "$Label"), message("two")])
        await fill(alice, 1, ABC)
        was = {state.name: state for state in await alice.mailboxes()}
        await alice.rename(A, MailboxName("x/y"))
        assert await names(alice) == ["x", "x/y", "x/y/b", "x/y/b/c"]
        for old, new in ((A, "x/y"), (AB, "x/y/b"), (ABC, "x/y/b/c")):
            state = await alice.mailbox(MailboxName(new))
            before = was[old]
            assert (state.id, state.uid_validity, state.uid_next) == (before.id, before.uid_validity, before.uid_next)
            assert (state.total, state.unseen, state.octets) == (before.total, before.unseen, before.octets)
        assert await subjects(alice, MailboxName("x/y/b")) == ["one", "two"]

    async def test_rename_keeps_special_use_and_leaves_subscriptions(
        self, reactor: PumpedReactor, alice: IAccountStore
    ) -> None:
        """The attribute is the mailbox's, the subscription the name's (RFC 3501 §6.3.6)."""
        new = MailboxName("Gesendet")
        await alice.rename(SENT, new)
        state = await alice.mailbox(new)
        assert state.special_use == ("\\Sent",)
        assert not state.subscribed
        assert SENT in await alice.subscriptions()

    async def test_rename_does_not_touch_names_that_begin_alike(
        self, reactor: PumpedReactor, alice: IAccountStore
    ) -> None:
        """C{ab} is not inferior to C{a}."""
        for text in ("a", "ab", "a-b", "ab/c"):
            await alice.create(MailboxName(text))
        await alice.rename(A, MailboxName("z"))
        assert await names(alice) == ["a-b", "ab", "ab/c", "z"]

    async def test_rename_refusals_change_nothing(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Taken names, also those of inferiors, and inferior targets."""
        for text in ("a/b", "z/b", "long/" + "x" * 900):
            await alice.create(MailboxName(text))
        await alice.delete(MailboxName("z"))
        before = await alice.mailboxes()
        for source, target, error in (
            ("a", "a", MailboxExists),
            ("a", "Sent", MailboxExists),
            ("a", "INBOX", MailboxExists),
            ("INBOX", "a", MailboxExists),
            ("INBOX", "INBOX", MailboxExists),
            ("a", "z", MailboxExists),
            ("a", "a/b/c", NotPermitted),
            ("a", "a/x", NotPermitted),
            ("long", "y" * 200, BadMailboxName),
        ):
            with pytest.raises(error):
                await alice.rename(MailboxName(source), MailboxName(target))
            assert await alice.mailboxes() == before, (source, target)

    async def test_rename_of_a_level_without_mailbox(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Inferiors move though the superior itself was deleted; also up into a place that they free."""
        await alice.create(MailboxName("a/a/a"))
        await alice.delete(A)
        await alice.rename(A, MailboxName("n"))
        assert await names(alice) == ["n/a", "n/a/a"]
        identifier = (await alice.mailbox(MailboxName("n/a/a"))).id
        await alice.rename(MailboxName("n/a"), MailboxName("n"))
        assert await names(alice) == ["n", "n/a"]
        assert (await alice.mailbox(MailboxName("n/a"))).id == identifier

    async def test_rename_inbox_empties_it(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """INBOX stays with its identity and inferiors; messages move with flags and dates (RFC 3501 §6.3.5)."""
        await alice.create(MailboxName("INBOX/sub"))
        await alice.append(INBOX, [message("one", "\\Seen", "$Label"), message("two", "\\Deleted")])
        await alice.expunge((await alice.mailbox(INBOX)).id)
        await alice.append(INBOX, [message("three")])
        before = await alice.mailbox(INBOX)
        usage = await alice.usage()
        old = MailboxName("old/mail")
        await alice.rename(INBOX, old)
        after = await alice.mailbox(INBOX)
        assert (after.id, after.uid_validity, after.uid_next) == (before.id, before.uid_validity, before.uid_next)
        assert (after.total, after.octets) == (0, 0)
        assert after.modseq > before.modseq
        assert await names(alice) == ["INBOX/sub", "old", "old/mail"]
        assert await subjects(alice, old) == ["one", "three"]
        view = await view_of(alice, old)
        assert list(view.uids) == [1, 2]
        assert (await alice.open(old)).keywords == tuple(flags("$Label"))
        assert await alice.usage() == usage

    async def test_inbox_may_be_emptied_below_itself(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """INBOX stays, so a name inferior to it can be its target."""
        await fill(alice, 2)
        await alice.rename(INBOX, MailboxName("INBOX/2024"))
        assert await uids_in(alice) == []
        assert await uids_in(alice, MailboxName("INBOX/2024")) == [1, 2]

    async def test_subscriptions_need_no_mailbox(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """RFC 3501 §6.3.6; adding and removing twice does nothing more."""
        first = await alice.subscriptions()
        await alice.subscribe(NOWHERE)
        await alice.subscribe(NOWHERE)
        assert await alice.subscriptions() == tuple(sorted((*first, NOWHERE)))
        await alice.unsubscribe(NOWHERE)
        await alice.unsubscribe(NOWHERE)
        await alice.unsubscribe(ARCHIVE)
        assert not (await alice.mailbox(ARCHIVE)).subscribed
        assert await alice.subscriptions() == tuple(name for name in first if name != ARCHIVE)
        await alice.subscribe(ARCHIVE)
        assert (await alice.mailbox(ARCHIVE)).subscribed
