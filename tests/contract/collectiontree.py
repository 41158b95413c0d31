"""
Collections: making, moving, removing, their properties.
"""

from __future__ import annotations

import pytest
from zope.interface.verify import verifyObject

from tests.contract.collectioncase import CollectionCase, item, make, names_in, tree
from tests.fakes.running import PumpedReactor
from trekd.errors import CollectionExists, NoSuchCollection, NotPermitted
from trekd.store.collections import CollectionId, CollectionKind, ICollections, NewCollection

FILES = CollectionKind.FILES
GONE = CollectionId("Cnowhere")


class TreeRules(CollectionCase):
    """Tests of collections."""

    def test_it_provides_the_contract(self, shelf: ICollections) -> None:
        assert verifyObject(ICollections, shelf)
        assert shelf.principal == "alice@example.com"

    def test_an_account_begins_without_any(self, reactor: PumpedReactor, shelf: ICollections) -> None:
        assert reactor.run(shelf.collections()) == ()

    def test_a_collection_keeps_what_it_was_made_with(self, reactor: PumpedReactor, shelf: ICollections) -> None:
        async def scenario() -> None:
            new = NewCollection("a b/ü", CollectionKind.CALENDAR, None, ("VEVENT", "VTODO"), {"{x}name": "<n/>"})
            made = await shelf.create_collection(new)
            assert (await shelf.collections()) == (made,)
            assert (made.name, made.kind, made.components) == ("a b/ü", CollectionKind.CALENDAR, ("VEVENT", "VTODO"))
            assert (dict(made.properties), made.items, made.octets) == ({"{x}name": "<n/>"}, 0, 0)
            assert made.created and made.modified == made.created

        reactor.run(scenario())

    def test_what_changes_at_once_is_seen(self, reactor: PumpedReactor, shelf: ICollections) -> None:
        """The first look, and changes before and behind it, asked for in one turn."""
        changes = [reactor.start(make(shelf, name)) for name in ("a", "b")]
        look = reactor.start(shelf.collections())
        changes += [reactor.start(make(shelf, name)) for name in ("c", "d")]
        for change in changes:
            reactor.finish(change)
        assert {"a", "b"} <= {state.name for state in reactor.finish(look)}
        assert [name for name, _ in reactor.run(tree(shelf))] == ["a", "b", "c", "d"]

    def test_counters_follow_each_change(self, reactor: PumpedReactor, shelf: ICollections) -> None:
        async def scenario() -> None:
            root, other = await make(shelf, "files", FILES), await make(shelf, "work")
            inner = await make(shelf, "a", FILES, root)
            await shelf.put(inner, item("x", b"12345", uid=""))
            before = {state.id: state for state in await shelf.collections()}
            await shelf.put(inner, item("x", b"123", uid=""))
            await shelf.put(inner, item("y", b"1", uid=""))
            after = {state.id: state for state in await shelf.collections()}
            assert (after[inner].items, after[inner].octets) == (2, 4)
            assert after[inner].modseq > before[inner].modseq
            assert (after[root], after[other]) == (before[root], before[other])
            await shelf.remove_item(inner, "y")
            await shelf.move_collection(inner, root, "z")
            assert await tree(shelf) == [("files", None), ("work", None), ("z", root)]
            assert (await shelf.collections())[2].items == 1
            await shelf.remove_collection(root)
            assert await tree(shelf) == [("work", None)]

        reactor.run(scenario())

    def test_names_are_unique_among_one_kind(self, reactor: PumpedReactor, shelf: ICollections) -> None:
        async def scenario() -> None:
            first = await make(shelf, "home")
            with pytest.raises(CollectionExists):
                await make(shelf, "home")
            second = await make(shelf, "home", CollectionKind.ADDRESS_BOOK)
            assert first != second

        reactor.run(scenario())

    def test_folders_lie_in_folders(self, reactor: PumpedReactor, shelf: ICollections) -> None:
        async def scenario() -> None:
            root = await make(shelf, "files", FILES)
            inner = await make(shelf, "a", FILES, root)
            await make(shelf, "b", FILES, inner)
            assert await tree(shelf) == [("files", None), ("a", root), ("b", inner)]
            with pytest.raises(CollectionExists):
                await make(shelf, "a", FILES, root)
            await shelf.put(root, item("x", uid=""))
            with pytest.raises(CollectionExists):
                await make(shelf, "x", FILES, root)
            with pytest.raises(CollectionExists):
                await shelf.put(root, item("a", uid=""))
            with pytest.raises(NoSuchCollection):
                await make(shelf, "c", FILES, GONE)

        reactor.run(scenario())

    def test_removing_takes_everything_inside_along(self, reactor: PumpedReactor, shelf: ICollections) -> None:
        async def scenario() -> None:
            root = await make(shelf, "files", FILES)
            inner = await make(shelf, "a", FILES, root)
            await shelf.put(inner, item("x", b"12345", uid=""))
            await shelf.remove_collection(root)
            assert await shelf.collections() == ()
            for collection in (root, inner):
                with pytest.raises(NoSuchCollection):
                    await shelf.items(collection)
            with pytest.raises(NoSuchCollection):
                await shelf.remove_collection(root)

        reactor.run(scenario())

    def test_a_name_used_again_is_another_collection(self, reactor: PumpedReactor, shelf: ICollections) -> None:
        """So that a sync token of the old one never fits."""

        async def scenario() -> None:
            first = await make(shelf, "work")
            await shelf.remove_collection(first)
            assert await make(shelf, "work") != first

        reactor.run(scenario())

    def test_moving_keeps_identity_and_items(self, reactor: PumpedReactor, shelf: ICollections) -> None:
        async def scenario() -> None:
            root = await make(shelf, "files", FILES)
            a, b = await make(shelf, "a", FILES, root), await make(shelf, "b", FILES, root)
            await shelf.put(a, item("x", uid=""))
            await shelf.move_collection(a, b, "c")
            assert await tree(shelf) == [("files", None), ("b", root), ("c", b)]
            assert await names_in(shelf, a) == ["x"]
            with pytest.raises(NotPermitted):
                await shelf.move_collection(b, a, "d")
            with pytest.raises(NoSuchCollection):
                await shelf.move_collection(b, GONE, "d")
            with pytest.raises(NoSuchCollection):
                await shelf.move_collection(GONE, b, "d")
            await make(shelf, "d", FILES, b)
            with pytest.raises(CollectionExists):
                await shelf.move_collection(a, b, "d")

        reactor.run(scenario())

    def test_properties_change_all_at_once(
        self, reactor: PumpedReactor, shelf: ICollections, calendar: CollectionId
    ) -> None:
        async def scenario() -> None:
            first = await shelf.change_collection_properties(calendar, {"{x}a": "1", "{x}b": "2"})
            second = await shelf.change_collection_properties(calendar, {"{x}c": "3"}, ["{x}a", "{x}none"])
            assert dict(second.properties) == {"{x}b": "2", "{x}c": "3"}
            assert second.modseq > first.modseq
            assert (await shelf.collections())[0] == second
            with pytest.raises(NoSuchCollection):
                await shelf.change_collection_properties(GONE, {})

        reactor.run(scenario())
