"""The embedded directory keeps the directory's contract."""

from __future__ import annotations

import os
from tempfile import TemporaryDirectory

from twisted.internet import reactor

from tests.contract.directory import ALICE, BOB, AdministrationContract
from tests.fakes.coroutines import CoroutineTestCase
from trekd.directory.interfaces import Account, NewAccount
from trekd.directory.local.directory import LocalDirectory
from trekd.values import Address


class LocalDirectoryTests(AdministrationContract, CoroutineTestCase):
    """L{LocalDirectory} with a file of its own."""

    async def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.directory = LocalDirectory(os.path.join(folder.name, "directory.sqlite"), reactor)
        self.close_later(self.directory.close)
        await self.directory.add(
            [
                NewAccount(ALICE, "pro", "correct horse", "Alice Liddell"),
                NewAccount(BOB, "nano", "battery staple"),
            ]
        )
        alias = Address("a.liddell", "example.com")
        await self.directory.change(Account(ALICE, "pro", "Alice Liddell", (alias,)))
