"""
Listings: columns, extracts, positions, pieces.
"""

from __future__ import annotations

import re

import pytest

from tests.contract.storecase import (
    SENT,
    StoreCase,
    content,
    everything,
    fill,
    flags,
    listed,
    message,
    pieces_of,
    shown,
    uid_set,
    view_of,
)
from tests.fakes.running import PumpedReactor
from trekd.errors import UnknownEncoding
from trekd.store.interfaces import (
    Column,
    Extract,
    FlagOperation,
    Form,
    IAccountStore,
    LineTemplate,
    MailboxView,
    NewMessage,
)
from trekd.store.terms import AllOf, BodyText, HasEmailId
from trekd.values import INBOX, MailboxName

PIECE_LIMIT = 1 << 20
"""No piece of a listing may be larger."""


def whole(parts: bytes, header_length: int, size: int) -> tuple[int, int]:
    """Locate the message."""
    return 0, size


def header(parts: bytes, header_length: int, size: int) -> tuple[int, int]:
    """Locate the header."""
    return 0, header_length


def text(parts: bytes, header_length: int, size: int) -> tuple[int, int]:
    """Locate the text."""
    return header_length, size


def absent(parts: bytes, header_length: int, size: int) -> None:
    """Locate a part that is not there."""


def as_literal(octets: bytes) -> bytes:
    """The octets as a literal."""
    return b"{%d}\r\n" % len(octets) + octets


