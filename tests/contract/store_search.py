"""
Searching.
"""

from __future__ import annotations

from array import array
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from tests.contract.storecase import StoreCase, content, everything, fill, flags, message, uid_set, view_of
from tests.fakes.running import PumpedReactor
from trekd.store.interfaces import (
    FlagOperation,
    IAccountStore,
    NewMessage,
)
from trekd.store.terms import (
    UNDELETED,
    Aged,
    AllOf,
    AnyOf,
    BodyText,
    ChangedSince,
    Dated,
    DateKind,
    HasFlag,
    HasUID,
    HeaderText,
    Not,
    Size,
    SortBy,
    SortKey,
    Term,
    Threading,
)
from trekd.values import INBOX, SEEN, Flag, MailboxName


def day(year: int, month: int, day_of_month: int) -> int:
    """A day as the store counts."""
    return date(year, month, day_of_month).toordinal()


def posted() -> list[NewMessage]:
    """
    The messages that most tests search, UIDs 1 to 6.
    """
    west, east = timezone(timedelta(hours=-11)), timezone(timedelta(hours=13))
    return [
        NewMessage(
            content(
                "Lunch on Friday",
                b"Shall we eat SOUP?\r\n",
                "To: bob@example.com\r\nDate: 1 Mar 2024 09:00 +0000\r\n",
            ),
            b"",
            flags("\\Seen"),
            datetime(2024, 3, 1, 23, 30, tzinfo=west),
        ),
        NewMessage(
            content("Re: lunch", b"Soup is fine.\r\n", "To: ann@example.com\r\nCc: Carl <carl@example.com>\r\n"),
            b"",
            flags("\\Answered", "$Work"),
            datetime(2024, 3, 2, 0, 30, tzinfo=east),
        ),
        NewMessage(
            content("100% off", b"x" * 500, "X-Spam: yes\r\nDate: Sat, 2 Mar 2024 23:30:00 -1100\r\n"),
            b"",
            flags("\\Deleted", "\\Seen"),
            datetime(2024, 3, 3, 12, 0, tzinfo=UTC),
        ),
        NewMessage(content("", b"no subject to speak of\r\n", "Bcc: dora@example.com\r\nX-Empty:\r\n")),
        NewMessage(b"Date: nonsense\r\n\r\nbare\r\n", internal_date=datetime(1969, 12, 31, tzinfo=UTC)),
        NewMessage(
            content("100_ off", b"it's 'quoted' \"twice\" \\ back\r\n", "Date: 31 Dec 1969 23:00 -0800\r\n"),
            b"",
            flags("\\Flagged", "\\Draft"),
            datetime(2024, 3, 4, 0, 0, tzinfo=UTC),
        ),
    ]


INTERNAL, SENT_DATE = DateKind.INTERNAL, DateKind.SENT

