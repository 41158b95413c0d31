"""
What every directory does, whatever it is made of; see L{trekd.directory.interfaces}.
"""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from trekd.directory.interfaces import Account, IAccountAdministration, IDirectory, NewAccount, Status
from trekd.errors import AccountExists, BadCredentials, NoSuchAccount, SyntaxFault
from trekd.values import Address

ALICE = Address("alice", "example.com")
BOB = Address("bob", "example.com")
NOBODY = Address("nobody", "example.com")


class DirectoryContract:
    """
    Mixed into a C{TestCase}; C{self.directory} has alice (plan pro, password "correct horse", display name
    "Alice Liddell", alias a.liddell@example.com) and bob (plan nano, password "battery staple").
    """

    directory: Any
    assertEqual: Any
    assertRaises: Any
    assertTrue: Any
    assertIsNone: Any

    async def refused(self, error: type[Exception], awaitable: Any) -> Exception:
        """Expect an error and give it."""
        try:
            await awaitable
        except error as fault:
            return fault
        raise AssertionError(f"{error.__name__} was not raised")

    def test_provides_its_interface(self) -> None:
        self.assertTrue(verifyObject(IDirectory, self.directory))

    async def test_right_password_gives_the_account(self) -> None:
        account = await self.directory.authenticate(ALICE, "correct horse")
        self.assertEqual((account.address, account.plan, account.status), (ALICE, "pro", Status.ACTIVE))

    async def test_alias_logs_in_as_its_account(self) -> None:
        account = await self.directory.authenticate(Address("a.liddell", "example.com"), "correct horse")
        self.assertEqual(account.address, ALICE)

    async def test_typed_case_never_changes_the_principal(self) -> None:
        account = await self.directory.authenticate(Address("ALICE", "example.com"), "correct horse")
        self.assertEqual(account.principal, "alice@example.com")

    async def test_wrong_password_and_unknown_account_are_one_refusal(self) -> None:
        wrong = await self.refused(BadCredentials, self.directory.authenticate(ALICE, "battery staple"))
        unknown = await self.refused(BadCredentials, self.directory.authenticate(NOBODY, "battery staple"))
        self.assertEqual((type(wrong), str(wrong)), (type(unknown), str(unknown)))

    async def test_impossible_passwords_are_wrong_not_faults(self) -> None:
        for password in ("", "\0", "x" * 5000, "\udcff"):
            await self.refused(BadCredentials, self.directory.authenticate(ALICE, password))

    async def test_find_ignores_case_and_knows_aliases(self) -> None:
        for local in ("alice", "Alice", "A.Liddell"):
            found = await self.directory.find(Address(local, "example.com"))
            self.assertEqual(found.address, ALICE)
        self.assertIsNone(await self.directory.find(NOBODY))

    async def test_strange_addresses_find_nobody(self) -> None:
        for local in ("*", "alice)(mail=*", "alice\\00", "'; DROP TABLE account; --", "%"):
            self.assertIsNone(await self.directory.find(Address(local, "example.com")))

    async def test_search_looks_into_names_and_addresses(self) -> None:
        (alice,) = await self.directory.search("LIDD", 10)
        self.assertEqual((alice.address, alice.display_name), (ALICE, "Alice Liddell"))
        self.assertEqual([entry.address for entry in await self.directory.search("example.com", 10)], [ALICE, BOB])
        self.assertEqual(len(await self.directory.search("example.com", 1)), 1)
        self.assertEqual(await self.directory.search("%", 10), ())

    async def test_describe_knows_aliases_and_ignores_case(self) -> None:
        for local in ("ALICE", "a.liddell"):
            found = await self.directory.describe(Address(local, "example.com"))
            self.assertEqual((found.address, found.display_name, found.is_group), (ALICE, "Alice Liddell", False))
        self.assertIsNone(await self.directory.describe(NOBODY))


