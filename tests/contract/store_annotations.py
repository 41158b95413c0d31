"""
Annotations of mailboxes and of the account (RFC 5464), and the hints of what is no mailbox's.
"""

from __future__ import annotations

import pytest

from tests.contract.storecase import ALICE, StoreCase
from tests.fakes.running import PumpedReactor
from trekd.errors import LimitReached, NoSuchMailbox
from trekd.store import interfaces
from trekd.store.interfaces import NO_MAILBOX, IAccountStore, IStore
from trekd.values import INBOX, MailboxId, MailboxName, ModSeq

WORK = MailboxName("work")
PLAY = MailboxName("play")
COMMENT = "/private/comment"


class AnnotationRules(StoreCase):
    """Tests of annotations."""

    async def test_what_is_set_is_read_until_it_is_removed(self, alice: IAccountStore) -> None:
        work = (await alice.create(WORK)).id
        await alice.annotate(work, {COMMENT: b"\x00\xffone", "/shared/comment": b""})
        await alice.annotate(NO_MAILBOX, {COMMENT: b"account"})
        assert await alice.annotations(work) == {work: {COMMENT: b"\x00\xffone", "/shared/comment": b""}}
        await alice.annotate(work, {COMMENT: None, "/shared/comment": b"two", "/never/there": None})
        assert await alice.annotations() == {work: {"/shared/comment": b"two"}, NO_MAILBOX: {COMMENT: b"account"}}

    async def test_changes_are_known_removed_ones_too(self, alice: IAccountStore) -> None:
        work = (await alice.create(WORK)).id
        since, _ = await alice.annotated(ModSeq(0))
        await alice.annotate(work, {COMMENT: b"one"})
        then, changed = await alice.annotated(since)
        assert changed == {work: (COMMENT,)}
        assert await alice.annotated(then) == (then, {})
        await alice.annotate(work, {COMMENT: None, "/never/there": None})
        await alice.annotate(NO_MAILBOX, {"/private/b": b"", "/private/a": b""})
        _, changed = await alice.annotated(then)
        assert changed == {work: (COMMENT,), NO_MAILBOX: ("/private/a", "/private/b")}

    async def test_they_go_with_their_mailbox(self, alice: IAccountStore) -> None:
        """RFC 5464 §4.1: kept by RENAME, gone after DELETE."""
        work = (await alice.create(WORK)).id
        await alice.annotate(work, {COMMENT: b"one"})
        await alice.rename(WORK, PLAY)
        assert (await alice.mailbox(PLAY)).id == work
        assert await alice.annotations(work) == {work: {COMMENT: b"one"}}
        await alice.delete(PLAY)
        with pytest.raises(NoSuchMailbox):
            await alice.annotations(work)
        with pytest.raises(NoSuchMailbox):
            await alice.annotate(work, {COMMENT: b"two"})
        again = (await alice.create(PLAY)).id
        assert await alice.annotations(again) == await alice.annotations() == {}

    async def test_renamed_inbox_keeps_its_own(self, alice: IAccountStore) -> None:
        """RFC 5464 §4.1."""
        inbox = (await alice.mailbox(INBOX)).id
        await alice.annotate(inbox, {COMMENT: b"one"})
        await alice.rename(INBOX, WORK)
        work = (await alice.mailbox(WORK)).id
        assert await alice.annotations() == {inbox: {COMMENT: b"one"}, work: {COMMENT: b"one"}}

    async def test_there_are_not_too_many(self, alice: IAccountStore, monkeypatch: pytest.MonkeyPatch) -> None:
        inbox = (await alice.mailbox(INBOX)).id
        many = {f"/private/{number}": b"x" for number in range(interfaces.MOST_ANNOTATIONS)}
        await alice.annotate(inbox, many)
        with pytest.raises(LimitReached):
            await alice.annotate(inbox, {"/private/0": b"y", COMMENT: b"one more"})
        assert (await alice.annotations(inbox))[inbox] == many
        await alice.annotate(inbox, {"/private/0": b"y", "/private/1": None, COMMENT: b"one more"})
        with pytest.raises(LimitReached):
            await alice.annotate(NO_MAILBOX, {COMMENT: bytes(interfaces.MOST_ANNOTATION_OCTETS)})

    async def test_forgotten_names_do_not_pile_up(self, alice: IAccountStore) -> None:
        inbox = (await alice.mailbox(INBOX)).id
        for number in range(2 * interfaces.MOST_ANNOTATIONS):
            await alice.annotate(inbox, {f"/private/{number:03}": b"x"})
            await alice.annotate(inbox, {f"/private/{number:03}": None})
        _, changed = await alice.annotated(ModSeq(0))
        assert len(changed[inbox]) == interfaces.MOST_ANNOTATIONS
        assert changed[inbox][-1] == f"/private/{2 * interfaces.MOST_ANNOTATIONS - 1:03}"

    def test_what_is_no_mailboxs_is_hinted(self, reactor: PumpedReactor, store: IStore, alice: IAccountStore) -> None:
        """Annotations, and subscriptions of names without a mailbox."""
        heard: list[MailboxId] = []
        store.subscribe(ALICE, lambda mailbox, _: heard.append(mailbox))
        reactor.run(alice.annotate(NO_MAILBOX, {COMMENT: b"x"}))
        reactor.run(alice.subscribe(WORK))
        reactor.run(alice.unsubscribe(WORK))
        reactor.until(lambda: len(heard) >= 3)
        assert set(heard) == {NO_MAILBOX}
