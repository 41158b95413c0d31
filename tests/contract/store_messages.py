"""
Messages that come and go: append, copy, move, expunge, quota.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.contract.storecase import (
    ALICE,
    ARCHIVE,
    SENT,
    StoreCase,
    content,
    everything,
    fill,
    flags,
    message,
    shown,
    subjects,
    uid_set,
    uids_in,
    view_of,
)
from tests.fakes.running import PumpedReactor
from trekd.errors import LimitReached, NoSuchMailbox, NoSuchMessage, OverQuota
from trekd.store.interfaces import Column, FlagOperation, IAccountStore, IStore, LineTemplate, NewMessage
from trekd.values import INBOX, UID, MailboxId, MailboxName

OCTETS = LineTemplate((Column.OCTETS,))


class MessageRules(StoreCase):
    """Tests of messages."""

    # Append

    async def test_append_counts(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Every counter of the mailbox and of the account follows."""
        before = await alice.mailbox(INBOX)
        added = [message("one", "\\Seen"), message("two", "\\Deleted", "$x"), message("three")]
        appended = await alice.append(INBOX, added)
        after = await alice.mailbox(INBOX)
        octets = sum(len(content(subject)) for subject in ("one", "two", "three"))
        assert (appended.mailbox, appended.uid_validity) == (before.id, before.uid_validity)
        assert list(appended.uids) == [1, 2, 3]
        assert appended.uids.typecode == "I"
        assert (after.total, after.unseen, after.deleted, after.octets) == (3, 2, 1, octets)
        assert after.uid_next == 4
        assert after.modseq > before.modseq
        assert await alice.usage() == (octets, 3)
        assert await shown(alice, Column.FLAGS) == [b"(\\Seen)", b"(\\Deleted $x)", b"()"]
        assert await shown(alice, Column.MODSEQ) == [b"%d" % after.modseq] * 3

    async def test_append_of_nothing_changes_nothing(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """No message, no modification sequence."""
        before = await alice.mailboxes()
        assert list((await alice.append(INBOX, [])).uids) == []
        assert await alice.mailboxes() == before
        with pytest.raises(NoSuchMailbox):
            await alice.append(MailboxName("nowhere"), [])

    async def test_prefix_stands_before_the_content(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Trace fields of a delivery are part of the message."""
        prefix = b"Return-Path: <bob@example.com>\r\nReceived: by example.com\r\n"
        await alice.append(INBOX, [NewMessage(content(), prefix)])
        whole = prefix + content()
        assert await shown(alice, Column.OCTETS) == [b"{%d}\r\n" % len(whole) + whole]
        assert await shown(alice, Column.SIZE) == [b"%d" % len(whole)]
        assert await alice.usage() == (len(whole), 1)

    async def test_internal_date_keeps_its_zone(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """RFC 3501 §2.3.3; without one it is now."""
        zones = [timezone(timedelta(hours=-7)), timezone(timedelta(hours=5, minutes=30)), UTC]
        dates = [datetime(1996, 7, 17, 2, 44, 25, tzinfo=zone) for zone in zones]
        dates.append(datetime(2024, 2, 3, 0, 0, 0, tzinfo=timezone(-timedelta(minutes=30))))
        dates.append(datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC))
        await alice.append(INBOX, [NewMessage(content(), internal_date=date) for date in dates])
        assert await shown(alice, Column.INTERNALDATE) == [
            b'"17-Jul-1996 02:44:25 -0700"',
            b'"17-Jul-1996 02:44:25 +0530"',
            b'"17-Jul-1996 02:44:25 +0000"',
            b'" 3-Feb-2024 00:00:00 -0030"',
            b'"31-Dec-1969 23:59:59 +0000"',
        ]

    async def test_internal_date_is_now_unless_given(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """The reactor's clock counts."""
        reactor.now = datetime(2030, 5, 6, 7, 8, 9, tzinfo=UTC).timestamp()
        await alice.append(INBOX, [NewMessage(content())])
        [shown_date] = await shown(alice, Column.INTERNALDATE)
        moment = datetime.strptime(shown_date.decode().strip('"').strip(), "%d-%b-%Y %H:%M:%S %z")
        assert moment.timestamp() == reactor.now

    async def test_odd_octets_survive(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """NUL, 8-bit octets, quotes, bare CR and LF; empty messages and ones without a header or body."""
        every = bytes(range(256)) * 3
        wholes = [
            content(text=every),
            b"",
            b"\r\n",
            b"\r\n\r\n",
            b"Subject: no body",
            every,
            b"X: '\x00\"\\;--\r\n\r\n\x00",
            b"\x00" * 1000,
        ]
        for whole in wholes:
            await alice.append(INBOX, [NewMessage(whole)])
            view = await view_of(alice)
            sizes = await shown(alice, Column.SIZE)
            assert sizes[-1] == b"%d" % len(whole)
            assert len(view.uids) == len(sizes)
        octets = b"".join(
            [
                piece.octets
                for uid in range(len(wholes))
                async for piece in alice.list_messages(view, (range(uid, uid + 1),), OCTETS)
            ]
        )
        assert octets == b"".join(b"{%d}\r\n" % len(whole) + whole for whole in wholes)

    async def test_uids_are_never_used_again(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Strictly ascending, also when the last message was expunged (RFC 3501 §2.3.1.1)."""
        mailbox = (await alice.mailbox(INBOX)).id
        await fill(alice, 3, INBOX, "\\Deleted")
        assert list(await alice.expunge(mailbox)) == [1, 2, 3]
        assert (await alice.mailbox(INBOX)).uid_next == 4
        assert list((await fill(alice, 1, INBOX, "\\Deleted")).uids) == [4]
        await alice.expunge(mailbox)
        view = await view_of(alice)
        assert list(view.uids) == []
        assert list((await fill(alice, 2)).uids) == [5, 6]
        moved = await alice.move(await view_of(alice), (range(1, 2),), ARCHIVE)
        assert list(moved.source) == [6]
        assert list((await fill(alice, 1)).uids) == [7]

    # Quota

    async def test_quota_refuses_whole_appends(self, reactor: PumpedReactor, store: IStore) -> None:
        """All or none; the limit itself may be reached; the value given last counts for all holders."""
        size = len(content("one"))
        alice = await store.open(ALICE, 3 * size)
        await alice.append(INBOX, [message("one")])
        before = await alice.mailboxes()
        with pytest.raises(OverQuota) as refusal:
            await alice.append(SENT, [message("one"), message("two"), message("six")])
        assert refusal.value.limit == 3 * size
        assert await alice.mailboxes() == before
        assert await uids_in(alice, SENT) == []
        await alice.append(SENT, [message("one"), message("two")])
        with pytest.raises(OverQuota):
            await alice.append(INBOX, [NewMessage(b"x")])
        other = await store.open(ALICE, 4 * size)
        assert (alice.quota, other.quota) == (4 * size, 4 * size)
        await alice.append(INBOX, [message("one")])
        with pytest.raises(OverQuota):
            await other.append(INBOX, [NewMessage(b"x")])
        await store.open(ALICE, 0)
        await alice.append(INBOX, [message("one")])

    async def test_copies_count_like_their_originals(self, reactor: PumpedReactor, store: IStore) -> None:
        """COPY is refused whole when the quota has no room for it; MOVE needs none."""
        size = len(content("m1"))
        alice = await store.open(ALICE, 5 * size)
        await fill(alice, 3)
        view = await view_of(alice)
        before = await alice.mailboxes()
        with pytest.raises(OverQuota):
            await alice.copy(view, everything(view), SENT)
        assert await alice.mailboxes() == before
        await alice.copy(view, (range(2),), SENT)
        assert await alice.usage() == (5 * size, 5)
        await alice.move(view, everything(view), ARCHIVE)
        assert await alice.usage() == (5 * size, 5)

    async def test_removing_gives_the_quota_back(self, reactor: PumpedReactor, store: IStore) -> None:
        """By expunging and by deleting a mailbox; octets shared by copies are counted until the last is gone."""
        size = len(content("m1"))
        alice = await store.open(ALICE, 4 * size)
        await fill(alice, 2, INBOX, "\\Deleted")
        view = await view_of(alice)
        await alice.copy(view, everything(view), SENT)
        await alice.expunge(view.mailbox)
        assert await alice.usage() == (2 * size, 2)
        assert await subjects(alice, SENT) == ["m1", "m2"]
        await alice.delete(SENT)
        assert await alice.usage() == (0, 0)
        await fill(alice, 4)

    # Copy and move

    # Replace

    @pytest.mark.parametrize("target", [INBOX, SENT])
    @pytest.mark.parametrize("size", [6, 300_000])
    async def test_replace_changes_one_for_another(
        self, reactor: PumpedReactor, alice: IAccountStore, target: MailboxName, size: int
    ) -> None:
        """RFC 8508 §3.4: without \\Deleted; nothing is inherited; the counters, what vanished and the quota follow."""
        await alice.append(INBOX, [message("one", "\\Seen"), message("old", "$x", "\\Flagged"), message("three")])
        before = await alice.mailbox(INBOX)
        new = NewMessage(content("new", b"x" * size), flags=flags("\\Draft"))
        appended = await alice.replace(before.id, UID(2), target, new)
        expected = await alice.mailbox(target)
        assert (appended.mailbox, appended.uid_validity) == (expected.id, expected.uid_validity)
        assert list(appended.uids) == [expected.uid_next - 1]
        assert await uids_in(alice, INBOX) == ([1, 3, 4] if target == INBOX else [1, 3])
        assert (await subjects(alice, target))[-1] == "new"
        assert (await shown(alice, Column.FLAGS, target))[-1] == b"(\\Draft)"
        octets = len(content("one")) + len(content("three")) + len(content("new", b"x" * size))
        assert await alice.usage() == (octets, 3)
        assert list(await alice.vanished(before.id, before.modseq) or ()) == [2]
        assert (await alice.open(INBOX)).keywords == ()

    async def test_replace_counts_what_is_left(self, reactor: PumpedReactor, store: IStore) -> None:
        """RFC 8508 §3.4: the old message's room is the new one's; without room the old one stays as it was."""
        room = len(content("0", b"x" * 1000))
        alice = await store.open(ALICE, quota=room)
        await alice.append(INBOX, [NewMessage(content("0", b"x" * 1000), flags=flags("$x"))])
        inbox = (await alice.mailbox(INBOX)).id
        await alice.replace(inbox, UID(1), SENT, NewMessage(content("1", b"y" * 1000)))
        sent = await alice.mailbox(SENT)
        with pytest.raises(OverQuota):
            await alice.replace(sent.id, UID(1), INBOX, NewMessage(content("2", b"z" * 1001)))
        assert (await alice.mailbox(SENT), await alice.usage()) == (sent, (room, 1))
        assert await subjects(alice, SENT) == ["1"]

    async def test_replace_of_what_is_gone_adds_nothing(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Neither for a message nor for a mailbox that is gone; and to no mailbox that is not there."""
        await alice.append(INBOX, [message("one")])
        inbox, before = (await alice.mailbox(INBOX)).id, await alice.mailboxes()
        with pytest.raises(NoSuchMessage):
            await alice.replace(inbox, UID(2), INBOX, message("new"))
        with pytest.raises(NoSuchMessage):
            await alice.replace(MailboxId("gone"), UID(1), INBOX, message("new"))
        with pytest.raises(NoSuchMailbox):
            await alice.replace(inbox, UID(1), MailboxName("nowhere"), message("new"))
        assert await alice.mailboxes() == before

    # Copy and move

    async def test_copy_takes_flags_and_dates_along(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """RFC 3501 §6.4.7; the source stays as it is."""
        date = datetime(1996, 7, 17, 2, 44, 25, tzinfo=timezone(timedelta(hours=-7)))
        await fill(alice, 2, SENT)
        await alice.append(INBOX, [message("one"), NewMessage(content("two"), b"", flags("\\Seen", "$x"), date)])
        view = await view_of(alice)
        before = await alice.mailbox(INBOX)
        copied = await alice.copy(view, everything(view), SENT)
        target = await alice.mailbox(SENT)
        assert copied.uid_validity == target.uid_validity
        assert (list(copied.source), list(copied.target)) == ([1, 2], [3, 4])
        assert await subjects(alice, SENT) == ["m1", "m2", "one", "two"]
        assert (await shown(alice, Column.FLAGS, SENT))[-1] == b"(\\Seen $x)"
        assert (await shown(alice, Column.INTERNALDATE, SENT))[-1] == b'"17-Jul-1996 02:44:25 -0700"'
        assert (await shown(alice, Column.OCTETS, SENT))[2:] == await shown(alice, Column.OCTETS)
        assert await alice.mailbox(INBOX) == before
        assert (await alice.open(SENT)).keywords == tuple(flags("$x"))

    async def test_copy_skips_expunged_messages(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """C{source} holds the UIDs that existed."""
        await fill(alice, 5)
        view = await view_of(alice)
        await _expunge(alice, 2, 4)
        copied = await alice.copy(view, (range(2), range(3, 5)), SENT)
        assert (list(copied.source), list(copied.target)) == ([1, 5], [1, 2])
        before = await alice.mailboxes()
        nothing = await alice.copy(view, (range(1, 2), range(3, 4)), SENT)
        assert (list(nothing.source), list(nothing.target)) == ([], [])
        assert nothing.uid_validity == copied.uid_validity
        assert await alice.mailboxes() == before

    async def test_copy_within_one_mailbox(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Copies come behind their originals."""
        await fill(alice, 2)
        view = await view_of(alice)
        copied = await alice.copy(view, everything(view), INBOX)
        assert (list(copied.source), list(copied.target)) == ([1, 2], [3, 4])
        assert await subjects(alice) == ["m1", "m2", "m1", "m2"]
        assert list(view.uids) == [1, 2]

    async def test_copies_change_apart(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """What is shared are octets, not flags."""
        await fill(alice, 1)
        view = await view_of(alice)
        await alice.copy(view, everything(view), SENT)
        await alice.change_flags(view, everything(view), FlagOperation.ADD, flags("\\Flagged"))
        assert await shown(alice, Column.FLAGS, SENT) == [b"()"]
        await _expunge(alice, 1)
        assert await shown(alice, Column.OCTETS, SENT) == [b"{%d}\r\n" % len(content("m1")) + content("m1")]

    async def test_move_expunges_its_source(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """RFC 6851 §3.3: both mailboxes in one step."""
        await alice.append(INBOX, [message("one"), message("two", "\\Seen", "$x"), message("three", "\\Deleted")])
        view = await view_of(alice)
        usage = await alice.usage()
        source, target = await alice.mailbox(INBOX), await alice.mailbox(SENT)
        moved = await alice.move(view, (range(1, 3),), SENT)
        assert (list(moved.source), list(moved.target)) == ([2, 3], [1, 2])
        assert moved.uid_validity == target.uid_validity
        assert await uids_in(alice) == [1]
        assert await shown(alice, Column.FLAGS, SENT) == [b"(\\Seen $x)", b"(\\Deleted)"]
        assert await shown(alice, Column.INTERNALDATE, SENT) == [b'"29-Feb-2024 23:59:58 +0000"'] * 2
        after_source, after_target = await alice.mailbox(INBOX), await alice.mailbox(SENT)
        assert (after_source.total, after_source.unseen, after_source.deleted) == (1, 1, 0)
        assert (after_target.total, after_target.unseen, after_target.deleted) == (2, 1, 1)
        assert after_source.modseq > source.modseq
        assert after_target.modseq > target.modseq
        assert after_source.uid_next == source.uid_next
        assert await alice.usage() == usage
        again = await alice.move(view, (range(1, 3),), SENT)
        assert list(again.source) == []

    async def test_move_within_one_mailbox_gives_new_uids(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Each message is there once."""
        await fill(alice, 3)
        view = await view_of(alice)
        moved = await alice.move(view, (range(2),), INBOX)
        assert (list(moved.source), list(moved.target)) == ([1, 2], [4, 5])
        assert await uids_in(alice) == [3, 4, 5]
        assert await subjects(alice) == ["m3", "m1", "m2"]

    # Expunge

    async def test_expunge_takes_deleted_messages_only(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """RFC 3501 §6.4.3."""
        await alice.append(INBOX, [message("one", "\\Deleted"), message("two"), message("three", "\\Deleted", "$x")])
        before = await alice.mailbox(INBOX)
        gone = await alice.expunge(before.id)
        after = await alice.mailbox(INBOX)
        assert list(gone) == [1, 3]
        assert gone.typecode == "I"
        assert await uids_in(alice) == [2]
        assert (after.total, after.deleted, after.unseen, after.octets) == (1, 0, 1, len(content("two")))
        assert after.modseq > before.modseq
        assert list(await alice.expunge(before.id)) == []
        assert await alice.mailbox(INBOX) == after

    async def test_expunge_among_uids(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Only messages with \\Deleted among those named (RFC 4315 §2.1); absent UIDs do nothing."""
        await fill(alice, 3, INBOX, "\\Deleted")
        await fill(alice, 1)
        mailbox = (await alice.mailbox(INBOX)).id
        assert list(await alice.expunge(mailbox, uid_set(2, 3, 4, 99))) == [2, 3]
        assert await uids_in(alice) == [1, 4]
        before = await alice.mailboxes()
        assert list(await alice.expunge(mailbox, uid_set(4))) == []
        assert list(await alice.expunge(mailbox, uid_set())) == []
        assert await alice.mailboxes() == before

    async def test_keyword_limit_refuses_whole_changes(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """LimitReached by append, copy, move and change_flags; nothing changed."""
        many = tuple(f"k{number}" for number in range(self.limits.keywords))
        await alice.append(INBOX, [message("full", *many), message("plain")])
        await alice.append(SENT, [message("extra", "other")])
        before = await alice.mailboxes()
        view, sent = await view_of(alice), await view_of(alice, SENT)
        for change in (
            lambda: alice.append(INBOX, [message("x"), message("y", "other")]),
            lambda: alice.copy(sent, everything(sent), INBOX),
            lambda: alice.move(sent, everything(sent), INBOX),
            lambda: alice.change_flags(view, (range(1, 2),), FlagOperation.ADD, flags("\\Seen", "other")),
        ):
            with pytest.raises(LimitReached):
                await change()
            assert await alice.mailboxes() == before
        changes = await alice.change_flags(view, (range(1, 2),), FlagOperation.ADD, flags("K0", "\\Seen"))
        assert list(changes.changed) == [2]
        assert len((await alice.open(INBOX)).keywords) == self.limits.keywords


async def _expunge(account: IAccountStore, *uids: int) -> None:
    view = await view_of(account)
    positions = tuple(range(place, place + 1) for place, uid in enumerate(view.uids) if uid in uids)
    await account.change_flags(view, positions, FlagOperation.ADD, flags("\\Deleted"))
    assert list(await account.expunge(view.mailbox)) == list(uids)
