"""Active Directory's entries as far as slapd can hold them, and lists whose members are uids."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from tests.contract.test_ldap_entries import ServerTestCase, at
from tests.fakes.slapd import GROUPS, PEOPLE, Person, Slapd, ssha
from tests.unit.directory.ldap.test_examples import HOST, SHIPPED
from trekd.config.loader import load
from trekd.config.schema import LDAPConfig
from trekd.directory.interfaces import Group, Phone, Status
from trekd.errors import BadCredentials

SCHEMA = Path(__file__).parents[1] / "fakes/active_directory.schema"
NORMAL, DISABLED, PASSWORD_NEVER_EXPIRES = 0x200, 0x2, 0x10000


def shipped_example(slapd: Slapd) -> LDAPConfig:
    """etc/ldap/active-directory.toml, with this server's name, suffix and files."""
    text = (SHIPPED / "active-directory.toml").read_text()
    text = re.sub(r"(?m)^uris = .*$", f'uris = ["{slapd.tls_uri}"]', text)
    text = text.replace("/etc/trekmail/ldap.secret", str(slapd.secret_file))
    text = text.replace("/etc/trekmail/ad-ca.pem", str(slapd.authority.file))
    text = text.replace("DC=ad,DC=example,DC=com", "DC=example,DC=com")
    return load(HOST + text, "trekmail.toml").directory.ldap


def user(slapd: Slapd, name: str, flags: int = NORMAL, **more: list[str]) -> str:
    """Add a user with a mailbox, as the Exchange schema has it; its name is given back."""
    local = name.split()[0].lower()
    dn = f"CN={name},{PEOPLE}"
    attributes = {
        "objectClass": ["user"],
        "objectCategory": ["person"],
        "cn": [name],
        "sn": [name.split()[-1]],
        "givenName": [name.split()[0]],
        "displayName": [name],
        "sAMAccountName": [local],
        "userPrincipalName": [f"{local}@ad.example.com"],
        "mail": [f"{local}@example.com"],
        "userAccountControl": [str(flags)],
        "userPassword": [ssha("password")],
    }
    slapd.add(dn, attributes | more)
    return dn


def group(slapd: Slapd, name: str, members: list[str], mail: str = "") -> str:
    """Add a group, with or without an address."""
    dn = f"CN={name},{GROUPS}"
    attributes = {"objectClass": ["group"], "groupType": ["2"], "cn": [name], "displayName": [name], "member": members}
    slapd.add(dn, attributes | ({"mail": [mail], "proxyAddresses": [f"SMTP:{mail}"]} if mail else {}))
    return dn


class ActiveDirectoryTests(ServerTestCase):
    """The shipped example, against entries with Active Directory's attributes."""

    slapd: ClassVar[Slapd]

    @classmethod
    def setUpClass(cls) -> None:
        cls.slapd = slapd = Slapd(schemas=(SCHEMA,), group_class="group")
        cls.addClassCleanup(slapd.close)
        addresses = ["X500:/o=Example/cn=alice", "smtp:A.Liddell@example.com", "SMTP:alice@example.com", "sip:a@b.c"]
        alice = user(
            slapd,
            "Alice Liddell",
            NORMAL | PASSWORD_NEVER_EXPIRES,
            proxyAddresses=addresses,
            mDBOverHardQuotaLimit=["5242880"],
            telephoneNumber=["+1 555 0100"],
            company=["Wonderland Ltd"],
            department=["Tea Parties"],
            postalCode=["OX1"],
            co=["Wonderland"],
        )
        bob = user(slapd, "Bob Hatter")
        user(slapd, "Carol Gone", NORMAL | DISABLED)
        sales = group(slapd, "Sales", [bob])
        group(slapd, "Mail Pro", [alice, sales])
        group(slapd, "Team", [alice, sales, f"CN=Team,{GROUPS}"], "team@example.com")

    def setUp(self) -> None:
        super().setUp()
        self.directory = self.open(shipped_example(self.slapd))

    async def test_every_name_of_a_user_logs_in_as_one_account(self) -> None:
        for login in (at("alice"), at("ALICE"), at("a.liddell"), at("alice", "ad.example.com")):
            account = await self.directory.authenticate(login, "password")
            self.assertEqual(account.principal, "alice@example.com")
        self.assertEqual((account.plan, account.quota, account.status), ("pro", 5 << 30, Status.ACTIVE))
        self.assertEqual((account.aliases, account.display_name), ((at("a.liddell"),), "Alice Liddell"))
        for login in (at("a"), at("alice", "example.org")):
            await self.refused(BadCredentials, self.directory.authenticate(login, "password"))

    async def test_a_group_inside_the_plans_group_does_not_count(self) -> None:
        self.assertEqual((await self.directory.find(at("bob"))).plan, "starter")

    async def test_a_disabled_user_has_no_login_and_no_mail(self) -> None:
        await self.refused(BadCredentials, self.directory.authenticate(at("carol"), "password"))
        self.assertIs((await self.directory.find(at("carol"))).status, Status.DISABLED)
        self.assertIsNone(await self.directory.describe(at("carol")))

    async def test_a_group_with_an_address_is_a_list_of_all_below_it(self) -> None:
        expected = Group(at("team"), (at("alice"), at("bob")), "Team")
        self.assertEqual(await self.directory.find(at("team")), expected)
        self.assertIsNone(await self.directory.find(at("sales")))

    async def test_the_address_list_has_users_and_groups(self) -> None:
        found = await self.directory.search("", 10)
        self.assertEqual([each.display_name for each in found], ["Alice Liddell", "Bob Hatter", "Team"])
        alice = found[0]
        self.assertEqual((alice.given_name, alice.phones), ("Alice", ((Phone.WORK, "+1 555 0100"),)))
        self.assertEqual((alice.organization, alice.unit), ("Wonderland Ltd", "Tea Parties"))
        self.assertEqual((alice.post.code, alice.post.country), ("OX1", "Wonderland"))


class MemberUidTests(ServerTestCase):
    """Groups that name their members by uid (RFC 2307 §3)."""

    async def test_members_by_uid_are_the_accounts_with_it(self) -> None:
        slapd = Slapd([Person("alice"), Person("bob")], schemas=(Path("/etc/ldap/schema/nis.schema"),))
        self.addCleanup(slapd.close)
        slapd.add(f"ou=other,{PEOPLE}", {"objectClass": ["organizationalUnit"]})
        for unit in (PEOPLE, f"ou=other,{PEOPLE}"):
            twin = Person("twin").attributes() | {"mail": [f"twin.{len(unit)}@example.com"]}
            slapd.add(f"uid=twin,{unit}", twin)
        slapd.add(
            f"cn=team,{GROUPS}",
            {
                "objectClass": ["posixGroup", "trekList"],
                "cn": ["team"],
                "gidNumber": ["500"],
                "mail": ["team@example.com"],
                "memberUid": ["alice", "gone", "bob", "*", "twin"],
            },
        )
        config = replace(
            slapd.config(), attr_member="memberUid", group_filter="(&(objectClass=posixGroup)(mail={addr}))"
        )
        found = await self.open(config).find(at("team"))
        self.assertEqual(found, Group(at("team"), (at("alice"), at("bob")), "team"))
        self.assert_logged(f"memberUid 'twin' of cn=team,{GROUPS} is the uid of more than one entry")
