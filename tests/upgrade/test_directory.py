"""
The embedded directory's file of each released schema is opened by today's code.
"""

from __future__ import annotations

import os
import sqlite3
from tempfile import TemporaryDirectory

from twisted.internet import reactor

from tests.fakes.coroutines import CoroutineTestCase
from tests.upgrade.dump import FIXTURES
from trekd.directory.interfaces import Status
from trekd.directory.local.directory import LocalDirectory
from trekd.values import Address

ALICE = Address("alice", "example.com")


class DirectoryUpgradeTests(CoroutineTestCase):
    """Accounts stay as they were."""

    async def test_version_1(self) -> None:
        """Passwords are good; keys for SCRAM come with the next login."""
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, "directory.sqlite")
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        database = sqlite3.connect(path)
        database.executescript((FIXTURES / "directory_1.sql").read_text("utf-8"))
        database.close()
        directory = LocalDirectory(path, reactor)
        self.close_later(directory.close)
        accounts = await directory.accounts()
        self.assertEqual([each.address.local for each in accounts], ["alice", "bob", "system"])
        alice, bob, _ = accounts
        self.assertEqual((alice.plan, alice.quota, alice.display_name), ("pro", 1000, "Alice Liddell"))
        self.assertEqual(alice.aliases, (Address("a.liddell", "example.com"),))
        self.assertEqual(bob.status, Status.SUSPENDED)
        self.assertIsNone((await directory.scram_keys("alice@example.com"))[0])
        self.assertEqual((await directory.authenticate(ALICE, "correct horse")).address, ALICE)
        account, _ = await directory.scram_keys("alice@example.com")
        assert account is not None
        self.assertEqual(account.address, ALICE)