CASES: list[tuple[str, Term, list[int]]] = [
    ("all", AllOf(), [1, 2, 3, 4, 5, 6]),
    ("none", AnyOf(()), []),
    ("not all", Not(AllOf()), []),
    ("seen", HasFlag(SEEN), [1, 3]),
    ("unseen", Not(HasFlag(SEEN)), [2, 4, 5, 6]),
    ("undeleted", UNDELETED, [1, 2, 4, 5, 6]),
    ("answered", HasFlag(Flag("\\Answered")), [2]),
    ("flagged", HasFlag(Flag("\\Flagged")), [6]),
    ("draft", HasFlag(Flag("\\Draft")), [6]),
    ("keyword", HasFlag(Flag("$work")), [2]),
    ("unkeyword", Not(HasFlag(Flag("$Work"))), [1, 3, 4, 5, 6]),
    ("absent keyword", HasFlag(Flag("$Wor")), []),
    ("uids", HasUID(uid_set(2, 5, 900)), [2, 5]),
    ("no uids", HasUID(uid_set()), []),
    ("not uids", Not(HasUID(uid_set(2, 5))), [1, 3, 4, 6]),
    ("larger", Size(above=400), [3]),
    ("smaller", Size(below=50), [5]),
    ("between", Size(above=50, below=400), [1, 2, 4, 6]),
    ("any size", Size(), [1, 2, 3, 4, 5, 6]),
    ("on a day, zone disregarded", Dated(INTERNAL, day(2024, 3, 1), day(2024, 3, 2)), [1]),
    ("since", Dated(INTERNAL, since=day(2024, 3, 2)), [2, 3, 4, 6]),
    ("before", Dated(INTERNAL, before=day(2024, 3, 2)), [1, 5]),
    ("before 1970", Dated(INTERNAL, before=day(1970, 1, 1)), [5]),
    ("saved on", Dated(DateKind.SAVED, day(2024, 3, 5), day(2024, 3, 6)), [1, 2, 3, 4, 5, 6]),
    ("saved since", Dated(DateKind.SAVED, since=day(2024, 3, 6)), []),
    ("not saved before", AllOf((Not(Dated(DateKind.SAVED, before=day(2024, 3, 5))), BodyText("soup"))), [1, 2]),
    ("sent on", Dated(SENT_DATE, day(2024, 3, 2), day(2024, 3, 3)), [3]),
    ("sent since", Dated(SENT_DATE, since=day(2024, 3, 1)), [1, 3]),
    ("sent before", Dated(SENT_DATE, before=day(2024, 3, 2)), [1, 6]),
    ("not sent before", Not(Dated(SENT_DATE, before=day(2024, 3, 2))), [2, 3, 4, 5]),
    ("sent whenever", Dated(SENT_DATE), [1, 3, 6]),
    ("subject", HeaderText("subject", "lunch"), [1, 2]),
    ("subject in any case", HeaderText("SUBJECT", "LUNCH"), [1, 2]),
    ("per cent sign", HeaderText("Subject", "100%"), [3]),
    ("underscore", HeaderText("Subject", "100_"), [6]),
    ("from", HeaderText("From", "ann@"), [1, 2, 3, 4, 6]),
    ("to", HeaderText("To", "BOB"), [1]),
    ("cc", HeaderText("Cc", "carl"), [2]),
    ("bcc", HeaderText("Bcc", "dora"), [4]),
    ("other field", HeaderText("X-Spam", "YES"), [3]),
    ("other field's name only", HeaderText("X-Spa", "yes"), []),
    ("field is there", HeaderText("x-empty", ""), [4]),
    ("cc is there", HeaderText("Cc", ""), [2]),
    ("subject is there", HeaderText("Subject", ""), [1, 2, 3, 4, 6]),
    ("body", BodyText("soup"), [1, 2]),
    ("body, not header", BodyText("lunch"), []),
    ("text", BodyText("lunch", header=True), [1, 2]),
    ("text in the body", BodyText("soup", header=True), [1, 2]),
    ("quotes", BodyText("it's 'quoted' \"TWICE\" \\"), [6]),
    ("any body", BodyText(""), [1, 2, 3, 4, 5, 6]),
    ("absent text", BodyText("nothing like it", header=True), []),
    ("or", AnyOf((HasFlag(SEEN), HeaderText("To", "ann"), HasUID(uid_set(6)))), [1, 2, 3, 6]),
    ("and", AllOf((HasFlag(SEEN), UNDELETED)), [1]),
    ("contradiction", AllOf((HasFlag(SEEN), Not(HasFlag(SEEN)))), []),
    (
        "nested",
        AllOf(
            (
                Not(AnyOf((BodyText("speak"), Not(AllOf((UNDELETED, Size(above=10))))))),
                AnyOf((Not(HeaderText("Subject", "lunch")), AllOf((HasFlag(Flag("$Work")), BodyText("fine"))))),
            )
        ),
        [2, 5, 6],
    ),
    ("not not", Not(Not(BodyText("soup"))), [1, 2]),
]


