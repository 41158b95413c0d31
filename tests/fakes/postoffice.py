"""A store that only takes mail, and a directory in a dictionary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zope.interface import implementer

from tests.fakes.submission import FakeSink
from trekd.directory.interfaces import Account, Alias, DirectoryEntry, Group, IDirectory
from trekd.errors import BadCredentials, DirectoryDown, TrekError
from trekd.store.interfaces import IMessageSink, NewMessage
from trekd.values import Address, MailboxName, PrincipalId


class FakeBox:
    """One account's INBOX."""

    def __init__(self, principal: PrincipalId) -> None:
        self.principal = principal
        self.messages: list[bytes] = []
        self.failure: Exception | None = None

    async def append(self, name: MailboxName, messages: Sequence[NewMessage]) -> None:
        assert name.is_inbox
        if self.failure is not None:
            raise self.failure
        for message in messages:
            content = message.content if isinstance(message.content, bytes) else await message.content.octets()
            self.messages.append(message.prefix + content)


class FakePost:
    """The part of a store that delivery uses."""

    def __init__(self) -> None:
        self.boxes: dict[str, FakeBox] = {}
        self.quotas: dict[str, int] = {}
        self.sinks: list[FakeSink] = []

    def box(self, address: str) -> FakeBox:
        return self.boxes.setdefault(address, FakeBox(PrincipalId(address)))

    async def open(self, principal: PrincipalId, quota: int = 0) -> Any:
        self.quotas[principal] = quota
        return self.box(principal)

    def receive(self) -> IMessageSink:
        self.sinks.append(FakeSink())
        return self.sinks[-1]


@implementer(IDirectory)
class FakeDirectory:
    """Finds by address in lower case; C{down} makes every call fail."""

    def __init__(self, *entries: Account | Group | Alias) -> None:
        self.entries = {str(entry.address).lower(): entry for entry in entries}
        self.failure: TrekError | None = None

    async def authenticate(self, login: Address, password: str) -> Account:
        raise BadCredentials

    async def find(self, address: Address) -> Account | Group | Alias | None:
        if self.failure is not None:
            raise self.failure
        return self.entries.get(str(address).lower())

    async def search(self, text: str, limit: int) -> tuple[DirectoryEntry, ...]:
        return ()

    async def describe(self, address: Address) -> DirectoryEntry | None:
        return None

    async def close(self) -> None:
        pass

    def go_down(self) -> None:
        self.failure = DirectoryDown()


async def run_here(function: Callable[..., Any], *args: Any) -> Any:
    """Stands for a thread."""
    return function(*args)
