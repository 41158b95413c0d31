"""
The memory store keeps the contract of collections.
"""

from __future__ import annotations

from pathlib import Path

from tests.contract.collections import CollectionsContract
from tests.fakes.running import PumpedReactor
from trekd.store.interfaces import IStore, MessageReader
from trekd.store.memory.boxes import Limits
from trekd.store.memory.provider import MemoryStore


class TestMemoryCollections(CollectionsContract):
    """The whole suite over the memory store."""

    def make_store(self, reactor: PumpedReactor, directory: Path, reader: MessageReader) -> IStore:
        """A store without files."""
        return MemoryStore(reader, reactor, Limits(self.limits.mailboxes, self.limits.keywords))
