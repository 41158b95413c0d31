"""
Threads for the rooms that start none themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.threads import deferToThreadPool


def in_thread_of(reactor: Any) -> Callable[..., Any]:
    """Run blocking calls in the reactor's own pool, which starts with the reactor."""

    def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
        return deferToThreadPool(reactor, reactor.getThreadPool(), function, *arguments)

    return in_thread
