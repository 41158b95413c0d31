"""An LDAP directory keeps the directory's contract, whichever way it finds and reads entries."""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.internet import reactor
from zope.interface.verify import verifyObject

from tests.contract.directory import ALICE, DirectoryContract
from tests.fakes.coroutines import CoroutineTestCase
from tests.fakes.slapd import PEOPLE, SHA_512_CRYPT, Person, Slapd
from trekd.directory.interfaces import IDirectoryDiagnosis, IDirectoryServers
from trekd.directory.ldap.directory import LDAPDirectory
from trekd.errors import BadCredentials

PLANS = frozenset({"nano", "starter", "pro", "agency"})


class LDAPDirectoryTests(DirectoryContract, CoroutineTestCase):
    """L{LDAPDirectory} that searches, then binds."""

    slapd: ClassVar[Slapd]
    changes: ClassVar[dict[str, Any]] = {}

    @classmethod
    def setUpClass(cls) -> None:
        """One server for all tests: none of them changes it."""
        alice = Person(
            "alice",
            "correct horse",
            name="Alice Liddell",
            more={"trekAlias": ["a.liddell@example.com"], "trekPlan": ["pro"]},
        )
        cls.slapd = Slapd([alice, Person("bob", SHA_512_CRYPT)])
        cls.addClassCleanup(cls.slapd.close)

    def test_provides_diagnosis_and_servers(self) -> None:
        self.assertTrue(verifyObject(IDirectoryDiagnosis, self.directory))
        self.assertTrue(verifyObject(IDirectoryServers, self.directory))

    async def test_answers_are_counted_by_result(self) -> None:
        await self.directory.authenticate(ALICE, "correct horse")
        await self.refused(BadCredentials, self.directory.authenticate(ALICE, "wrong"))
        results = self.directory.results()
        self.assertEqual((results["bind", "invalidCredentials"], results["search", "success"] > 0), (1, True))
        self.assertEqual([each.outages for each in self.directory.servers()], [0])
        self.assertEqual(self.directory.waiting(), 0)

    async def setUp(self) -> None:
        self.directory = LDAPDirectory(self.slapd.config(**self.changes), PLANS, reactor)
        self.close_later(self.directory.close)


class StartTLSDirectoryTests(LDAPDirectoryTests):
    """The same over StartTLS."""

    changes: ClassVar[dict[str, Any]] = {"starttls": True}


class TemplateDirectoryTests(LDAPDirectoryTests):
    """L{LDAPDirectory} that binds as a name made from the login."""

    changes: ClassVar[dict[str, Any]] = {"auth": "template", "user_dn_template": f"uid={{local}},{PEOPLE}"}

    async def test_alias_logs_in_as_its_account(self) -> None:
        """An alias makes another name than the account's: it cannot log in, but gets mail."""
        alias = ALICE.__class__("a.liddell", "example.com")
        await self.refused(Exception, self.directory.authenticate(alias, "correct horse"))
        self.assertEqual((await self.directory.find(alias)).address, ALICE)