class AdministrationContract(DirectoryContract):
    """The same, with C{self.directory} an L{IAccountAdministration} too."""

    def test_provides_administration(self) -> None:
        self.assertTrue(verifyObject(IAccountAdministration, self.directory))

    async def test_added_account_is_there_with_all_its_fields(self) -> None:
        progress: list[int] = []
        new = NewAccount(Address("Carol", "example.com"), "starter", "seashells", "Carol", 1 << 30)
        await self.directory.add([new], progress.append)
        account = await self.directory.find(Address("carol", "example.com"))
        expected = Account(Address("carol", "example.com"), "starter", "Carol", quota=1 << 30)
        self.assertEqual((account, progress), (expected, [1]))
        self.assertEqual(await self.directory.authenticate(account.address, "seashells"), expected)

    async def test_account_without_password_cannot_log_in(self) -> None:
        await self.directory.add([NewAccount(Address("dan", "example.com"), "nano")])
        await self.refused(BadCredentials, self.directory.authenticate(Address("dan", "example.com"), "None"))

    async def test_adding_is_all_or_nothing(self) -> None:
        new = [NewAccount(Address(local, "example.com"), "nano") for local in ("erin", "BOB")]
        taken = await self.refused(AccountExists, self.directory.add(new))
        self.assertTrue("bob@example.com" in str(taken).lower())
        self.assertIsNone(await self.directory.find(new[0].address))

    async def test_an_address_twice_in_one_batch_is_refused(self) -> None:
        new = [NewAccount(Address(local, "example.com"), "nano") for local in ("erin", "Erin")]
        await self.refused(AccountExists, self.directory.add(new))
        self.assertIsNone(await self.directory.find(new[0].address))

    async def test_alias_is_taken_like_an_address(self) -> None:
        await self.refused(
            AccountExists, self.directory.add([NewAccount(Address("a.liddell", "example.com"), "nano")])
        )

    async def test_impossible_password_is_refused(self) -> None:
        for password in ("", "a\0b", "x" * 1025):
            new = NewAccount(Address("erin", "example.com"), "nano", password)
            await self.refused(SyntaxFault, self.directory.add([new]))
            await self.refused(SyntaxFault, self.directory.set_password(ALICE, password))
        await self.directory.authenticate(ALICE, "correct horse")

    async def test_new_password_holds_and_the_old_one_does_not(self) -> None:
        await self.directory.set_password(ALICE, "tr\u00e9sor")
        await self.directory.authenticate(ALICE, "tre\u0301sor")
        await self.refused(BadCredentials, self.directory.authenticate(ALICE, "correct horse"))
        await self.refused(NoSuchAccount, self.directory.set_password(NOBODY, "x"))

    async def test_change_replaces_fields_and_keeps_the_password(self) -> None:
        alias, sender = Address("wonder", "example.com"), Address("desk", "example.com")
        changed = Account(ALICE, "agency", "A", (alias,), (sender,), 7, Status.SUSPENDED, "team")
        await self.directory.change(changed)
        self.assertEqual(await self.directory.authenticate(alias, "correct horse"), changed)
        self.assertIsNone(await self.directory.find(Address("a.liddell", "example.com")))

    async def test_change_refuses_taken_aliases_and_changes_nothing(self) -> None:
        before = await self.directory.find(ALICE)
        for aliases in ((BOB,), (ALICE,), (NOBODY, Address("Nobody", "example.com"))):
            await self.refused(AccountExists, self.directory.change(Account(ALICE, "nano", aliases=aliases)))
        self.assertEqual(await self.directory.find(ALICE), before)
        await self.refused(NoSuchAccount, self.directory.change(Account(NOBODY, "nano")))

    async def test_disabled_account_is_not_in_the_address_list(self) -> None:
        await self.directory.change(Account(ALICE, "pro", "Alice", status=Status.DISABLED))
        self.assertEqual([each.address for each in await self.directory.search("", 10)], [BOB])
        self.assertIsNone(await self.directory.describe(ALICE))

    async def test_removed_account_is_gone_with_its_aliases(self) -> None:
        await self.directory.remove(Address("Alice", "example.com"))
        for local in ("alice", "a.liddell"):
            self.assertIsNone(await self.directory.find(Address(local, "example.com")))
        await self.refused(NoSuchAccount, self.directory.remove(ALICE))
        self.assertEqual([account.address for account in await self.directory.accounts()], [BOB])
