"""
Permissions as the privileges of RFC 3744 §3, by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trekd.dav.xml.names import caldav, dav
from trekd.dav.xml.writing import element, escape, tags
from trekd.portal.access import ALL, VISIT, Permission


@dataclass(frozen=True, slots=True)
class Privilege:
    """
    One privilege.

    @ivar permission: what it allows, with all that it contains.
    @ivar text: for people.
    @ivar parts: the privileges that it contains.
    """

    name: str
    permission: Permission
    text: str
    parts: tuple[Privilege, ...] = ()


_READ = Privilege(
    dav("read"),
    VISIT,
    "See everything",
    (
        Privilege(caldav("read-free-busy"), Permission.SEE_BUSY, "See when the owner is busy"),
        Privilege(dav("read-current-user-privilege-set"), VISIT, "See what one may do"),
    ),
)
_WRITE = Privilege(
    dav("write"),
    Permission.WRITE,
    "Change everything in it",
    (
        Privilege(dav("write-content"), Permission.WRITE_CONTENT, "Change what is in it"),
        Privilege(dav("write-properties"), Permission.WRITE_PROPERTIES, "Change properties"),
        Privilege(dav("bind"), Permission.BIND, "Add to it"),
        Privilege(dav("unbind"), Permission.UNBIND, "Remove from it"),
    ),
)
# No container holds what RFC 3744 §3.12 keeps out of it.
TREE = Privilege(
    dav("all"),
    ALL,
    "Everything",
    (
        _READ,
        _WRITE,
        Privilege(dav("unlock"), Permission.UNLOCK, "End the locks of others"),
        Privilege(dav("read-acl"), Permission.READ_ACL, "See who may do what"),
        Privilege(dav("write-acl"), Permission.WRITE_ACL, "Say who may do what"),
    ),
)
"""All of them (RFC 3744 §5.3); none is abstract."""


def _flat(privilege: Privilege) -> Iterable[Privilege]:
    yield privilege
    for part in privilege.parts:
        yield from _flat(part)


BY_NAME = {each.name: each for each in _flat(TREE)}


def names(allowed: Permission) -> tuple[str, ...]:
    """The privileges that somebody has, those that contain others with these (RFC 3744 §5.4)."""
    return tuple(name for name, privilege in BY_NAME.items() if privilege.permission in allowed)


def permission(wanted: Sequence[str]) -> Permission:
    """
    What privileges allow together.

    @raise KeyError: one of them is none of ours.
    """
    found = Permission.NONE
    for name in wanted:
        found |= BY_NAME[name].permission
    return found


def elements(allowed: Permission) -> bytes:
    """C{DAV:privilege} for each."""
    return b"".join(element(dav("privilege"), element(name)) for name in names(allowed))


def lacking(wanted: Permission) -> bytes:
    """C{DAV:privilege} for the one that allows what was wanted, and least beside it."""
    fitting = [each for each in BY_NAME.values() if wanted in each.permission]
    least = min(fitting, key=lambda each: bin(each.permission.value).count("1"))
    return element(dav("privilege"), element(least.name))


def supported(privilege: Privilege = TREE) -> bytes:
    """C{DAV:supported-privilege} with all that it contains."""
    start, end = tags(dav("description"))
    text = start[:-1] + b' xml:lang="en">' + escape(privilege.text) + end
    own = element(dav("privilege"), element(privilege.name)) + text
    return element(dav("supported-privilege"), own + b"".join(map(supported, privilege.parts)))