class SearchRules(StoreCase):
    """Tests of searching."""

    async def test_searches_are_right_while_text_is_indexed(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Before, in between and after; anew as well."""
        await alice.append(INBOX, posted())
        view = await view_of(alice)
        found = [await alice.search(view, BodyText(text, header=True)) for text in ("soup", "lunch", "%", "o")]
        for anew in (False, True, False):
            indexed, messages = await alice.index_text(anew)
            while indexed < messages:
                indexed, messages = await alice.index_text()
            assert messages == len(view.uids)
            assert found == [await alice.search(view, BodyText(text, True)) for text in ("soup", "lunch", "%", "o")]

    async def test_by_modification_sequence(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Above it; beside terms that are asked in other ways."""
        await fill(alice, 3)
        view = await view_of(alice)
        await alice.change_flags(view, (range(1, 2),), FlagOperation.ADD, flags("\\Seen"))
        assert list(await alice.search(view, ChangedSince(view.modseq))) == [2]
        assert list(await alice.search(view, Not(ChangedSince(view.modseq)))) == [1, 3]
        assert list(await alice.search(view, ChangedSince(0))) == [1, 2, 3]
        assert list(await alice.search(view, AllOf((ChangedSince(view.modseq), BodyText("text"))))) == [2]
        assert list(await alice.search(view, AnyOf((ChangedSince(2**63), BodyText("text"))))) == [1, 2, 3]

    async def test_every_term(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """RFC 3501 §6.4.4, each key alone, negated and within others."""
        reactor.now = datetime(2024, 3, 5, 12, tzinfo=UTC).timestamp()
        await alice.append(INBOX, posted())
        view = await view_of(alice)
        for label, query, expected in CASES:
            found = await alice.search(view, query)
            assert found.typecode == "I"
            assert list(found) == expected, label
            others = [uid for uid in view.uids if uid not in expected]
            assert list(await alice.search(view, Not(query))) == others, f"not {label}"
            assert list(await alice.search(view, AllOf((query, query)))) == expected, f"{label}, twice"
            either = AnyOf((query, HasUID(uid_set(4))))
            assert list(await alice.search(view, either)) == sorted({*expected, 4}), f"{label}, or the fourth"

    async def test_only_the_view_is_searched(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Neither later messages nor expunged ones nor other mailboxes'."""
        await fill(alice, 3, INBOX, "\\Deleted")
        await fill(alice, 3, MailboxName("Sent"))
        view = await view_of(alice)
        await fill(alice, 2)
        await alice.expunge(view.mailbox, uid_set(2))
        for query in (AllOf(), HasUID(uid_set(1, 2, 3, 4, 5)), HeaderText("Subject", "m"), BodyText("text"), Size()):
            assert list(await alice.search(view, query)) == [1, 3]

    async def test_search_sees_current_flags(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Those of now, not of the view."""
        await fill(alice, 2)
        view = await view_of(alice)
        await alice.change_flags(view, (range(1, 2),), FlagOperation.ADD, flags("\\Seen", "later"))
        assert list(await alice.search(view, HasFlag(SEEN))) == [2]
        assert list(await alice.search(view, HasFlag(Flag("LATER")))) == [2]
        await alice.change_flags(view, everything(view), FlagOperation.REPLACE, flags())
        assert list(await alice.search(view, HasFlag(Flag("later")))) == []

    async def test_keyword_is_no_part_of_another(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Neither prefix, nor suffix, nor wildcard."""
        words = ("ab", "abc", "xab", "a_b", "a.b", "b", "Seen")
        await alice.append(INBOX, [message("x", word) for word in words])
        view = await view_of(alice)
        for place, word in enumerate(words, 1):
            assert list(await alice.search(view, HasFlag(Flag(word)))) == [place]
        assert list(await alice.search(view, HasFlag(SEEN))) == []

    async def test_deleted_mailbox_has_no_matches(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Nothing of it still exists."""
        name = MailboxName("gone")
        await alice.create(name)
        await fill(alice, 2, name)
        view = await view_of(alice, name)
        await alice.delete(name)
        for query in (AllOf(), Not(HasFlag(SEEN)), BodyText("text")):
            assert list(await alice.search(view, query)) == []

    async def test_size_bounds_are_exclusive(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """LARGER and SMALLER mean strictly so (RFC 3501 §6.4.4)."""
        await alice.append(INBOX, [NewMessage(b"x" * size) for size in (0, 9, 10, 11)])
        view = await view_of(alice)
        assert list(await alice.search(view, Size(above=10))) == [4]
        assert list(await alice.search(view, Size(below=10))) == [1, 2]
        assert list(await alice.search(view, Size(above=9, below=11))) == [3]
        assert list(await alice.search(view, Size(above=0))) == [2, 3, 4]
        assert list(await alice.search(view, Size(below=0))) == []
        assert list(await alice.search(view, Size(above=2**40))) == []

    async def test_search_of_nothing(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """An empty view has no matches."""
        view = await view_of(alice)
        assert list(await alice.search(view, AllOf())) == []

    async def test_age_is_exact(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """To the second, whatever the zone that the date is written in (RFC 5032 §3)."""
        await alice.append(INBOX, posted())
        view = await view_of(alice)
        moment = int(datetime(2024, 3, 2, 10, 30, tzinfo=UTC).timestamp())  # of the first; the second is 23 h before
        assert list(await alice.search(view, Aged(since=moment, until=moment))) == [1]
        assert list(await alice.search(view, Aged(until=moment - 1))) == [2, 4, 5]  # the fourth by the clock
        assert list(await alice.search(view, Aged(since=moment - 23 * 3600, until=moment))) == [1, 2]
        assert list(await alice.search(view, Aged(since=moment + 1, until=moment + 2 * 86400))) == [3, 6]
        assert list(await alice.search(view, AllOf((Aged(until=moment), HeaderText("Date", "2024"))))) == [1]
        assert list(await alice.search(view, Aged(until=-86400))) == [5]

    async def test_messages_are_sorted(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """RFC 5256 §3: what is equal stays in the order of UIDs; internal dates count with their zones."""
        await alice.append(INBOX, posted())
        view = await view_of(alice)

        async def in_order(*keys: SortKey, uids: array[int] = view.uids) -> list[int]:
            return list(await alice.sort(view, uids, keys))

        assert (await in_order(SortKey(SortBy.ARRIVAL), uids=uid_set(1, 2, 3, 5, 6))) == [5, 2, 1, 3, 6]
        assert (await in_order(SortKey(SortBy.ARRIVAL, reverse=True), uids=uid_set(1, 2, 5))) == [1, 2, 5]
        # The second and the fifth have no Date to go by.
        assert (await in_order(SortKey(SortBy.DATE), uids=uid_set(1, 2, 3, 5, 6))) == [5, 6, 1, 2, 3]
        assert (await in_order(SortKey(SortBy.SUBJECT))) == [4, 5, 3, 6, 2, 1]
        assert (await in_order(SortKey(SortBy.SUBJECT, reverse=True))) == [1, 2, 6, 3, 4, 5]
        assert (await in_order(SortKey(SortBy.SUBJECT), SortKey(SortBy.SIZE, reverse=True)))[:2] == [4, 5]
        by_size = list(await in_order(SortKey(SortBy.SIZE, reverse=True)))[::-1]
        assert by_size[0] == 5 and by_size[-1] == 3
        assert (await in_order(SortKey(SortBy.SIZE))) == by_size

    async def test_messages_are_grouped(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """RFC 5256 §3; a header too large for the database counts too."""
        filler = "X-Filler: " + "x" * 70 + "\r\n"
        await alice.append(INBOX, [
            message("pears", fields="Message-ID: <a@x.example>\r\n"),
            message("plums", fields="Message-ID: <b@x.example>\r\nReferences: <a@x.example>\r\n"),
            message("re: pears", fields="Message-ID: <c@x.example>\r\n"),
            message("figs", fields=filler * 100 + "References: <b@x.example>\r\n"),
        ])
        view = await view_of(alice)
        by_reference = await alice.thread(view, view.uids, Threading.REFERENCES)
        assert sorted(by_reference) == [(0, 1), (1, 2), (1, 3), (2, 4)]
        assert by_reference[by_reference.index((1, 2)) + 1] == (2, 4)
        by_subject = await alice.thread(view, uid_set(1, 2, 3), Threading.ORDEREDSUBJECT)
        assert sorted(by_subject) == [(0, 1), (0, 2), (1, 3)]
        await alice.expunge(view.mailbox, uid_set(1))
        assert await alice.thread(view, uid_set(), Threading.REFERENCES) == []

    async def test_sorting_leaves_out_what_is_gone(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """Nothing of a deleted mailbox is left, and many messages are sorted whole."""
        name = MailboxName("many")
        await alice.create(name)
        await fill(alice, 1201, name, "\\Deleted")
        view = await view_of(alice, name)
        await alice.expunge(view.mailbox, uid_set(2, 1200))
        found = list(await alice.sort(view, view.uids, [SortKey(SortBy.SIZE), SortKey(SortBy.ARRIVAL, reverse=True)]))
        assert sorted(found) == [uid for uid in range(1, 1202) if uid not in (2, 1200)]
        assert found[:3] == [1, 3, 4] and found[-2:] == [1199, 1201]
        assert list(await alice.sort(view, uid_set(), [SortKey(SortBy.SIZE)])) == []
        await alice.delete(name)
        assert list(await alice.sort(view, view.uids, [SortKey(SortBy.SIZE)])) == []

    async def test_large_messages_are_searched(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """To their end."""
        body = b"haystack\r\n" * 60000
        await alice.append(INBOX, [message("x", text=body), message("x", text=body + b"needle\r\n")])
        view = await view_of(alice)
        assert list(await alice.search(view, BodyText("needle"))) == [2]
        assert list(await alice.search(view, AllOf((Size(above=500000), Not(BodyText("needle")))))) == [1]

    async def test_many_terms(self, reactor: PumpedReactor, alice: IAccountStore) -> None:
        """A query may be wide, and fairly deep."""
        await fill(alice, 5)
        view = await view_of(alice)
        uids = array("I", range(3, 40000))
        wide = AnyOf(tuple(HasFlag(Flag(f"k{number}")) for number in range(1000)))
        assert list(await alice.search(view, AllOf((HasUID(uids), Not(wide))))) == [3, 4, 5]
        texts = AnyOf(tuple(HeaderText("Subject", f"m{number}") for number in range(4, 700)))
        assert list(await alice.search(view, texts)) == [4, 5]
        deep: Term = HasFlag(SEEN)
        for _ in range(51):
            deep = Not(AllOf((deep,)))
        assert list(await alice.search(view, deep)) == [1, 2, 3, 4, 5]

    @pytest.mark.parametrize("needle", ["\x00", "\x00after", "%", "_", "'", '"', "*", "\\", "é"])
    async def test_odd_needles_are_taken_as_they_are(
        self, reactor: PumpedReactor, alice: IAccountStore, needle: str
    ) -> None:
        """No wildcard, no quote, no end of text."""
        with_it = f"a {needle} b\r\n".encode("latin-1")
        await alice.append(INBOX, [message("x", text=b"a b\r\n"), message("x", text=with_it)])
        view = await view_of(alice)
        assert list(await alice.search(view, BodyText(needle))) == [2]
