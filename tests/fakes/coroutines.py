"""A TestCase whose coroutine tests are awaited, with every release of Twisted that we support."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase


def _deferred(function: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Deferred[Any]]:
    @wraps(function)
    def start(*args: Any, **kwargs: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(function(*args, **kwargs))

    return start


class CoroutineTestCase(TestCase):
    """
    Trial before 22.10 takes a coroutine for a result and calls the test passed, so tests and fixtures that are
    coroutine functions are wrapped here.
    """

    def __init_subclass__(cls) -> None:
        for name in dir(cls):
            function = getattr(cls, name, None)
            if iscoroutinefunction(function) and (name.startswith("test") or name in ("setUp", "tearDown")):
                setattr(cls, name, _deferred(function))

    def close_later(self, close: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Await C{close()} when the test is over."""
        self.addCleanup(_deferred(close))
