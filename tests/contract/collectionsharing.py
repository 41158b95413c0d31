"""
Who else may see a collection, and where it is shown.
"""

from __future__ import annotations

import pytest

from tests.contract.collectioncase import CollectionCase
from tests.contract.storecase import ALICE, BOB
from tests.fakes.running import PumpedReactor
from trekd.errors import CollectionExists, NoSuchCollection
from trekd.store.collections import EVERYONE, CollectionId, CollectionKind, ICollections, Mount, Right
from trekd.store.interfaces import IStore

CALENDAR = CollectionKind.CALENDAR


class SharingRules(CollectionCase):
    """Tests of grants and mounts."""

    def test_rights_are_given_and_taken(
        self, reactor: PumpedReactor, shelf: ICollections, calendar: CollectionId
    ) -> None:
        async def scenario() -> None:
            assert await shelf.grants(calendar) == {}
            await shelf.grant(calendar, {BOB: Right.WRITE, EVERYONE: Right.FREEBUSY})
            await shelf.grant(calendar, {BOB: Right.READ})
            assert await shelf.grants(calendar) == {BOB: Right.READ, EVERYONE: Right.FREEBUSY}
            assert await shelf.all_grants() == {calendar: {BOB: Right.READ, EVERYONE: Right.FREEBUSY}}
            await shelf.grant(calendar, {BOB: None, ALICE: None})
            assert await shelf.grants(calendar) == {EVERYONE: Right.FREEBUSY}
            await shelf.remove_collection(calendar)
            assert await shelf.all_grants() == {}
            with pytest.raises(NoSuchCollection):
                await shelf.grants(calendar)
            with pytest.raises(NoSuchCollection):
                await shelf.grant(calendar, {BOB: Right.READ})

        reactor.run(scenario())

    def test_collections_of_others_are_shown(
        self, reactor: PumpedReactor, store: IStore, shelf: ICollections, calendar: CollectionId
    ) -> None:
        async def scenario() -> None:
            bob = ICollections(await store.open(BOB))
            assert await bob.mounts() == ()
            await bob.mount(Mount("alice", ALICE, calendar, CALENDAR, {"{x}colour": "red"}))
            await bob.mount(Mount("alice's", ALICE, calendar, CALENDAR, {"{x}colour": "blue"}))
            (mount,) = await bob.mounts()
            assert (mount.name, dict(mount.properties)) == ("alice's", {"{x}colour": "blue"})
            with pytest.raises(CollectionExists):
                await bob.mount(Mount("alice's", ALICE, CollectionId("Cother"), CALENDAR))
            await bob.unmount(ALICE, calendar)
            await bob.unmount(ALICE, calendar)
            assert await bob.mounts() == ()

        reactor.run(scenario())

    def test_a_mount_takes_a_name(
        self, reactor: PumpedReactor, shelf: ICollections, calendar: CollectionId
    ) -> None:
        async def scenario() -> None:
            with pytest.raises(CollectionExists):
                await shelf.mount(Mount("work", BOB, CollectionId("Cother"), CALENDAR))
            await shelf.mount(Mount("work", BOB, CollectionId("Cother"), CollectionKind.ADDRESS_BOOK))
            assert len(await shelf.mounts()) == 1

        reactor.run(scenario())
