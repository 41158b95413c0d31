"""What an LDAP directory makes of a real server's entries, odd ones above all."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from twisted.internet import reactor
from twisted.internet.defer import DeferredList, ensureDeferred
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs, formatEvent

from tests.contract.test_ldap_directory import PLANS
from tests.fakes.coroutines import CoroutineTestCase
from tests.fakes.slapd import GROUPS, PEOPLE, Person, Slapd, argon2, crowd
from trekd.config.schema import LDAPPlanConfig
from trekd.directory.interfaces import Account, Alias, DirectoryEntry, Group, Status
from trekd.directory.ldap.directory import LDAPDirectory
from trekd.errors import BadCredentials, DirectoryDown
from trekd.values import Address

ALICE = Address("alice", "example.com")


def at(local: str, domain: str = "example.com") -> Address:
    return Address(local, domain)


class ServerTestCase(CoroutineTestCase):
    """Tests with directories on servers; what they log is in C{self.lines}."""

    def setUp(self) -> None:
        captured = capturedLogs()
        events = captured.__enter__()
        self.addCleanup(captured.__exit__, None, None, None)
        self.lines = lambda: [formatEvent(event) for event in events]

    def open(self, config: Any, max_waiting: int = 200) -> LDAPDirectory:
        directory = LDAPDirectory(config, PLANS, reactor, max_waiting)
        self.close_later(directory.close)
        return directory

    async def refused(self, error: type[Exception], awaitable: Awaitable[Any]) -> None:
        try:
            await awaitable
        except error as fault:
            self.assertIs(type(fault), error)
        else:
            self.fail(f"{error.__name__} was not raised")

    def assert_logged(self, text: str) -> None:
        self.assertTrue(any(text in line for line in self.lines()), self.lines())


class EntryTests(ServerTestCase):
    """One server for all."""

    slapd: ClassVar[Slapd]

    @classmethod
    def setUpClass(cls) -> None:
        """Entries are added and never changed, so that tests may run in any order."""
        people = [
            Person("alice", "correct horse", name="Alice Liddell"),
            Person("erin", argon2("argon"), name="Erin"),
            Person("twin1", "twin", ("twin@example.com",)),
            Person("twin2", "twin", ("twin@example.com",)),
            Person("locked", "locked"),
            Person("suspended", "password", more={"trekAccountStatus": ["suspended"]}),
            Person("disabled", "password", more={"trekAccountStatus": ["disabled"]}),
            Person("rest", "password", more={"trekAlias": ["@example.com"]}),
            Person("mute"),
            Person("o'brien (odd), \\ *", "password", ("o'brien@example.com",), "O'Brien (odd) * \\ Ünïcode"),
            Person("carol", "password", ("Carol@Example.COM", "c@example.com")),
            Person("gold", "password", more={"trekPlan": ["gold"]}),
            Person("many", "password", more={"trekQuotaBytes": ["5368709120S,1000C"], "trekPlan": ["starter"]}),
            Person(
                "yonder",
                more={
                    "trekForward": ["Me@Private.example", "no address", "alice@example.com"],
                    "trekDeliveryMode": ["nolocal", "reply"],
                    "trekVacation": ["Weg.\r\nGrüße"],
                },
            ),
            Person("silent", more={"trekForward": ["me@private.example"], "trekVacation": ["Weg."]}),
            Person("nomail", "password", ("not an address",), more={"trekAlias": ["nomail@example.com"]}),
        ]
        cls.slapd = slapd = Slapd(people)
        cls.addClassCleanup(slapd.close)
        dns = {person.uid: person.dn for person in people}
        cls.pro = slapd.add_group("plan-pro", [dns["carol"], dns["many"]])
        inner = slapd.add_group("inner", [dns["erin"], f"cn=team,{GROUPS}"])
        slapd.add_group(
            "team",
            [dns["alice"], inner, dns["mute"], f"cn=team,{GROUPS}", f"uid=gone,{PEOPLE}"],
            mail=["team@example.com"],
            trekAlias=["everybody@example.com"],
            trekForward=["guest@example.net"],
        )
        slapd.modify(dns["locked"], pwdAccountLockedTime=["000001010000Z"])

    def setUp(self) -> None:
        super().setUp()
        plans = (LDAPPlanConfig(self.pro.upper().replace(",", " , "), "pro"),)
        self.directory = self.open(self.slapd.config(plans=plans))

    async def test_each_scheme_of_hash_logs_in(self) -> None:
        for name, password in (("alice", "correct horse"), ("erin", "argon")):
            self.assertEqual((await self.directory.authenticate(at(name), password)).address, at(name))

    async def test_no_password_in_the_entry_is_never_right(self) -> None:
        await self.refused(BadCredentials, self.directory.authenticate(at("mute"), "mute"))

    async def test_variants_of_an_address_are_one_account(self) -> None:
        """What is typed is never the key: case, padding and full-width letters find the same entry."""
        for local in ("Alice", "ALICE", " alice"):
            account = await self.directory.authenticate(at(local), "correct horse")
            self.assertEqual(account.principal, "alice@example.com")
        found = await self.directory.find(Address("ａｌｉｃｅ", "example.com"))
        self.assertTrue(found is None or found.address == ALICE)
        for login in (at("ａｌｉｃｅ"), at("alice", "ｅxample.com"), at("jürgen"), at("alice", "bücher.example")):
            await self.refused(BadCredentials, self.directory.authenticate(login, "correct horse"))
        self.assert_logged("a login name that is not ASCII was refused")

    async def test_names_made_to_change_the_filter_find_nobody(self) -> None:
        for local in ("*", "*)(uid=*", "alice)(|(mail=*", "\\2a", "alice\0", "a" * 1_000_000, "alice*"):
            await self.refused(BadCredentials, self.directory.authenticate(at(local), "correct horse"))
            self.assertIsNone(await self.directory.find(at(local)))
        self.assertEqual((await self.directory.find(ALICE)).address, ALICE)

    async def test_odd_characters_in_an_entry(self) -> None:
        account = await self.directory.authenticate(at("O'Brien"), "password")
        self.assertEqual(str(account.address), "o'brien@example.com")
        self.assertEqual(account.display_name, "O'Brien (odd) * \\ Ünïcode")

    async def test_two_entries_with_one_address_are_no_verdict(self) -> None:
        await self.refused(DirectoryDown, self.directory.authenticate(at("twin"), "twin"))
        await self.refused(DirectoryDown, self.directory.find(at("twin")))
        self.assert_logged("twin@example.com belongs to more than one entry: uid=twin1")

    async def test_plan_by_attribute_by_group_and_by_default(self) -> None:
        plans = {name: (await self.directory.find(at(name))).plan for name in ("many", "carol", "alice", "gold")}
        self.assertEqual(plans, {"many": "starter", "carol": "pro", "alice": "nano", "gold": "nano"})
        self.assert_logged("unknown plan 'gold'")

    async def test_quota_and_further_values_of_mail(self) -> None:
        self.assertEqual((await self.directory.find(at("many"))).quota, 5 << 30)
        self.assertEqual((await self.directory.find(at("C"))).principal, "carol@example.com")

    async def test_status_is_the_portals_to_judge(self) -> None:
        for name, status in (("suspended", Status.SUSPENDED), ("disabled", Status.DISABLED)):
            self.assertIs((await self.directory.authenticate(at(name), "password")).status, status)

    async def test_a_lock_of_the_password_policy_is_a_refusal_with_a_line_in_the_log(self) -> None:
        await self.refused(BadCredentials, self.directory.authenticate(at("locked"), "locked"))
        self.assert_logged("account locked")

    async def test_forwarding_and_answer(self) -> None:
        away, silent = await self.directory.find(at("yonder")), await self.directory.find(at("silent"))
        assert isinstance(away, Account) and isinstance(silent, Account)
        self.assertEqual(away.forwards, (at("me", "private.example"), ALICE))
        self.assertEqual((away.forward_keep, away.vacation), (False, "Weg.\nGrüße"))
        self.assertEqual((silent.forwards, silent.forward_keep), ((at("me", "private.example"),), True))
        self.assertEqual(silent.vacation, "")

    async def test_entry_without_usable_address_is_no_account(self) -> None:
        await self.refused(BadCredentials, self.directory.authenticate(at("nomail"), "password"))
        self.assert_logged("has no usable address")

    async def test_list_with_groups_in_it(self) -> None:
        expected = Group(
            at("team"), (Address("guest", "example.net"), at("alice"), at("mute"), at("erin")), "team"
        )
        self.assertEqual(await self.directory.find(at("everybody")), expected)
        self.assertIsNone(await self.directory.find(at("inner")))

        self.assert_logged(f"cn=team,{GROUPS} is in a loop of groups")

    async def test_catch_all_takes_what_nobody_has(self) -> None:
        self.assertIsNone(await self.directory.find(at("nobody")))
        directory = self.open(self.slapd.config(catch_all=True))
        self.assertEqual(await directory.find(at("nobody")), Alias(at("nobody"), (at("rest"),)))
        self.assertIsInstance(await directory.find(at("alice+tag")), Account)
        self.assertEqual((await directory.find(at("alice+tag"))).address, ALICE)
        self.assertIsNone(await directory.find(at("nobody", "example.org")))
        await self.refused(BadCredentials, directory.authenticate(at("nobody"), "password"))

    async def test_address_list_has_people_and_lists_by_name(self) -> None:
        found = [(hit.address, hit.display_name) for hit in await self.directory.search("a", 2)]
        self.assertEqual(found, [(ALICE, "Alice Liddell"), (at("carol"), "carol")])
        self.assertEqual(await self.directory.search("TEAM", 9), (DirectoryEntry(at("team"), "team", is_group=True),))
        self.assertEqual([hit.address for hit in await self.directory.search("(odd) *", 9)], [at("o'brien")])
        everybody = await self.directory.search("", 100)
        self.assertNotIn(at("disabled"), [hit.address for hit in everybody])
        self.assertGreater(len(everybody), 10)

    async def test_more_than_may_wait_are_told_to_try_later(self) -> None:
        directory = self.open(replace(self.slapd.config(), connections=1), max_waiting=2)
        attempts = [ensureDeferred(directory.authenticate(ALICE, "correct horse")) for _ in range(10)]
        results = await DeferredList(attempts, consumeErrors=True)
        self.assertEqual(sum(good for good, _ in results), 3)
        self.assertTrue(all(isinstance(each.value, DirectoryDown) for good, each in results if not good))

    async def test_service_password_is_read_again(self) -> None:
        directory = self.open(self.slapd.config(retry_down_after=0))
        self.slapd.secret_file.write_text("wrong\n")
        self.addCleanup(self.slapd.secret_file.write_text, "service secret\n")
        await self.refused(DirectoryDown, directory.find(ALICE))
        self.assert_logged("refuses the service account cn=trekmail")
        self.slapd.secret_file.write_text("service secret\n")
        while directory.servers()[0].fault:  # somebody is trying the server just now
            await deferLater(reactor, 0.01)
            with contextlib.suppress(DirectoryDown):
                self.assertEqual((await directory.find(ALICE)).address, ALICE)
        self.assertEqual((await directory.find(ALICE)).address, ALICE)

    async def test_a_base_that_is_not_there_is_an_outage_not_a_wrong_password(self) -> None:
        directory = self.open(self.slapd.config(base="ou=typo,dc=example,dc=com"))
        await self.refused(DirectoryDown, directory.authenticate(ALICE, "correct horse"))
        self.assert_logged("noSuchObject")

    async def test_template_login_is_only_for_the_entrys_own_address(self) -> None:
        """uid=alice may bind, but alice of another domain is somebody else."""
        changes = {"auth": "template", "user_dn_template": f"uid={{local}},{PEOPLE}"}
        for service in ({}, {"bind_dn": "", "bind_password_file": ""}):
            directory = self.open(self.slapd.config(**changes, **service))
            account = await directory.authenticate(ALICE, "correct horse")
            self.assertEqual(account.address, ALICE)
            await self.refused(BadCredentials, directory.authenticate(at("alice", "example.org"), "correct horse"))
            await self.refused(BadCredentials, directory.authenticate(ALICE, "wrong"))

    async def test_steps_of_a_login_are_told_without_the_password(self) -> None:
        steps = await self.directory.explain(at("carol"), "password")
        told = {step.name.strip(): step.text for step in steps}
        self.assertEqual(told["entry"], f"uid=carol,{PEOPLE}")
        self.assertEqual(told["account"], "carol@example.com")
        self.assertIn("(mail=carol@example.com)", told["filter"])
        self.assertIn("pro (member of CN=PLAN-PRO", told["plan"])
        self.assertEqual((told["password"], told["mail"]), ("right", "goes to carol@example.com"))
        self.assertTrue(all(step.is_good for step in steps))
        steps = await self.directory.explain(at("locked"), "locked")
        self.assertIn("refused: account locked", [step.text for step in steps])
        self.assertNotIn("service secret", repr(steps))

    async def test_steps_of_a_template_login(self) -> None:
        changes = {"auth": "template", "user_dn_template": f"uid={{local}},{PEOPLE}"}
        directory = self.open(self.slapd.config(**changes))
        steps = {step.name: step for step in await directory.explain(ALICE, None)}
        self.assertEqual(steps["bind as"].text, f"uid=alice,{PEOPLE}")
        self.assertIn("not tested", steps["password"].text)
        steps = {step.name: step for step in await directory.explain(ALICE, "correct horse")}
        self.assertEqual((steps["password"].text, steps["account"].text), ("right", "alice@example.com"))
        steps = {step.name: step for step in await directory.explain(ALICE, "wrong")}
        self.assertEqual((steps["password"].is_good, "account" in steps), (False, False))
        steps = {step.name: step for step in await directory.explain(at("o'brien"), "password")}
        self.assertFalse(steps["bind as"].is_good)

    async def test_steps_end_where_the_directory_has_nothing(self) -> None:
        for address, name, text in (
            (at("nobody"), "entry", "none"),
            (at("twin"), "result", "more than one"),
            (at("x" * 400), "input", "refused"),
        ):
            bad = [step for step in await self.directory.explain(address, None) if not step.is_good]
            self.assertEqual(bad[0].name, name)
            self.assertIn(text, bad[0].text)


class ReferralTests(ServerTestCase):
    """A server that has a part of its tree elsewhere, and says so to the service account."""

    async def test_referrals_are_told_and_not_followed(self) -> None:
        slapd = Slapd([Person("alice", "correct horse")], schemas=(Path("/etc/ldap/schema/nis.schema"),))
        self.addCleanup(slapd.close)
        slapd.add(
            f"cn=elsewhere,{PEOPLE}",
            {"objectClass": ["referral", "extensibleObject"], "ref": [f"ldap://127.0.0.1:1/{PEOPLE}"]},
        )
        directory = self.open(slapd.config())
        self.assertEqual((await directory.authenticate(ALICE, "correct horse")).address, ALICE)
        self.assertEqual([each.address for each in await directory.search("", 10)], [ALICE])
        self.assert_logged(f"{slapd.uri} refers to other servers for a part of {PEOPLE}")
        elsewhere = self.open(slapd.config(base=f"cn=elsewhere,{PEOPLE}"))
        await self.refused(DirectoryDown, elsewhere.authenticate(ALICE, "correct horse"))
        self.assert_logged("referral (10)")


class LimitTests(ServerTestCase):
    """A server that gives 500 entries and no more, in pages (RFC 2696)."""

    async def test_a_cut_address_list_is_given_and_told(self) -> None:
        slapd = Slapd(crowd(600), size_limit="500")
        self.addCleanup(slapd.close)
        directory = self.open(slapd.config())
        self.assertEqual(len(await directory.search("user", 1000)), 500)
        self.assert_logged("500 entries (sizeLimitExceeded")
        self.assertEqual((await directory.find(at("u00600"))).address, at("u00600"))
