"""
Operations on stored mail: checked, exported, added to.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from io import BytesIO

from trekd.errors import MailboxExists, NoSuchMailbox, SyntaxFault
from trekd.store.interfaces import IAccountStore, NewMessage
from trekd.values import MailboxName
from trekd.web.collaborators import Collaborators, Facts
from trekd.web.messages import StoredMessage, export, read_record


class MailOperations:
    """Mail of accounts, also of those that have left the directory."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators

    async def check(self, address: str | None) -> AsyncIterator[Facts]:
        """
        Verify accounts' storage.

        @return: C{{"account": ADDRESS, "complaints": [...]}} for each.
        """
        if address is None:
            principals = await self._with.store().accounts()
        else:
            principals = (await self._with.stored(address),)
        for principal in principals:
            store = await self._with.open_stored(principal)
            yield {"account": principal, "complaints": list(await store.check())}

    async def export(self, address: str) -> AsyncIterator[bytes]:
        """All mail of an account, as L{trekd.web.messages} writes it."""
        store = await self._with.open_stored(await self._with.stored(address))
        async for piece in export(store):
            yield piece

    async def append(self, address: str, mailbox: str, octets: bytes) -> Facts:
        """
        Add messages to a mailbox, all or none; it is made when it is not there.

        @param octets: message records and the end mark of L{trekd.web.messages}.
        """
        name = MailboxName(mailbox)
        messages = _messages(octets)
        store = await self._with.open_store(await self._with.account(address))
        await _make_mailbox(store, name)
        if messages:
            await store.append(name, messages)
        return {"appended": len(messages)}


async def _make_mailbox(store: IAccountStore, name: MailboxName) -> None:
    """Make a mailbox, subscribed, unless it is there."""
    try:
        await store.mailbox(name)
    except NoSuchMailbox:
        try:
            await store.create(name)
        except MailboxExists:
            return
        await store.subscribe(name)


def _messages(octets: bytes) -> list[NewMessage]:
    """Read message records up to the end mark."""
    stream, messages = BytesIO(octets), []
    while (record := read_record(stream)) is not None:
        if not isinstance(record, StoredMessage):
            raise SyntaxFault("messages only")
        messages.append(NewMessage(record.octets, b"", record.flags, record.internal_date))
    return messages
