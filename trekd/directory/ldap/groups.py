"""
Distribution lists: groups that have an address, with all who are members through other groups.
"""

from __future__ import annotations

import re

from trekd.config.schema import LDAPConfig
from trekd.directory.interfaces import Group, Status
from trekd.directory.ldap.entries import Entry, ISession, Query
from trekd.directory.ldap.escaping import fill_filter_any, in_filter
from trekd.directory.ldap.mapping import AccountMapping, member_key
from trekd.directory.ldap.names import DNKey
from trekd.directory.ldap.notices import Notices
from trekd.errors import DirectoryDown, SyntaxFault
from trekd.values import Address

MAX_DEPTH = 5
"""Groups in groups, the list itself counted."""

MAX_MEMBERS = 1000
"""Members of one list, all groups in it counted."""

_CLASSES = frozenset(
    {
        "groupofnames",
        "groupofuniquenames",
        "groupofmembers",
        "groupofurls",
        "group",
        "qmailgroup",
        "mailgroup",
        "posixgroup",
    }
)
_RANGE = re.compile(r"([^;]+);range=(\d+)-(\d+|\*)")
_ANY = "(objectClass=*)"
_MEMBER_UID = "memberuid"
"""The attribute of posixGroup that names members by uid instead of DN (RFC 2307 §3)."""


Seen = dict[DNKey | str, DNKey | str | None]
"""Members met so far, each with the group in which it was met first; the list itself is in none."""


class Lists:
    """
    Reads distribution lists, one search for each member.

    A list that is larger or deeper than allowed is not delivered to a part of its members: it is C{DirectoryDown},
    with a line in the log, until somebody divides it.
    """

    def __init__(self, config: LDAPConfig, mapping: AccountMapping, notices: Notices) -> None:
        self._config = config
        self._mapping = mapping
        self._notices = notices
        named = (config.attr_member, config.attr_forward, "objectClass")
        self._by_uid = config.attr_member.lower() == _MEMBER_UID
        self.attributes = tuple(dict.fromkeys((*mapping.attributes, *(name for name in named if name))))

    def is_list(self, entry: Entry) -> bool:
        """Whether an entry is a group, not an account."""
        return not _CLASSES.isdisjoint(name.lower() for name in entry.texts("objectClass"))

    def expand(self, session: ISession, entry: Entry, address: Address) -> Group | None:
        """
        Read a list.

        @return: C{None} when its status refuses mail.
        @raise DirectoryDown: it is too large or too deep.
        """
        if self._mapping.status(entry) is Status.DISABLED:
            return None
        members: dict[Address, None] = {}
        seen: Seen = {member_key(entry.dn): None}
        level = [entry]
        for _ in range(MAX_DEPTH):
            below: list[Entry] = []
            for group in level:
                for name in self._forwards(group):
                    members[name] = None
                for member in self._members(session, group, seen, entry.dn):
                    if self.is_list(member):
                        below.append(member)
                    elif (own := self._mapping.address(member)) is not None:
                        members[own] = None
            if not below:
                canonical = self._mapping.address(entry) or address
                return Group(canonical, tuple(members), self._mapping.name(entry))
            level = below
        raise self._refused(entry.dn, f"has more than {MAX_DEPTH} levels of groups")

    def _members(self, session: ISession, group: Entry, seen: Seen, top: str) -> list[Entry]:
        """The members of one group that were not seen yet; names of entries that are gone are passed over."""
        found: list[Entry] = []
        above = member_key(group.dn)
        for name in self._member_names(session, group):
            key = name.lower() if self._by_uid else member_key(name)
            if key in seen:
                if _is_above(key, above, seen):
                    self._notices.warn(f"{name[:300]} is in a loop of groups; list {top} has each member once")
                continue
            seen[key] = above
            if len(seen) > MAX_MEMBERS + 1:
                raise self._refused(top, f"has more than {MAX_MEMBERS} members")
            if self._by_uid:
                found += self._with_uid(session, name, group.dn)
            elif isinstance(key, str):
                self._notices.warn(f"{self._config.attr_member} {name[:100]!r} of {group.dn} is no distinguished name")
            else:
                found += session.search(Query(name, "base", _ANY, self.attributes, 1)).entries
        return found

    def _with_uid(self, session: ISession, uid: str, group: str) -> tuple[Entry, ...]:
        """The account with a uid; none when two have it: a list is not for the wrong one."""
        config = self._config
        text = f"(&{fill_filter_any(config.recipient_filter)}(uid={in_filter(uid)}))"
        found = session.search(Query(config.base, config.scope, text, self.attributes, 2))
        if len(found.entries) > 1 or found.was_cut:
            self._notices.warn(f"{config.attr_member} {uid[:100]!r} of {group} is the uid of more than one entry")
            return ()
        return found.entries

    def _member_names(self, session: ISession, group: Entry) -> list[str]:
        """
        The DNs in the member attribute, all of them: Active Directory gives 1500 at a time, as
        C{member;range=0-1499}.
        """
        attribute = self._config.attr_member.lower()
        names = list(group.texts(attribute))
        ranged = _next_range(group, attribute)
        names += ranged[0]
        while ranged[1] is not None and len(names) <= MAX_MEMBERS:
            wanted = f"{attribute};range={ranged[1]}-*"
            found = session.search(Query(group.dn, "base", _ANY, (wanted,), 1)).entries
            ranged = _next_range(found[0], attribute) if found else ([], None)
            names += ranged[0]
        return names

    def _forwards(self, group: Entry) -> list[Address]:
        found: list[Address] = []
        for value in group.texts(self._config.attr_forward):
            try:
                found.append(Address.parse(value.strip()))
            except SyntaxFault:
                self._notices.warn(f"{self._config.attr_forward} {value[:100]!r} of {group.dn} is no address")
        return found

    def _refused(self, dn: str, reason: str) -> DirectoryDown:
        self._notices.error(f"list {dn} {reason}; mail for it waits until it is divided")
        return DirectoryDown(f"{dn} {reason}")


def _is_above(member: DNKey | str, group: DNKey | str | None, seen: Seen) -> bool:
    """Whether a member of a group is that group, or one that it is in."""
    while group is not None:
        if group == member:
            return True
        group = seen.get(group)
    return False


def _next_range(entry: Entry, attribute: str) -> tuple[list[str], int | None]:
    """Values of a ranged attribute, and where the next ones begin; C{None} after the last."""
    for name in entry.attributes:
        found = _RANGE.fullmatch(name)
        if found and found[1] == attribute:
            return list(entry.texts(name)), None if found[3] == "*" else int(found[3]) + 1
    return [], None
