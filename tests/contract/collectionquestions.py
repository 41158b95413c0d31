"""
What is asked of collections: changes, times, texts.
"""

from __future__ import annotations

import pytest

from tests.contract.collectioncase import HOUR, CollectionCase, item, spans
from tests.fakes.running import PumpedReactor
from trekd.errors import NoSuchCollection, SyncTokenExpired
from trekd.store.collections import CollectionId, ICollections, Match, Window
from trekd.values import ModSeq

DAY = 24 * HOUR
GONE = CollectionId("Cnowhere")


async def hits(shelf: ICollections, calendar: CollectionId, window: Window, component: str = "") -> str:
    """Names of items in the window, those that are not certain in brackets."""
    found = await shelf.overlapping(calendar, window, component)
    return " ".join(one.state.name if one.is_certain else f"({one.state.name})" for one in found)


async def texts(shelf: ICollections, calendar: CollectionId, text: str, match: Match, *names: str) -> str:
    """Names of items with the text."""
    return " ".join(state.name for state in await shelf.containing(calendar, names or ("SUMMARY",), text, match))


class QuestionRules(CollectionCase):
    """Tests of questions."""

    def test_changes_are_told_once(
        self, reactor: PumpedReactor, shelf: ICollections, calendar: CollectionId
    ) -> None:
        """RFC 6578 §3.2."""

        async def scenario() -> None:
            for name in ("a", "b", "c"):
                await shelf.put(calendar, item(name))
            first = await shelf.item_changes(calendar, ModSeq(0))
            assert [state.name for state in first.changed] == ["a", "b", "c"] and first.removed == ()
            nothing = await shelf.item_changes(calendar, first.modseq)
            assert (nothing.changed, nothing.removed, nothing.modseq) == ((), (), first.modseq)
            await shelf.put(calendar, item("b", b"2"))
            await shelf.remove_item(calendar, "a")
            await shelf.put(calendar, item("d"))
            await shelf.remove_item(calendar, "d")
            await shelf.remove_item(calendar, "c")
            await shelf.put(calendar, item("c"))
            then = await shelf.item_changes(calendar, first.modseq)
            assert [state.name for state in then.changed] == ["b", "c"]
            assert sorted(then.removed) == ["a", "d"]
            whole = await shelf.item_changes(calendar, ModSeq(0))
            assert [state.name for state in whole.changed] == ["b", "c"] and whole.removed == ()

        reactor.run(scenario())

    def test_many_changes_are_told_in_parts(
        self, reactor: PumpedReactor, shelf: ICollections, calendar: CollectionId
    ) -> None:
        async def scenario() -> None:
            start = (await shelf.put(calendar, item("x"))).state.modseq
            for number in range(7):
                await shelf.put(calendar, item(f"n{number}"))
            await shelf.remove_item(calendar, "x")
            seen: list[str] = []
            since, rounds, is_truncated = start, 0, True
            while is_truncated:
                part = await shelf.item_changes(calendar, since, 3)
                assert len(part.changed) + len(part.removed) <= 3
                seen += [state.name for state in part.changed] + [f"-{name}" for name in part.removed]
                since, is_truncated, rounds = part.modseq, part.is_truncated, rounds + 1
            assert seen == [*(f"n{number}" for number in range(7)), "-x"] and rounds == 3

        reactor.run(scenario())

    def test_a_token_that_was_never_given_out_is_refused(
        self, reactor: PumpedReactor, shelf: ICollections, calendar: CollectionId
    ) -> None:
        async def scenario() -> None:
            now = (await shelf.put(calendar, item("x"))).state.modseq
            with pytest.raises(SyncTokenExpired):
                await shelf.item_changes(calendar, ModSeq(now + 1))
            with pytest.raises(NoSuchCollection):
                await shelf.item_changes(GONE, ModSeq(0))

        reactor.run(scenario())

    def test_changes_elsewhere_are_not_told(
        self, reactor: PumpedReactor, shelf: ICollections, calendar: CollectionId
    ) -> None:
        async def scenario() -> None:
            before = (await shelf.item_changes(calendar, ModSeq(0))).modseq
            await shelf.put(calendar, item("a"))
            await shelf.change_collection_properties(calendar, {"{x}p": "v"})
            changes = await shelf.item_changes(calendar, before)
            assert [state.name for state in changes.changed] == ["a"]

        reactor.run(scenario())

    def test_windows_are_half_open(
        self, reactor: PumpedReactor, shelf: ICollections, calendar: CollectionId
    ) -> None:
        """RFC 4791 §9.9."""

        async def scenario() -> None:
            await shelf.put(calendar, item("hour", spans=spans((100 * HOUR, 101 * HOUR))))
            await shelf.put(calendar, item("instant", spans=spans((100 * HOUR, 100 * HOUR))))
            await shelf.put(calendar, item("year", spans=spans((50 * HOUR, 9000 * HOUR))))
            await shelf.put(calendar, item("todo", component="VTODO", spans=spans((100 * HOUR, 102 * HOUR))))
            assert await hits(shelf, calendar, Window(99 * HOUR, 100 * HOUR)) == "year"
            assert await hits(shelf, calendar, Window(100 * HOUR, 101 * HOUR)) == "hour instant todo year"
            assert await hits(shelf, calendar, Window(101 * HOUR, 102 * HOUR)) == "todo year"
            assert await hits(shelf, calendar, Window(100 * HOUR, None), "VTODO") == "todo"
            assert await hits(shelf, calendar, Window(None, 51 * HOUR)) == "year"
            assert await hits(shelf, calendar, Window(None, None), "VEVENT") == "hour instant year"
            assert await hits(shelf, calendar, Window(9000 * HOUR, 9001 * HOUR)) == ""
            await shelf.put(calendar, item("hour", spans=spans((500 * HOUR, 501 * HOUR))))
            assert await hits(shelf, calendar, Window(100 * HOUR, 101 * HOUR), "VEVENT") == "instant year"
            await shelf.remove_item(calendar, "year")
            assert await hits(shelf, calendar, Window(100 * HOUR, 101 * HOUR), "VEVENT") == "instant"

        reactor.run(scenario())

    def test_what_the_spans_do_not_tell_is_not_certain(
        self, reactor: PumpedReactor, shelf: ICollections, calendar: CollectionId
    ) -> None:
        async def scenario() -> None:
            often = tuple((day * DAY, day * DAY + HOUR) for day in range(100))
            await shelf.put(calendar, item("daily", spans=spans(*often), open_from=100 * DAY))
            await shelf.put(calendar, item("float", spans=spans((1000 * DAY, 1000 * DAY + HOUR)), is_floating=True))
            assert await hits(shelf, calendar, Window(10 * DAY, 11 * DAY)) == "daily"
            assert await hits(shelf, calendar, Window(10 * DAY + HOUR, 11 * DAY)) == ""
            assert await hits(shelf, calendar, Window(200 * DAY, 201 * DAY)) == "(daily)"
            hours_before = Window(1000 * DAY - 10 * HOUR, 1000 * DAY - 9 * HOUR)
            assert await hits(shelf, calendar, hours_before) == "(daily) (float)"

        reactor.run(scenario())

    def test_busy_times(self, reactor: PumpedReactor, shelf: ICollections, calendar: CollectionId) -> None:
        async def scenario() -> None:
            await shelf.put(calendar, item("b", spans=spans((10, 20), (30, 40), (90, 99))))
            await shelf.put(calendar, item("f", spans=spans((10, 20), letter="F")))
            await shelf.put(calendar, item("t", spans=spans((5, 35), letter="T")))
            await shelf.put(calendar, item("more", spans=spans((1, 2)), open_from=3))
            found, unsure = await shelf.busy(calendar, Window(0, 50), 10)
            assert [(span.start, span.end, span.letter, span.name) for span in found] == [
                (5, 35, "T", "t"),
                (10, 20, "B", "b"),
                (30, 40, "B", "b"),
            ]
            assert unsure == ("more",)
            assert len((await shelf.busy(calendar, Window(0, 50), 2))[0]) == 2

        reactor.run(scenario())

    def test_texts(self, reactor: PumpedReactor, shelf: ICollections, calendar: CollectionId) -> None:
        async def scenario() -> None:
            await shelf.put(calendar, item("a", texts=(("SUMMARY", "staff meeting"), ("LOCATION", "room 100%_1"))))
            await shelf.put(calendar, item("b", texts=(("SUMMARY", "meeting"), ("SUMMARY", "größe"))))
            await shelf.put(calendar, item("c", texts=(("LOCATION", "meeting point"),)))
            assert await texts(shelf, calendar, "meeting", Match.CONTAINS) == "a b"
            assert await texts(shelf, calendar, "meeting", Match.EQUALS) == "b"
            assert await texts(shelf, calendar, "staff", Match.STARTS_WITH) == "a"
            assert await texts(shelf, calendar, "ing", Match.ENDS_WITH) == "a b"
            assert await texts(shelf, calendar, "meeting", Match.CONTAINS, "SUMMARY", "LOCATION") == "a b c"
            assert await texts(shelf, calendar, "%_", Match.CONTAINS, "LOCATION") == "a"
            assert await texts(shelf, calendar, "öß", Match.CONTAINS) == "b"
            assert await texts(shelf, calendar, "", Match.CONTAINS) == "a b"
            two = await shelf.containing(calendar, ("SUMMARY", "LOCATION"), "e", Match.CONTAINS, 2)
            assert len(two) == 2
            await shelf.remove_item(calendar, "a")
            assert await texts(shelf, calendar, "meeting", Match.CONTAINS) == "b"

        reactor.run(scenario())
