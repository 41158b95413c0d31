"""The embedded directory keeps the directory's contract."""

from __future__ import annotations

import os
import sqlite3
from tempfile import TemporaryDirectory

from twisted.internet import reactor

from tests.contract.directory import ALICE, BOB, AdministrationContract
from tests.fakes.coroutines import CoroutineTestCase
from trekd.directory.interfaces import Account, NewAccount
from trekd.directory.local.directory import LocalDirectory
from trekd.directory.local.scram import make_keys, write_keys
from trekd.errors import BadCredentials
from trekd.values import Address


class LocalDirectoryTests(AdministrationContract, CoroutineTestCase):
    """L{LocalDirectory} with a file of its own."""

    async def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = os.path.join(folder.name, "directory.sqlite")
        self.directory = LocalDirectory(self.file, reactor)
        self.close_later(self.directory.close)
        await self.directory.add(
            [
                NewAccount(ALICE, "pro", "correct horse", "Alice Liddell"),
                NewAccount(BOB, "nano", "battery staple"),
            ]
        )
        alias = Address("a.liddell", "example.com")
        await self.directory.change(Account(ALICE, "pro", "Alice Liddell", (alias,)))

    # SCRAM keys (RFC 5802 §3)

    async def test_keys_are_of_the_password(self) -> None:
        """For the address and its aliases, in any letter case."""
        for login in ("alice@example.com", "a.liddell@example.com", "ALICE@example.com"):
            account, keys = await self.directory.scram_keys(login)
            assert account is not None
            self.assertEqual(account.address, ALICE)
            self.assertEqual(keys, make_keys("correct horse", keys.iterations, keys.salt))
        self.assertTrue(keys.iterations >= 4096)

    async def test_new_password_has_new_keys(self) -> None:
        _, old = await self.directory.scram_keys("bob@example.com")
        await self.directory.set_password(BOB, "another staple")
        _, keys = await self.directory.scram_keys("bob@example.com")
        assert keys.salt != old.salt
        self.assertEqual(keys, make_keys("another staple", keys.iterations, keys.salt))

    async def test_unknown_names_have_keys_of_their_own_that_stay(self) -> None:
        """So that nobody learns from them who has an account; text that is no address as well."""
        seen = set()
        for login in ("nobody@example.com", "nobody@example.org", "nobody", "", "\ud800@x"):
            account, keys = await self.directory.scram_keys(login)
            self.assertIsNone(account)
            self.assertEqual(await self.directory.scram_keys(login), (None, keys))
            self.assertEqual((len(keys.salt), keys.iterations), (16, 4096))
            seen.add(keys.salt)
        self.assertEqual(len(seen), 5)

    async def test_keys_that_are_missing_are_made_at_the_next_login(self) -> None:
        """Of an account from before, or of another number of iterations; a wrong password makes none."""
        database = sqlite3.connect(self.file)
        database.execute("UPDATE account SET scram = NULL")
        database.commit()
        self.assertIsNone((await self.directory.scram_keys("alice@example.com"))[0])
        await self.refused(BadCredentials, self.directory.authenticate(ALICE, "wrong"))
        self.assertIsNone((await self.directory.scram_keys("alice@example.com"))[0])
        await self.directory.authenticate(ALICE, "correct horse")
        account, keys = await self.directory.scram_keys("alice@example.com")
        assert account is not None
        self.assertEqual(keys, make_keys("correct horse", keys.iterations, keys.salt))
        database.execute("UPDATE account SET scram = ?", (write_keys(make_keys("correct horse", 5000)),))
        database.commit()
        database.close()
        self.assertEqual((await self.directory.scram_keys("alice@example.com"))[1].iterations, 5000)
        await self.directory.authenticate(ALICE, "correct horse")
        self.assertEqual((await self.directory.scram_keys("alice@example.com"))[1].iterations, 4096)
