"""A connection as the ledger sees one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from zope.interface import implementer

from trekd.portal.interfaces import IConnection

_numbers = count(1)


def _no_action() -> None:
    """What an unwatched connection does when it is aborted."""


@implementer(IConnection)
class FakeConnection:
    """Remembers what was done to it; C{on_abort} is called by L{abort}."""

    def __init__(self, peer: str = "203.0.113.7", service: str = "imap") -> None:
        self.peer = peer
        self.service = service
        self.session = f"s{next(_numbers)}"
        self.aborted = 0
        self.goodbyes = 0
        self.on_abort: Callable[[], None] = _no_action

    def describe(self) -> Mapping[str, Any]:
        """See L{IConnection}."""
        return {"mailbox": "INBOX"}

    def kernel_socket(self) -> None:
        """See L{IConnection}."""

    def heartbeat(self) -> bool:
        """See L{IConnection}."""
        return True

    def say_goodbye(self) -> None:
        """See L{IConnection}."""
        self.goodbyes += 1

    def abort(self) -> None:
        """See L{IConnection}."""
        self.aborted += 1
        self.on_abort()
