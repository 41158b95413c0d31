"""A store that only takes mail, and a directory in a dictionary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from zope.interface import implementer

from tests.fakes.submission import FakeSink
from trekd.directory.interfaces import Account, Alias, DirectoryEntry, Group, IDirectory
from trekd.errors import BadCredentials, DirectoryDown, MailboxExists, NoSuchMailbox, TrekError
from trekd.store.interfaces import IMessageSink, NewMessage
from trekd.values import INBOX, Address, MailboxName, PrincipalId


@dataclass(frozen=True)
class FakeState:
    """What of a mailbox's state delivery looks at."""

    name: MailboxName
    special_use: tuple[str, ...] = ()


class FakeBox:
    """
    One account's mailboxes.

    @ivar messages: those of INBOX.
    @ivar others: those of other mailboxes by name.
    @ivar used: octets that count against the quota; C{usage_failure} is raised instead of telling them.
    """

    def __init__(self, principal: PrincipalId) -> None:
        self.principal = principal
        self.messages: list[bytes] = []
        self.others: dict[str, list[bytes]] = {}
        self.states = [FakeState(INBOX)]
        self.subscribed: list[str] = []
        self.failure: Exception | None = None
        self.used = 0
        self.usage_failure: Exception | None = None

    async def usage(self) -> tuple[int, int]:
        if self.usage_failure is not None:
            raise self.usage_failure
        return self.used, len(self.messages)

    async def append(self, name: MailboxName, messages: Sequence[NewMessage]) -> None:
        if self.failure is not None:
            raise self.failure
        if name not in [state.name for state in self.states]:
            raise NoSuchMailbox
        for message in messages:
            content = message.content if isinstance(message.content, bytes) else await message.content.octets()
            box = self.messages if name.is_inbox else self.others.setdefault(str(name), [])
            box.append(message.prefix + content)

    async def mailboxes(self) -> tuple[FakeState, ...]:
        return tuple(self.states)

    async def create(self, name: MailboxName, special_use: tuple[str, ...] = ()) -> None:
        if name in [state.name for state in self.states]:
            raise MailboxExists
        self.states.append(FakeState(name, special_use))

    async def subscribe(self, name: MailboxName) -> None:
        self.subscribed.append(str(name))


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
