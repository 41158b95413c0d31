"""
What the parts of the store's contract suite share: the fixtures, and short ways to ask and to look.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.fakes.mime import PlainReader
from tests.fakes.running import PumpedReactor
from trekd.store.interfaces import (
    Appended,
    Column,
    IAccountStore,
    IStore,
    LineTemplate,
    Listing,
    MailboxView,
    MessageReader,
    NewMessage,
)
from trekd.values import INBOX, Flag, MailboxName, PrincipalId

ALICE = PrincipalId("alice@example.com")
BOB = PrincipalId("bob@example.com")
SENT = MailboxName("Sent")
ARCHIVE = MailboxName("Archive")
DATE = datetime(2024, 2, 29, 23, 59, 58, tzinfo=UTC)


@dataclass(frozen=True)
class Limits:
    """Limits of the store under test; see L{StoreConfig<trekd.config.schema.StoreConfig>}."""

    mailboxes: int = 30
    keywords: int = 20


class StoreCase:
    """
    A new store for each test.  At its end, every account must check clean.

    A provider's suite derives from L{StoreContract<tests.contract.store.StoreContract>} and says how to make one.
    """

    limits = Limits()

    def make_store(self, reactor: PumpedReactor, directory: Path, reader: MessageReader) -> IStore:
        """
        Make, or make again, the store whose files are in C{directory}.

        It has the limits C{self.limits}, and keeps sinks in memory up to 64 KiB at most where it has files.
        """
        raise NotImplementedError

    def make_reader(self) -> MessageReader:
        """The message reader that the store is made with."""
        return PlainReader()

    @pytest.fixture
    def reactor(self) -> PumpedReactor:
        """Runs the test."""
        return PumpedReactor()

    @pytest.fixture
    def store(self, reactor: PumpedReactor, tmp_path: Path) -> Iterator[IStore]:
        """The store; verified and closed at the end."""
        store = self.make_store(reactor, tmp_path, self.make_reader())
        yield store
        reactor.run(verify(store))
        reactor.run(store.close())

    @pytest.fixture
    def alice(self, reactor: PumpedReactor, store: IStore) -> IAccountStore:
        """A new account without quota."""
        return reactor.run(store.open(ALICE))


async def verify(store: IStore) -> None:
    """Every account of the store checks clean."""
    for principal in await store.accounts():
        account = await store.open(principal)
        assert await account.check() == (), principal


def flags(*texts: str) -> frozenset[Flag]:
    """A set of flags."""
    return frozenset(map(Flag, texts))


def uid_set(*uids: int) -> array[int]:
    """UIDs as the store takes them."""
    return array("I", uids)


def content(subject: str = "hello", text: bytes = b"text\r\n", fields: str = "") -> bytes:
    """A small message."""
    return f"Subject: {subject}\r\nFrom: Ann <ann@example.com>\r\n{fields}\r\n".encode() + text


def message(subject: str = "hello", *texts: str, text: bytes = b"text\r\n", fields: str = "") -> NewMessage:
    """A small message with a fixed date and these flags."""
    return NewMessage(content(subject, text, fields), b"", flags(*texts), DATE)


async def fill(account: IAccountStore, count: int, name: MailboxName = INBOX, *texts: str) -> Appended:
    """Append messages with the subjects C{m1}, C{m2} and so on."""
    return await account.append(name, [message(f"m{number}", *texts) for number in range(1, count + 1)])


async def view_of(account: IAccountStore, name: MailboxName = INBOX) -> MailboxView:
    """The mailbox's view now."""
    return (await account.open(name)).view


async def uids_in(account: IAccountStore, name: MailboxName = INBOX) -> list[int]:
    """The mailbox's UIDs now."""
    return list((await view_of(account, name)).uids)


def everything(view: MailboxView) -> tuple[range, ...]:
    """All positions of a view."""
    return (range(len(view.uids)),) if view.uids else ()


async def pieces_of(listing: AsyncIterator[Listing]) -> list[Listing]:
    """All pieces of a listing."""
    return [piece async for piece in listing]


async def listed(
    account: IAccountStore,
    view: MailboxView,
    items: Iterable[object],
    positions: tuple[range, ...] | None = None,
    recent_from: int = 0,
) -> bytes:
    """The octets of a listing; positions are all unless told."""
    template = LineTemplate(tuple(items), recent_from)  # type: ignore[arg-type]
    where = everything(view) if positions is None else positions
    return b"".join(piece.octets for piece in await pieces_of(account.list_messages(view, where, template)))


async def shown(account: IAccountStore, column: Column, name: MailboxName = INBOX) -> list[bytes]:
    """A column's value for each message of a mailbox (none of the values may contain a C{|})."""
    octets = await listed(account, await view_of(account, name), (column, b"|"))
    return octets.split(b"|")[:-1]


async def subjects(account: IAccountStore, name: MailboxName = INBOX) -> list[str]:
    """The messages' subjects."""
    octets = await listed(account, await view_of(account, name), (Column.HEADER,))
    return [subject.decode() for subject in re.findall(rb"(?m)^Subject: (.*)\r$", octets)]
