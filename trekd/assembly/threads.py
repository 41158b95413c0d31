"""
Threads for the rooms that start none themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.threads import deferToThreadPool

from trekd.store.sqlite.threads import Threads


def in_thread_of(reactor: Any) -> Callable[..., Any]:
    """Run blocking calls in the reactor's own pool, which starts with the reactor."""

    def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
        return deferToThreadPool(reactor, reactor.getThreadPool(), function, *arguments)

    return in_thread


def in_queue_thread_of(threads: Threads) -> Callable[..., Any]:
    """Run blocking calls in the mail queue's own threads, which cost a message less than the reactor's pool does."""

    def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
        return threads.read(partial(function, *arguments))

    return in_thread
