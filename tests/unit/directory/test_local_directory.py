"""What the embedded directory adds to its contract: hashes renewed, load bounded, failures told apart."""

from __future__ import annotations

import os
from tempfile import TemporaryDirectory
from unittest.mock import patch

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred, gatherResults

from tests.fakes.coroutines import CoroutineTestCase
from trekd.directory.interfaces import NewAccount
from trekd.directory.local.accounts import LocalAccounts
from trekd.directory.local.directory import LocalDirectory
from trekd.directory.local.passwords import Passwords
from trekd.errors import DirectoryDown
from trekd.values import Address

ALICE = Address("alice", "example.com")


class LocalDirectoryTests(CoroutineTestCase):
    """L{LocalDirectory}."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "directory.sqlite")

    def open(self, **settings: int) -> LocalDirectory:
        directory = LocalDirectory(self.path, reactor, **settings)
        self.close_later(directory.close)
        return directory

    async def test_hash_of_old_parameters_is_renewed_by_a_login(self) -> None:
        with patch("trekd.directory.local.directory.Passwords", lambda: Passwords(64, 1)):
            before = self.open()
        await before.add([NewAccount(ALICE, "nano", "secret")])
        await before.close()
        directory = self.open()
        await directory.authenticate(ALICE, "secret")
        await directory.authenticate(ALICE, "secret")
        await directory.close()
        accounts = LocalAccounts(self.path)
        self.addCleanup(accounts.close)
        found = accounts.credentials(ALICE)
        assert found is not None and found.encoded is not None
        self.assertIn("m=19456,t=2,p=1", found.encoded)

    async def test_too_many_waiting_logins_are_told_to_try_later(self) -> None:
        directory = self.open(hash_threads=1, max_waiting=2)
        await directory.add([NewAccount(ALICE, "nano", "secret")])
        logins = [ensureDeferred(directory.authenticate(ALICE, "secret")) for _ in range(8)]
        outcomes = await gatherResults([login.addErrback(lambda failure: failure.type) for login in logins])
        self.assertEqual(outcomes.count(DirectoryDown), 5)
        await directory.authenticate(ALICE, "secret")

    async def test_closing_answers_what_was_asked_and_nothing_more(self) -> None:
        directory = self.open()
        await directory.add([NewAccount(ALICE, "nano", "secret")])
        lookup = ensureDeferred(directory.find(ALICE))
        await directory.close()
        self.assertIsNotNone(await lookup)
        await self.assertFailure(ensureDeferred(directory.find(ALICE)), DirectoryDown)
        await self.assertFailure(ensureDeferred(directory.authenticate(ALICE, "secret")), DirectoryDown)

    async def test_file_locked_by_another_program_is_an_outage(self) -> None:
        directory = self.open()
        directory._accounts._database.execute("PRAGMA busy_timeout = 1")
        await directory.add([NewAccount(ALICE, "nano", "secret")])
        other = LocalAccounts(self.path)
        self.addCleanup(other.close)
        other._database.execute("BEGIN IMMEDIATE")
        await self.assertFailure(ensureDeferred(directory.remove(ALICE)), DirectoryDown)
        other._database.execute("ROLLBACK")
        await directory.remove(ALICE)
