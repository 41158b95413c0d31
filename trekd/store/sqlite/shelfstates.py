"""
The collections of an account's last commit.
"""

from __future__ import annotations

from collections.abc import Iterable

from trekd.store.collections import CollectionId, CollectionState
from trekd.store.items import in_order


class ShelfStates:
    """
    All collections, kept up to date.

    @ivar all: superior ones first, then by name.
    """

    def __init__(self, states: Iterable[CollectionState]) -> None:
        self.all = in_order(states)

    def update(self, changed: Iterable[CollectionState], gone: Iterable[CollectionId]) -> None:
        """A commit changed or made some collections and removed others."""
        fresh = {state.id: state for state in changed}
        lost = frozenset(gone)
        if not fresh and not lost:
            return
        kept = [fresh.pop(state.id, state) for state in self.all if state.id not in lost]
        moved = any(_place(old) != _place(new) for old, new in zip(self.all, kept, strict=False))
        self.all = in_order((*kept, *fresh.values())) if fresh or lost or moved else tuple(kept)


def _place(state: CollectionState) -> tuple[str | None, str]:
    return state.parent, state.name
