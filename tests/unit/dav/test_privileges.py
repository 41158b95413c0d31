"""Tests for trekd.dav.privileges."""

from __future__ import annotations

import pytest
from lxml import etree

from trekd.dav import privileges
from trekd.dav.xml.names import caldav, dav
from trekd.dav.xml.writing import document
from trekd.portal.access import ALL, GIVEN, Permission
from trekd.store.collections import Right

READ = [dav("read"), caldav("read-free-busy"), dav("read-current-user-privilege-set")]
WRITE = [dav(name) for name in ("write", "write-content", "write-properties", "bind", "unbind")]
OWN = [dav(name) for name in ("unlock", "read-acl", "write-acl")]


@pytest.mark.parametrize(
    ("allowed", "names"),
    [
        (Permission.NONE, []),
        (GIVEN[Right.FREEBUSY], [caldav("read-free-busy")]),
        (GIVEN[Right.READ], READ),
        (GIVEN[Right.WRITE], READ + WRITE),
        (ALL, [dav("all"), *READ, *WRITE, *OWN]),
    ],
)
def test_privileges_by_permission(allowed: Permission, names: list[str]) -> None:
    """RFC 3744 §5.4: aggregates and what they contain."""
    assert list(privileges.names(allowed)) == names
    assert privileges.permission(names) == allowed


def test_containers_hold_what_the_rfc_demands() -> None:
    """RFC 3744 §3.12."""
    parts = {each.name for each in privileges.BY_NAME[dav("write")].parts}
    assert parts == {dav("bind"), dav("unbind"), dav("write-properties"), dav("write-content")}
    for name in ("read", "read-acl", "write-acl", "read-current-user-privilege-set"):
        allowed = privileges.BY_NAME[dav(name)].permission
        assert not allowed & Permission.WRITE


def test_one_who_lacks_something_is_told_the_least_that_would_do() -> None:
    """RFC 3744 §7.1.1."""
    assert privileges.lacking(Permission.BIND) == b"<D:privilege><D:bind/></D:privilege>"
    assert privileges.lacking(Permission.READ) == b"<D:privilege><D:read/></D:privilege>"
    assert privileges.lacking(Permission.READ | Permission.WRITE) == b"<D:privilege><D:all/></D:privilege>"


def test_the_tree_names_each_privilege_once() -> None:
    """RFC 3744 §5.3."""
    root = etree.fromstring(document(dav("x"), privileges.supported()))
    found = [str(each[0].tag) for each in root.iter(dav("privilege"))]
    assert found == list(privileges.BY_NAME)
    texts = list(root.iter(dav("description")))
    assert all(each.get("{http://www.w3.org/XML/1998/namespace}lang") == "en" and each.text for each in texts)
