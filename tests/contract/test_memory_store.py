"""
The memory store keeps the store's contract.
"""

from __future__ import annotations

from pathlib import Path

from tests.contract.store import StoreContract
from tests.fakes.running import PumpedReactor
from trekd.mime.reader import MimeReader
from trekd.store.interfaces import IStore, MessageReader
from trekd.store.memory.boxes import Limits
from trekd.store.memory.provider import MemoryStore


class TestMemoryStore(StoreContract):
    """The whole suite over the memory store."""

    def make_store(self, reactor: PumpedReactor, directory: Path, reader: MessageReader) -> IStore:
        """A store without files."""
        return MemoryStore(reader, reactor, Limits(self.limits.mailboxes, self.limits.keywords))


class TestMemoryStoreWithMime(TestMemoryStore):
    """The suite once more, with messages read as the daemon reads them."""

    def make_reader(self) -> MessageReader:
        """The daemon's reader."""
        return MimeReader()
