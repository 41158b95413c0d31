"""
The reactor that tests pump themselves.
"""

from __future__ import annotations

from threading import Thread, get_ident

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from zope.interface.verify import verifyObject

from tests.fakes.running import PumpedReactor


def in_thread(reactor: PumpedReactor) -> Deferred[int]:
    """Hop to a thread and back with its identifier."""
    done: Deferred[int] = Deferred()
    Thread(target=lambda: reactor.callFromThread(done.callback, get_ident())).start()
    return done


def test_coroutine_comes_back_from_its_thread() -> None:
    """Its result too; what runs in the reactor runs here."""
    reactor = PumpedReactor()
    assert verifyObject(IReactorFromThreads, reactor)

    async def hop() -> tuple[int, int]:
        return await in_thread(reactor), get_ident()

    there, here = reactor.run(hop())
    assert there != here == reactor.thread == get_ident()


def test_failure_is_raised() -> None:
    """As it was raised in the coroutine."""
    reactor = PumpedReactor()

    async def fail() -> None:
        await in_thread(reactor)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        reactor.run(fail())


def test_what_never_happens_is_given_up() -> None:
    """Instead of a test that hangs."""
    reactor = PumpedReactor(patience=0.001)
    with pytest.raises(TimeoutError):
        reactor.run(Deferred())
    with pytest.raises(TimeoutError):
        reactor.until(lambda: False)


def test_several_run_at_once() -> None:
    """Started together, finished in any order."""
    reactor = PumpedReactor()
    order: list[str] = []

    async def hop(name: str) -> str:
        await in_thread(reactor)
        order.append(name)
        return name

    first, second = reactor.start(hop("first")), reactor.start(hop("second"))
    assert order == []
    assert reactor.finish(second) == "second"
    assert reactor.finish(first) == "first"
    reactor.settle()
    assert sorted(order) == ["first", "second"]
