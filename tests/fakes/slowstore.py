"""A store that answers nothing at once: every call waits for the clock, so that what comes meanwhile has to wait."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

_AT_ONCE = ("receive", "subscribe", "principal")


class Slow:
    """Stands before a store or an account's store; coroutines and listings take their time."""

    def __init__(self, behind: Any, clock: IReactorTime) -> None:
        self._behind = behind
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._behind, name)
        if not callable(found) or (name in _AT_ONCE and hasattr(self._behind, "receive")):
            return found
        if name == "list_messages":
            return self._listing(found)
        return self._coroutine(found, wrap=name == "open" and hasattr(self._behind, "receive"))

    def _coroutine(self, function: Callable[..., Any], wrap: bool) -> Callable[..., Any]:
        async def later(*args: Any) -> Any:
            await deferLater(self._clock, 0)
            result = await function(*args)
            await deferLater(self._clock, 0)
            return Slow(result, self._clock) if wrap else result

        return later

    def _listing(self, function: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
        async def later(*args: Any) -> AsyncIterator[Any]:
            async for piece in function(*args):
                await deferLater(self._clock, 0)
                yield piece

        return later