class ListingRules(StoreCase):
    """Tests of listings."""

    async def test_fetch_line_is_filled_in(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Octets as they stand, columns in their place, in view order."""
        await alice.append(INBOX, [message("one", "\\Seen", "$F"), message("two")])
        view = await view_of(alice)
        items = (b"* ", Column.SEQ, b" FETCH (UID ", Column.UID, b" FLAGS ", Column.FLAGS, b")\r\n")
        assert await listed(alice, view, items) == (
            b"* 1 FETCH (UID 1 FLAGS (\\Seen $F))\r\n* 2 FETCH (UID 2 FLAGS ())\r\n"
        )

    async def test_every_column(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """One by one and all in one line."""
        octets = content("one", b"body\r\n")
        await fill(alice, 1)
        await alice.append(INBOX, [message("one", "\\Seen", text=b"body\r\n")])
        facts = self.make_reader().scan(octets)
        modseq = (await alice.mailbox(INBOX)).modseq
        view = await view_of(alice)
        emailid = await listed(alice, view, (Column.EMAILID,), (range(1, 2),))
        expected = {
            Column.SEQ: b"2",
            Column.UID: b"2",
            Column.FLAGS: b"(\\Seen)",
            Column.INTERNALDATE: b'"29-Feb-2024 23:59:58 +0000"',
            Column.SIZE: b"%d" % len(octets),
            Column.MODSEQ: b"%d" % modseq,
            Column.EMAILID: emailid,
            Column.SAVEDATE: b'"14-Nov-2023 22:13:20 +0000"',
            Column.ENVELOPE: facts.envelope,
            Column.BODYSTRUCTURE: facts.bodystructure,
            Column.BODY: facts.body,
            Column.PREVIEW: facts.preview,
            Column.PREVIEW_LAZY: facts.preview,
            Column.OCTETS: as_literal(octets),
            Column.HEADER: as_literal(octets[: facts.header_length]),
            Column.TEXT: as_literal(octets[facts.header_length :]),
        }
        assert set(expected) == set(Column)
        for column, value in expected.items():
            assert await listed(alice, view, (column,), (range(1, 2),)) == value, column
        items = [item for column in expected for item in (column, b"\x00' \"%s")]
        together = b"".join(value + b"\x00' \"%s" for value in expected.values())
        assert await listed(alice, view, items, (range(1, 2),)) == together
        assert await listed(alice, view, items * 2, (range(1, 2),)) == together * 2

    async def test_copies_share_an_identifier(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """RFC 8474 §5.1: a copy has the same one, moved or not; equal octets appended twice may differ."""
        await alice.create(MailboxName("work"))
        await fill(alice, 2)
        view = await view_of(alice)
        items = (Column.EMAILID, b" ")
        one, two = (await listed(alice, view, items)).split()
        assert one != two and re.fullmatch(rb"[A-Za-z0-9_-]{1,200}", one)
        await alice.copy(view, (range(1),), MailboxName("work"))
        await alice.move(view, (range(1, 2),), MailboxName("work"))
        there = await view_of(alice, MailboxName("work"))
        assert (await listed(alice, there, items)).split() == [one, two]
        found = await alice.search(there, HasEmailId(two.decode()))
        assert found.tolist() == [2]
        assert not await alice.search(there, AllOf((HasEmailId("nothing"), BodyText("body"))))

    async def test_text_of_odd_messages(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Without header, without text, empty."""
        for octets in (b"", b"\r\n", b"\r\ntext", b"Subject: x", b"Subject: x\r\n\r\n", b"X: \x00\xff\r\n\r\n\x00\xfe"):
            await alice.append(INBOX, [NewMessage(octets)])
            length = self.make_reader().scan(octets).header_length
            view = await view_of(alice)
            last = (range(len(view.uids) - 1, len(view.uids)),)
            found = await listed(alice, view, (Column.HEADER, Column.TEXT), last)
            assert found == as_literal(octets[:length]) + as_literal(octets[length:])

    async def test_constant_lines(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """A template without columns, and one without anything."""
        await fill(alice, 3)
        view = await view_of(alice)
        assert await listed(alice, view, (b"x",)) == b"xxx"
        assert await listed(alice, view, ()) == b""

    async def test_positions_pick_messages(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Sparse, dense, none; SEQ is the place in the view."""
        await fill(alice, 10)
        view = await view_of(alice)
        for positions in (
            (),
            (range(10),),
            (range(1),),
            (range(9, 10),),
            (range(2), range(4, 5), range(8, 10)),
            tuple(range(place, place + 1) for place in range(0, 10, 2)),
            (range(5), range(5, 10)),
            (range(3, 3),),
        ):
            expected = b"".join(b"%d," % (place + 1) for span in positions for place in span)
            assert await listed(alice, view, (Column.SEQ, b","), positions) == expected

    async def test_many_sparse_positions(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Thousands of ranges are no limit of anything."""
        count = 3000
        await fill(alice, count)
        view = await view_of(alice)
        positions = tuple(range(place, place + 1) for place in range(0, count, 2))
        octets = await listed(alice, view, (Column.UID, b","), positions)
        assert octets == b"".join(b"%d," % uid for uid in range(1, count + 1, 2))
        copied = await alice.copy(view, positions, SENT)
        assert len(copied.target) == len(positions)
        await alice.change_flags(view, positions, FlagOperation.ADD, flags("\\Deleted"))
        assert len(await alice.expunge(view.mailbox, view.uids)) == len(positions)

    async def test_sequence_numbers_are_those_of_the_view(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Expunged messages are left out; the others keep their number until the session announces it."""
        await fill(alice, 5, INBOX, "\\Deleted")
        view = await view_of(alice)
        await alice.expunge(view.mailbox, uid_set(1, 3))
        await fill(alice, 1)
        items = (Column.SEQ, b":", Column.UID, b" ")
        assert await listed(alice, view, items) == b"2:2 4:4 5:5 "
        assert await listed(alice, await view_of(alice), items) == b"1:2 2:4 3:5 4:6 "
        assert await listed(alice, view, items, (range(1), range(2, 4))) == b"4:4 "

    async def test_listing_of_a_deleted_mailbox_is_empty(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """All its messages are expunged."""
        name = MailboxName("gone")
        await alice.create(name)
        await fill(alice, 2, name)
        view = await view_of(alice, name)
        await alice.delete(name)
        assert await listed(alice, view, (Column.OCTETS,)) == b""
        await alice.create(name)
        await fill(alice, 2, name)
        assert await listed(alice, view, (Column.OCTETS,)) == b""

    async def test_flags_are_current(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Not those of the view's commit."""
        await fill(alice, 1)
        view = await view_of(alice)
        await alice.change_flags(view, everything(view), FlagOperation.ADD, flags("\\Answered"))
        assert await listed(alice, view, (Column.FLAGS,)) == b"(\\Answered)"

    async def test_recent_is_shown_from_a_uid_on(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Among the flags, once, whatever the others are (RFC 3501 §2.3.2)."""
        await alice.append(INBOX, [message("x", "\\Seen"), message("x"), message("x", "\\Seen", "a")])
        view = await view_of(alice)
        octets = await listed(alice, view, (Column.FLAGS, b"|"), recent_from=2)
        sets = [frozenset(value.strip(b"()").split()) for value in octets.split(b"|")[:-1]]
        assert sets == [{b"\\Seen"}, {b"\\Recent"}, {b"\\Recent", b"\\Seen", b"a"}]
        for value in octets.split(b"|")[:-1]:
            assert re.fullmatch(rb"\(([^ ()]+( [^ ()]+)*)?\)", value)
        assert b"Recent" not in await listed(alice, view, (Column.FLAGS,), recent_from=0)
        assert b"Recent" not in await listed(alice, view, (Column.FLAGS,), recent_from=4)

    async def test_preview_is_that_of_the_message(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """RFC 8970 §3.2: as the reader found it, of large messages and copies too, known from the beginning."""
        texts = (b"Hello\r\n", b"large " * 50_000)
        await alice.append(INBOX, [NewMessage(content("one", octets)) for octets in texts])
        view = await view_of(alice)
        await alice.copy(view, everything(view), SENT)
        previews = b"".join(self.make_reader().scan(content("one", octets)).preview for octets in texts)
        assert previews.startswith(b'"Hello')
        for name in (INBOX, SENT):
            for column in (Column.PREVIEW, Column.PREVIEW_LAZY):
                assert await listed(alice, await view_of(alice, name), (column,)) == previews

    # Extracts

    async def test_extract_takes_a_range(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """As a literal, NIL when there is no such part."""
        octets = content("one", b"line one\r\nline two\r\n")
        await alice.append(INBOX, [NewMessage(octets)])
        facts = self.make_reader().scan(octets)
        length, scanned = facts.header_length, (facts.parts, len(octets))
        head = octets[:length]
        view = await view_of(alice)
        for extract, expected in (
            (Extract(whole), as_literal(octets)),
            (Extract(), as_literal(head)),
            (Extract(header), as_literal(head)),
            (Extract(text), as_literal(octets[length:])),
            (Extract(lambda parts, start, size: (start + 2, start + 5)), as_literal(octets[length + 2 : length + 5])),
            (Extract(lambda parts, start, size: (size, size)), as_literal(b"")),
            (Extract(lambda parts, start, size: (0, start) if (parts, size) == scanned else None), as_literal(head)),
            (Extract(absent), b"NIL"),
            (Extract(absent, partial=(0, 10)), b"NIL"),
        ):
            assert await listed(alice, view, (b"<", extract, b">")) == b"<" + expected + b">"

    async def test_extract_selects(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """C{select} sees exactly the range, and decides what is rendered."""
        await fill(alice, 2)
        view = await view_of(alice)

        def only_subject(octets: bytes) -> bytes:
            assert octets.endswith(b"\r\n\r\n")
            return octets.split(b"\r\n")[0] + b"\r\n\r\n"

        extract = Extract(None, only_subject)
        assert await listed(alice, view, (Column.UID, b" ", extract)) == (
            b"1 " + as_literal(b"Subject: m1\r\n\r\n") + b"2 " + as_literal(b"Subject: m2\r\n\r\n")
        )

    @pytest.mark.parametrize(
        ("partial", "expected"),
        [
            ((0, 4), b"0123"),
            ((2, 3), b"234"),
            ((0, 100), b"0123456789"),
            ((9, 1), b"9"),
            ((10, 5), b""),
            ((99, 5), b""),
            ((0, 393216), b"0123456789"),
            ((4294967295, 4294967295), b""),
        ],
    )
    async def test_partial_is_cut(
        self, reactor: PumpedReactor, alice: IAccountStore, partial: tuple[int, int], expected: bytes
    ) -> None:
        """RFC 3501 §6.4.5: past the end is empty; counted in what was selected."""
        await alice.append(INBOX, [message("x", text=b"0123456789")])
        view = await view_of(alice)
        assert await listed(alice, view, (Extract(text, partial=partial),)) == as_literal(expected)
        selected = Extract(text, lambda octets: octets[::-1], partial=partial)
        origin, length = partial
        assert await listed(alice, view, (selected,)) == as_literal(b"9876543210"[origin : origin + length])

    async def test_extracts_beside_columns(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Several extracts, with every kind of column, of many messages; recent flags too."""
        await fill(alice, 20)
        view = await view_of(alice)
        items: list[object] = [b"* ", Column.SEQ, b" FETCH (FLAGS ", Column.FLAGS]
        items += [b" A ", Extract(), b" B ", Extract(text, partial=(0, 2))]
        items += [b" C ", Column.TEXT, b" D ", Column.HEADER, b")\r\n"]
        octets = await listed(alice, view, items, recent_from=20)
        expected = b""
        for seq in range(1, 21):
            head, body = content(f"m{seq}")[:-6], b"text\r\n"
            expected += b"* %d FETCH (FLAGS %b A " % (seq, b"(\\Recent)" if seq == 20 else b"()") + as_literal(head)
            expected += b" B " + as_literal(b"te") + b" C " + as_literal(body) + b" D " + as_literal(head) + b")\r\n"
        assert octets == expected

    @pytest.mark.parametrize("size", [10, 300_000])
    async def test_decoded_extract(self, reactor: PumpedReactor, alice: IAccountStore, size: int) -> None:
        """A range is cut of what is decoded; NUL makes a literal8 (RFC 3516 §4.3)."""
        body = bytes(range(1, 256)) * (size // 255 + 1)
        await alice.append(INBOX, [NewMessage(content("one", body))])
        parts = self.make_reader().scan(content("one", body)).parts
        view = await view_of(alice)

        def backwards(index: bytes, octets: bytes) -> bytes:
            assert (index, octets) == (parts, body)
            return octets[::-1]

        def with_nul(index: bytes, octets: bytes) -> bytes:
            return b"a\0" + octets

        for extract, expected in (
            (Extract(text, decode=backwards, form=Form.BINARY), as_literal(body[::-1])),
            (Extract(text, decode=backwards, form=Form.SIZE), b"%d" % len(body)),
            (Extract(text, partial=(1, 3), decode=backwards), as_literal(body[::-1][1:4])),
            (Extract(text, partial=(0, 3), decode=with_nul, form=Form.BINARY), b"~" + as_literal(b"a\0" + body[:1])),
            (Extract(text, partial=(2, 3), decode=with_nul, form=Form.BINARY), as_literal(body[:3])),
            (Extract(absent, decode=backwards, form=Form.BINARY), b"NIL"),
            (Extract(absent, decode=backwards, form=Form.SIZE), b"0"),
        ):
            assert await listed(alice, view, (b"<", extract, b">")) == b"<" + expected + b">"

    async def test_what_cannot_be_decoded_ends_the_listing(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Nothing of the message is listed."""
        await alice.append(INBOX, [message("one"), NewMessage(content("two", b"x" * 300_000)), message("three")])
        view = await view_of(alice)

        def refused(index: bytes, octets: bytes) -> bytes:
            if octets != b"text\r\n":
                raise UnknownEncoding
            return octets

        items = (b"<", Extract(text, decode=refused), b">")
        told = b""
        with pytest.raises(UnknownEncoding):
            async for piece in alice.list_messages(view, everything(view), LineTemplate(items)):
                told += piece.octets
        assert told in (b"", b"<" + as_literal(b"text\r\n") + b">")

    # Pieces

    async def test_huge_message_comes_in_pieces(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Its octets exactly, each piece bounded; counted where it begins."""
        body = bytes(range(256)) * (4 * PIECE_LIMIT // 256) + b"end"
        octets = content("huge", body)
        await alice.append(INBOX, [message("small"), NewMessage(octets), message("after")])
        view = await view_of(alice)
        for item in (Column.OCTETS, Extract(whole)):
            template = LineTemplate((b"* ", item, b")\r\n"))
            pieces = await pieces_of(alice.list_messages(view, everything(view), template))
            assert len(pieces) >= 5
            assert all(0 < len(piece.octets) <= PIECE_LIMIT for piece in pieces)
            assert sum(piece.messages for piece in pieces) == 3
            assert b"".join(piece.octets for piece in pieces) == b"".join(
                b"* " + as_literal(each) + b")\r\n" for each in (content("small"), octets, content("after"))
            )
        assert await listed(alice, view, (Column.TEXT,), (range(1, 2),)) == as_literal(body)
        middle = Extract(text, partial=(PIECE_LIMIT, 10))
        assert await listed(alice, view, (middle,), (range(1, 2),)) == as_literal(body[PIECE_LIMIT : PIECE_LIMIT + 10])
        await alice.copy(view, everything(view), SENT)
        await alice.delete(SENT)
        assert await listed(alice, view, (Column.TEXT,), (range(1, 2),)) == as_literal(body)

    async def test_many_messages_come_in_pieces(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Every message begins in one piece."""
        await alice.append(INBOX, [message(f"m{number}", text=b"x" * 2000) for number in range(2000)])
        view = await view_of(alice)
        template = LineTemplate((Column.UID, b" ", Column.OCTETS, b"\r\n"))
        pieces = await pieces_of(alice.list_messages(view, everything(view), template))
        assert len(pieces) > 3
        assert all(len(piece.octets) <= PIECE_LIMIT for piece in pieces)
        assert sum(piece.messages for piece in pieces) == 2000
        octets = b"".join(piece.octets for piece in pieces)
        assert [int(uid) for uid in re.findall(rb"(?:^|x\r\n)(\d+) \{", octets)] == list(view.uids)

    async def test_listing_may_be_left_unfinished(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Closing it early harms nobody; changes made meanwhile are not waited for."""
        await alice.append(INBOX, [message(f"m{number}", text=b"x" * 4000) for number in range(300)])
        view = await view_of(alice)
        listing = alice.list_messages(view, everything(view), LineTemplate((Column.OCTETS,)))
        first = await anext(listing)
        assert first.messages > 0
        await fill(alice, 1)
        await alice.change_flags(view, everything(view), FlagOperation.ADD, flags("\\Deleted"))
        await alice.expunge(view.mailbox)
        await listing.aclose()  # type: ignore[attr-defined]
        assert len((await view_of(alice)).uids) == 1

    async def test_listing_goes_on_while_messages_go(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Each message is whole or left out; those that stay all come."""
        count = 400
        await alice.append(INBOX, [message("same", text=b"x" * 2000) for _ in range(count)])
        view = await view_of(alice)
        listing = alice.list_messages(view, everything(view), LineTemplate((Column.UID, b" ", Column.TEXT, b"\r\n")))
        octets = (await anext(listing)).octets
        last = (range(count - 100, count),)
        await alice.change_flags(view, last, FlagOperation.ADD, flags("\\Deleted"))
        await alice.expunge(view.mailbox)
        octets += b"".join([piece.octets async for piece in listing])
        uids = [int(uid) for uid, _ in re.findall(rb"(\d+) \{2000\}\r\n(x{2000})\r\n", octets)]
        assert uids[: count - 100] == list(range(1, count - 99))
        assert uids == sorted(set(uids))
        assert octets == b"".join(b"%d {2000}\r\n" % uid + b"x" * 2000 + b"\r\n" for uid in uids)

    async def test_view_of_another_mailbox_with_the_same_uids(
        self, reactor: PumpedReactor, alice: IAccountStore
    ) -> None:
        """A view names its mailbox."""
        await alice.append(INBOX, [message("in inbox")])
        await alice.append(SENT, [message("in sent")])
        view = await view_of(alice, SENT)
        same = MailboxView(view.mailbox, view.modseq, uid_set(*view.uids))
        assert b"in sent" in await listed(alice, same, (Column.ENVELOPE,))
        assert await shown(alice, Column.UID, SENT) == [b"1"]
