"""
Stores do what a naive model does.

A further provider is a further machine: a class with C{make_store}, and its C{TestCase}.
"""

from __future__ import annotations

from pathlib import Path

from tests.fakes.running import PumpedReactor
from tests.property.storemodel import BOUNDED, StoreMachine
from trekd.store.interfaces import IStore, MessageReader
from trekd.store.memory.boxes import Limits
from trekd.store.memory.provider import MemoryStore


def memory_store(reactor: PumpedReactor, directory: Path, reader: MessageReader) -> IStore:
    """A memory store."""
    return MemoryStore(reader, reactor, Limits(100, 100))


class MemoryMachine(StoreMachine):
    """The model beside the memory store."""

    make_store = staticmethod(memory_store)


TestMemoryStoreModel = MemoryMachine.TestCase
TestMemoryStoreModel.settings = BOUNDED
