"""
Operations on stored mail: checked, exported, added to.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from io import BytesIO

from trekd.errors import MailboxExists, NoSuchMailbox, SyntaxFault
from trekd.store.interfaces import IAccountStore, NewMessage
from trekd.values import MailboxName, PrincipalId
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
        for principal in await self._principals(address):
            store = await self._with.open_stored(principal)
            yield {"account": principal, "complaints": list(await store.check())}

    async def repair(self, address: str | None) -> AsyncIterator[Facts]:
        """
        Mend accounts' storage.

        @return: C{{"account": ADDRESS, "complaints": [...]}} for each; a line begins with C{mended:}, C{lost:} or
            C{left:}.
        """
        for principal in await self._principals(address):
            store = await self._with.open_stored(principal)
            yield {"account": principal, "complaints": list(await store.repair())}

    async def index_text(self, address: str | None) -> AsyncIterator[Facts]:
        """
        Make the index of accounts' text anew.

        @return: C{{"account": ADDRESS, "indexed": N, "messages": N}} several times for each, last when both are equal.
        """
        for principal in await self._principals(address):
            store = await self._with.open_stored(principal)
            indexed, messages = await store.index_text(anew=True)
            yield {"account": principal, "indexed": indexed, "messages": messages}
            while indexed < messages:
                indexed, messages = await store.index_text()
                yield {"account": principal, "indexed": indexed, "messages": messages}

    async def _principals(self, address: str | None) -> tuple[PrincipalId, ...]:
        """One account, or all that have a store."""
        return await self._with.store().accounts() if address is None else (await self._with.stored(address),)

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
