"""
Items: storing, reading, conditions, copying, moving.
"""

from __future__ import annotations

import pytest

from tests.contract.collectioncase import CollectionCase, item, make, names_in
from tests.contract.storecase import ALICE
from tests.fakes.running import PumpedReactor
from trekd.errors import CollectionExists, ConditionFailed, NoSuchCollection, NoSuchItem, OverQuota, UIDTaken
from trekd.store.collections import CollectionId, CollectionKind, Condition, ICollections, NewItem, PlainFacts
from trekd.store.contents import InMemory
from trekd.store.interfaces import IAccountStore, IStore

ABSENT, PRESENT = Condition(is_absent=True), Condition(is_present=True)
GONE = CollectionId("Cnowhere")


class ItemRules(CollectionCase):
    """Tests of items."""

    def test_octets_come_back_as_they_were_sent(
        self, reactor: PumpedReactor, shelf: ICollections, calendar: CollectionId
    ) -> None:
        async def scenario() -> None:
            octets = bytes(range(256)) * 3
            stored = await shelf.put(calendar, item("ü.ics", octets))
            assert not stored.replaced
            ((state, found),) = await shelf.contents(calendar, ["ü.ics"])
            assert found == octets and state == stored.state
            assert (state.name, state.size, state.uid, state.component) == ("ü.ics", 768, "ü.ics", "VEVENT")
            assert (await shelf.collections())[0].octets == 768
            state, source = await shelf.item_source(calendar, "ü.ics")
            assert await source.octets() == octets and await source.read(10, 5) == octets[10:15]

        reactor.run(scenario())

    def test_a_large_item_is_read_in_pieces_after_it_was_replaced(
        self, reactor: PumpedReactor, shelf: ICollections, calendar: CollectionId
    ) -> None:
        async def scenario() -> None:
            large = bytes(range(250)) * 2000
            await shelf.put(calendar, NewItem("large", InMemory(large)))
            _, source = await shelf.item_source(calendar, "large")
            await shelf.put(calendar, NewItem("large", b"small"))
            assert source.size == len(large)
            assert await source.read(0, 1000) + await source.read(1000, len(large)) == large
            await shelf.remove_item(calendar, "large")
            assert await source.read(499_000, 9999) == large[499_000:]
            with pytest.raises(NoSuchItem):
                await shelf.item_source(calendar, "large")

        reactor.run(scenario())

    def test_an_etag_is_the_octets(
        self, reactor: PumpedReactor, shelf: ICollections, calendar: CollectionId
    ) -> None:
        async def scenario() -> None:
            first = (await shelf.put(calendar, item("a", b"1"))).state
            second = await shelf.put(calendar, item("a", b"2"))
            third = (await shelf.put(calendar, item("a", b"1"))).state
            assert second.replaced and second.state.etag != first.etag == third.etag
            assert first.modseq < second.state.modseq < third.modseq
            assert first.created == third.created

        reactor.run(scenario())

    def test_items_are_listed_by_name(
        self, reactor: PumpedReactor, shelf: ICollections, calendar: CollectionId
    ) -> None:
        async def scenario() -> None:
            for name in ("c", "a", "b"):
                await shelf.put(calendar, item(name))
            assert await names_in(shelf, calendar) == ["a", "b", "c"]
            assert [state.name for state in await shelf.items(calendar, ["b", "x", "a"])] == ["a", "b"]
            assert [state.name for state, _ in await shelf.contents(calendar, ["b", "x", "a"])] == ["b", "a"]
            for question in (shelf.items(GONE), shelf.contents(GONE, ["a"]), shelf.item_source(GONE, "a")):
                with pytest.raises(NoSuchCollection):
                    await question

        reactor.run(scenario())

    def test_conditions_are_judged_with_the_change(
        self, reactor: PumpedReactor, shelf: ICollections, calendar: CollectionId
    ) -> None:
        """RFC 9110 §13.1: of two clients that write one item, one is told."""

        async def scenario() -> None:
            with pytest.raises(ConditionFailed):
                await shelf.put(calendar, item("a"), PRESENT)
            state = (await shelf.put(calendar, item("a"), ABSENT)).state
            with pytest.raises(ConditionFailed):
                await shelf.put(calendar, item("a", b"2"), ABSENT)
            is_same = Condition(etags=(state.etag,))
            await shelf.put(calendar, item("a", b"2"), is_same)
            with pytest.raises(ConditionFailed):
                await shelf.put(calendar, item("a", b"3"), is_same)
            with pytest.raises(ConditionFailed):
                await shelf.remove_item(calendar, "a", is_same)
            assert [octets for _, octets in await shelf.contents(calendar, ["a"])] == [b"2"]
            await shelf.remove_item(calendar, "a", PRESENT)
            with pytest.raises(NoSuchItem):
                await shelf.remove_item(calendar, "a")

        reactor.run(scenario())

    def test_a_schedule_tag_is_a_condition_and_stays(
        self, reactor: PumpedReactor, shelf: ICollections, calendar: CollectionId
    ) -> None:
        """RFC 6638 §3.2.10."""

        async def scenario() -> None:
            await shelf.put(calendar, NewItem("a", b"1", PlainFacts(uid="a"), schedule_tag="t1"))
            stored = await shelf.put(calendar, item("a", b"2"), Condition(schedule_tag="t1"))
            assert stored.state.schedule_tag == "t1"
            with pytest.raises(ConditionFailed):
                await shelf.put(calendar, item("a", b"3"), Condition(schedule_tag="t2"))

        reactor.run(scenario())

    def test_a_uid_is_there_once(
        self, reactor: PumpedReactor, shelf: ICollections, calendar: CollectionId
    ) -> None:
        """RFC 4791 §5.3.2.1."""

        async def scenario() -> None:
            await shelf.put(calendar, item("a", uid="one"))
            with pytest.raises(UIDTaken) as error:
                await shelf.put(calendar, item("b", uid="one"))
            assert error.value.name == "a"
            await shelf.put(calendar, item("a", uid="two"))
            await shelf.put(calendar, item("b", uid="one"))
            found = await shelf.identified(calendar, "one")
            assert found is not None and found.name == "b"
            assert await shelf.identified(calendar, "three") is None
            await shelf.put(calendar, item("f1", uid=""))
            await shelf.put(calendar, item("f2", uid=""))

        reactor.run(scenario())

    def test_a_uid_is_found_in_all_calendars(
        self, reactor: PumpedReactor, shelf: ICollections, calendar: CollectionId
    ) -> None:
        async def scenario() -> None:
            other, book = await make(shelf, "other"), await make(shelf, "book", CollectionKind.ADDRESS_BOOK)
            for collection in (calendar, other, book):
                await shelf.put(collection, item("a", uid="one"))
            assert {collection for collection, _ in await shelf.scheduled("one")} == {calendar, other}

        reactor.run(scenario())

    def test_copies_and_moves(self, reactor: PumpedReactor, shelf: ICollections, calendar: CollectionId) -> None:
        async def scenario() -> None:
            other = await make(shelf, "other")
            await shelf.put(calendar, item("a", b"1"))
            await shelf.change_item_properties(calendar, "a", {"{x}p": "v"})
            copied = await shelf.copy_item(calendar, "a", other, "b")
            assert not copied.replaced and dict(copied.state.properties) == {"{x}p": "v"}
            with pytest.raises(UIDTaken):
                await shelf.copy_item(calendar, "a", calendar, "c")
            with pytest.raises(ConditionFailed):
                await shelf.move_item(calendar, "a", other, "b", ABSENT)
            assert (await shelf.move_item(calendar, "a", other, "b")).replaced
            assert await names_in(shelf, calendar) == []
            moved = await shelf.move_item(other, "b", other, "c")
            assert moved.state.uid == "a" and await names_in(shelf, other) == ["c"]
            with pytest.raises(NoSuchItem):
                await shelf.copy_item(calendar, "a", other, "x")
            with pytest.raises(NoSuchCollection):
                await shelf.copy_item(other, "c", GONE, "x")

        reactor.run(scenario())

    def test_large_items_are_copied_as_they_are_when_their_turn_comes(
        self, reactor: PumpedReactor, shelf: ICollections
    ) -> None:
        """Nothing that was begun for a copy stays behind when it fails, or when its source is another one by then."""
        root = reactor.run(make(shelf, "files", CollectionKind.FILES))
        reactor.run(shelf.put(root, item("x", b"1" * 20_000, uid="")))
        work = [
            reactor.start(shelf.put(root, item("other", b"o" * 20_000, uid=""))),
            reactor.start(shelf.copy_item(root, "x", root, "a")),
            reactor.start(shelf.put(root, item("x", b"2" * 20_000, uid=""))),
            reactor.start(shelf.copy_item(root, "x", root, "b")),
            reactor.start(shelf.copy_item(root, "x", root, "x")),
            reactor.start(shelf.put(root, item("x", b"small", uid=""))),
            reactor.start(shelf.copy_item(root, "x", root, "c")),
        ]
        refused = reactor.start(shelf.copy_item(root, "other", root, "a", ABSENT))
        for each in work:
            reactor.finish(each)
        with pytest.raises(ConditionFailed):
            reactor.finish(refused)
        found = {state.name: octets for state, octets in reactor.run(shelf.contents(root, ("a", "b", "c", "x")))}
        assert found == {"a": b"1" * 20_000, "b": b"2" * 20_000, "c": b"small", "x": b"small"}
        reactor.run(shelf.remove_item(root, "b"))
        assert [octets[:1] for _, octets in reactor.run(shelf.contents(root, ("a", "b")))] == [b"1"]

    def test_dead_properties_do_not_change_the_etag(
        self, reactor: PumpedReactor, shelf: ICollections, calendar: CollectionId
    ) -> None:
        async def scenario() -> None:
            before = (await shelf.put(calendar, item("a"))).state
            after = await shelf.change_item_properties(calendar, "a", {"{x}p": "v", "{x}q": "w"})
            assert after.etag == before.etag and after.modseq > before.modseq
            again = await shelf.put(calendar, item("a", b"2"))
            assert dict(again.state.properties) == {"{x}p": "v", "{x}q": "w"}
            final = await shelf.change_item_properties(calendar, "a", {}, ["{x}p"])
            assert dict(final.properties) == {"{x}q": "w"}
            with pytest.raises(NoSuchItem):
                await shelf.change_item_properties(calendar, "b", {})

        reactor.run(scenario())

    def test_a_name_inside_folders_is_one_thing(self, reactor: PumpedReactor, shelf: ICollections) -> None:
        async def scenario() -> None:
            root = await make(shelf, "files", CollectionKind.FILES)
            await make(shelf, "a", CollectionKind.FILES, root)
            await shelf.put(root, item("x", uid=""))
            with pytest.raises(CollectionExists):
                await shelf.copy_item(root, "x", root, "a")
            with pytest.raises(ConditionFailed):
                await shelf.put(root, item("a", uid=""), ABSENT)

        reactor.run(scenario())

    def test_octets_count_against_the_quota(self, reactor: PumpedReactor, store: IStore) -> None:
        async def scenario() -> None:
            account: IAccountStore = await store.open(ALICE, 1000)
            shelf = ICollections(account)
            calendar = await make(shelf, "work")
            await shelf.put(calendar, item("a", b"x" * 900))
            assert (await account.usage())[0] == 900
            with pytest.raises(OverQuota):
                await shelf.put(calendar, item("b", b"x" * 101))
            with pytest.raises(OverQuota):
                await shelf.copy_item(calendar, "a", await make(shelf, "other"), "a")
            await shelf.put(calendar, item("a", b"x" * 1000))
            await shelf.remove_item(calendar, "a")
            assert (await account.usage())[0] == 0
            assert await names_in(shelf, calendar) == []

        reactor.run(scenario())

    def test_an_account_that_is_removed_has_none(
        self, reactor: PumpedReactor, store: IStore, shelf: ICollections, calendar: CollectionId
    ) -> None:
        async def scenario() -> None:
            await shelf.put(calendar, item("a"))
            await store.remove(ALICE)
            assert await ICollections(await store.open(ALICE)).collections() == ()
            with pytest.raises(NoSuchCollection):
                await shelf.put(calendar, item("b"))

        reactor.run(scenario())
