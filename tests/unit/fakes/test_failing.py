"""
The store that fails on purpose.
"""

from __future__ import annotations

from typing import Any

import pytest
from zope.interface.verify import verifyObject

from tests.fakes.failing import FailingStore
from tests.fakes.mime import PlainReader
from tests.fakes.running import PumpedReactor
from trekd.errors import StoreBusy, StoreFull
from trekd.store.interfaces import Column, IAccountStore, IStore, LineTemplate, NewMessage
from trekd.store.memory.boxes import Limits
from trekd.store.memory.provider import MemoryStore
from trekd.values import INBOX, PrincipalId

ALICE = PrincipalId("alice@example.com")


async def scenario(store: Any) -> int:
    """Append two messages and list them; how many pieces came."""
    account = await store.open(ALICE)
    await account.append(INBOX, [NewMessage(b"x" * 100), NewMessage(b"y" * 100_000)])
    view = (await account.open(INBOX)).view
    return len([piece async for piece in account.list_messages(view, (range(2),), LineTemplate((Column.OCTETS,)))])


def memory(reactor: PumpedReactor) -> IStore:
    """A store that does not fail."""
    return MemoryStore(PlainReader(), reactor, Limits(10, 10))


def test_each_call_fails_in_turn() -> None:
    """Before it does anything; those before it do what they should."""
    reactor = PumpedReactor()
    watched = FailingStore(memory(reactor))
    pieces = reactor.run(scenario(watched))
    assert watched.calls == ["store.open", "account.append", "account.open"] + ["account.list_messages"] * (pieces + 1)
    for number in range(len(watched.calls)):
        inner = memory(reactor)
        store = FailingStore(inner, number, StoreFull())
        with pytest.raises(StoreFull):
            reactor.run(scenario(store))
        assert store.calls == watched.calls[: number + 1]
        stored = reactor.run(reactor.run(inner.open(ALICE)).usage())
        assert stored == ((0, 0) if number < 2 else (100_100, 2))


def test_interfaces_are_provided() -> None:
    """Of the store and of its accounts."""
    reactor = PumpedReactor()
    store = FailingStore(memory(reactor), fail_at=1)
    assert verifyObject(IStore, store)
    account = reactor.run(store.open(ALICE))
    assert verifyObject(IAccountStore, account)
    assert account.principal == ALICE
    store.receive().discard()
    store.subscribe(ALICE, lambda mailbox, modseq: None)()
    with pytest.raises(StoreBusy):
        reactor.run(store.accounts())
    assert reactor.run(store.accounts()) == (ALICE,)
