"""
What an operator does with the queue.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.logger import Logger
from zope.interface import implementer

from trekd.queue.dispatcher import Dispatcher
from trekd.queue.headers import read_header
from trekd.queue.interfaces import (
    HELD_BY_OPERATOR,
    Entry,
    IQueueControl,
    LaneState,
    Selection,
    Suppression,
)
from trekd.queue.spool import Spool
from trekd.queue.suppression import Suppressions
from trekd.values import PrincipalId

log = Logger()


@implementer(IQueueControl)
class QueueControl:
    """See L{IQueueControl}."""

    def __init__(self, spool: Spool, dispatcher: Dispatcher, suppressions: Suppressions) -> None:
        self._spool = spool
        self._dispatcher = dispatcher
        self._suppressions = suppressions

    async def entries(self, selection: Selection, limit: int) -> Sequence[Entry]:
        """See L{IQueueControl.entries}."""
        return await self._spool.entries(limit, selection)

    def lanes(self) -> Sequence[LaneState]:
        """See L{IQueueControl.lanes}."""
        return self._dispatcher.states()

    async def header(self, entry: Entry) -> bytes:
        """See L{IQueueControl.header}."""
        return await read_header(self._spool.content(entry))

    async def hold(self, selection: Selection, why: str) -> int:
        """See L{IQueueControl.hold}."""
        held = await self._spool.hold(selection, HELD_BY_OPERATOR, why)
        await self._dispatcher.changed()
        return self._logged("held", selection, held)

    async def release(self, selection: Selection) -> int:
        """See L{IQueueControl.release}."""
        return self._logged("released", selection, await self._dispatcher.release(selection))

    async def retry(self, selection: Selection) -> int:
        """See L{IQueueControl.retry}."""
        return self._logged("tried again", selection, await self._dispatcher.retry(selection))

    async def drop(self, selection: Selection) -> int:
        """See L{IQueueControl.drop}."""
        dropped = await self._spool.drop(selection)
        await self._dispatcher.changed()
        return self._logged("dropped", selection, dropped)

    def suppressions(self, principal: PrincipalId | None) -> Sequence[Suppression]:
        """See L{IQueueControl.suppressions}."""
        return self._suppressions.entries(principal)

    async def remove_suppressions(self, principal: PrincipalId | None, address: str | None) -> int:
        """See L{IQueueControl.remove_suppressions}."""
        return await self._suppressions.remove(principal, address)

    @staticmethod
    def _logged(what: str, selection: Selection, count: int) -> int:
        log.info(
            "the operator had {count} queued copies {what}: {selection}", count=count, what=what, selection=selection
        )
        return count
