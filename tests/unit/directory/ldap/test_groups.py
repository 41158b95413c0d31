"""Distribution lists of groups in groups."""

from __future__ import annotations

import pytest

from tests.unit.directory.ldap.test_mapping import Recorded, mapping
from trekd.config.schema import LDAPConfig
from trekd.directory.interfaces import Group
from trekd.directory.ldap.entries import Entry, Found, Query, Refusal
from trekd.directory.ldap.groups import MAX_MEMBERS, Lists
from trekd.errors import DirectoryDown
from trekd.values import Address

TEAM = Address("team", "example.com")


class Entries:
    """A session that knows entries by name."""

    uri = "ldap://fake"

    def __init__(self, *entries: Entry) -> None:
        self.entries = {entry.dn: entry for entry in entries}
        self.asked: list[Query] = []

    def search(self, query: Query) -> Found:
        self.asked.append(query)
        found = self.entries.get(query.base)
        return Found((found,) if found else ())

    def search_as_user(self, query: Query) -> Found:
        raise NotImplementedError

    def verify(self, dn: str, password: bytes) -> Refusal | None:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is open."""


def group(name: str, *members: str, forward: str = "", **more: str) -> Entry:
    attributes = {"objectclass": (b"groupOfNames",), "member": tuple(each.encode() for each in members)}
    attributes |= {"trekforward": (forward.encode(),)} if forward else {}
    return Entry(f"cn={name}", {**attributes, **{key.lower(): (value.encode(),) for key, value in more.items()}})


def person(name: str) -> Entry:
    return Entry(f"uid={name}", {"objectclass": (b"inetOrgPerson",), "mail": (f"{name}@example.com".encode(),)})


def expand(top: Entry, *others: Entry) -> Group | None:
    return Lists(LDAPConfig(), mapping()[0], Recorded()).expand(Entries(top, *others), top, TEAM)  # type: ignore[arg-type]


def names(found: Group | None) -> list[str]:
    assert found is not None
    return [each.local for each in found.members]


def test_members_and_forwards_are_the_list() -> None:
    more = {"mail": "team@example.com", "cn": "Team", "forward": "carol@example.net"}
    top = group("team", "uid=alice", "uid=gone", "uid=bob", **more)
    found = expand(top, person("alice"), person("bob"))
    assert found == Group(
        TEAM,
        (Address("carol", "example.net"), Address("alice", "example.com"), Address("bob", "example.com")),
        "Team",
    )


def test_groups_in_groups_give_each_member_once() -> None:
    top = group("team", "cn=inner", "uid=alice")
    inner = group("inner", "uid=ALICE ", "uid=bob")
    assert names(expand(top, inner, person("alice"), person("bob"))) == ["alice", "bob"]


def test_loops_end_where_they_began() -> None:
    top = group("team", "cn=inner", "CN=Team")
    assert names(expand(top, group("inner", "cn=team", "cn=inner", "uid=bob"), person("bob"))) == ["bob"]


def test_a_loop_is_told_and_a_group_in_two_groups_is_none() -> None:
    notices = Recorded()
    lists = Lists(LDAPConfig(), mapping()[0], notices)  # type: ignore[arg-type]
    entries = Entries(group("a", "cn=c"), group("b", "cn=c"), group("c", "uid=bob"), person("bob"))
    top = group("team", "cn=a", "cn=b", "uid=bob")
    assert names(lists.expand(entries, top, TEAM)) == ["bob"]
    assert notices.lines == []
    entries.entries["cn=c"] = group("c", "uid=bob", "CN=A")
    assert names(lists.expand(entries, top, TEAM)) == ["bob"]
    assert notices.lines == ["CN=A is in a loop of groups; list cn=team has each member once"]


def test_five_levels_are_followed_and_a_sixth_is_refused() -> None:
    levels = [group(f"level{depth}", f"cn=level{depth + 1}") for depth in range(1, 5)]
    assert names(expand(*levels, group("level5", "uid=alice"), person("alice"))) == ["alice"]
    with pytest.raises(DirectoryDown, match="levels"):
        expand(*levels, group("level5", "cn=level6"), group("level6", "uid=alice"), person("alice"))


def test_a_list_is_never_delivered_in_part() -> None:
    people = [person(f"u{number}") for number in range(MAX_MEMBERS + 1)]
    assert len(names(expand(group("team", *(each.dn for each in people[1:])), *people))) == MAX_MEMBERS
    with pytest.raises(DirectoryDown, match="1000"):
        expand(group("team", *(each.dn for each in people)), *people)


def test_ranged_members_of_active_directory_are_all_fetched() -> None:
    """1500 values at a time, as C{member;range=0-1499} (here three)."""
    top = Entry("cn=team", {"member": (), "member;range=0-2": (b"uid=a", b"uid=b", b"uid=c")})

    class Ranged(Entries):
        def search(self, query: Query) -> Found:
            if query.base != "cn=team":
                return super().search(query)
            assert query.attributes == ("member;range=3-*",)
            return Found((Entry("cn=team", {"member;range=3-*": (b"uid=d",)}),))

    session = Ranged(*map(person, "abcd"))
    found = Lists(LDAPConfig(), mapping()[0], Recorded()).expand(session, top, TEAM)  # type: ignore[arg-type]
    assert names(found) == ["a", "b", "c", "d"]


def test_members_that_are_no_names_are_passed_over_and_told() -> None:
    notices = Recorded()
    top = group("team", "alice", "uid=bob")
    lists = Lists(LDAPConfig(), mapping()[0], notices)  # type: ignore[arg-type]
    assert names(lists.expand(Entries(top, person("bob")), top, TEAM)) == ["bob"]
    assert "member 'alice' of cn=team" in notices.lines[0]


def test_a_disabled_list_takes_no_mail() -> None:
    assert expand(group("team", "uid=alice", trekAccountStatus="disabled"), person("alice")) is None
