"""Sharing: whatever is given and taken, exactly those see it who may; whatever is sent, nothing breaks."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.davsite import ALICE, BOB
from tests.unit.dav.sharing.case import (
    BUSY,
    CAROL,
    HOME,
    MOUNT,
    PRINCIPALS,
    READ,
    WORK,
    WRITE,
    acl,
    entry,
    host,
    person,
    properties,
)

RIGHTS = {"": (), "freebusy": (BUSY,), "read": (READ,), "write": (READ, WRITE)}
NAMES = [
    "D:acl", "D:ace", "D:principal", "D:href", "D:grant", "D:deny", "D:invert", "D:privilege", "D:read", "D:write",
    "D:all", "D:authenticated", "D:property", "D:owner", "D:self", "D:protected", "D:prop", "D:displayname", "D:match",
    "D:principal-match", "D:principal-property", "D:principal-property-search", "D:property-search",
    "D:acl-principal-prop-set", "D:principal-search-property-set", "D:propertyupdate", "D:set", "D:group-member-set",
    "CS:share", "CS:set", "CS:remove", "CS:read", "CS:read-write", "CS:summary", "CS:invite-reply", "CS:hosturl",
    "CS:invite-accepted", "CS:invite-declined", "CS:calendarserver-principal-search", "CS:search-token", "CS:invite",
]  # fmt: skip
TEXTS = ["", "x", "mailto:bob@example.com", "mailto:\x7f@", f"{PRINCIPALS}{BOB}/", f"{PRINCIPALS}%00/", "//", "#", WORK]
TREES = st.recursive(
    st.sampled_from([f"<{name}/>" for name in NAMES] + TEXTS),
    lambda inner: st.builds(
        lambda name, parts: f"<{name}>{''.join(parts)}</{name}>", st.sampled_from(NAMES), st.lists(inner, max_size=4)
    ),
    max_leaves=12,
)
PATHS = [WORK, f"/dav/calendars/{ALICE}/", PRINCIPALS, f"{PRINCIPALS}{ALICE}/calendar-proxy-read/", "/dav/", MOUNT]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["ACL", "POST", "REPORT", "PROPPATCH", "PROPFIND"]), st.sampled_from(PATHS), TREES)
def test_any_document_is_answered(method: str, path: str, tree: str) -> None:
    """RFC 3744 §8.1, §9; caldav-sharing; caldav-proxy."""
    client = host().client(ALICE)
    root = f'<D:x xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/">{tree}</D:x>'
    if tree.startswith("<"):
        space = ' xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/"'
        at = min(index for index in (tree.find("/>"), tree.find(">")) if index >= 0)
        root = tree[:at] + space + tree[at:]
    reply = client.request(method, path, root, Content_Type="application/xml", Depth="0")
    assert reply.status in (200, 207, 400, 403, 404, 405, 409, 507), reply.body


CHANGES = st.tuples(st.sampled_from(["acl", "delete", "proxy"]), st.sampled_from(sorted(RIGHTS)))


@settings(max_examples=60, deadline=None)
@given(st.lists(CHANGES, max_size=6))
def test_who_may_sees_it_and_nobody_else(changes: list[tuple[str, str]]) -> None:
    """RFC 3744 §6: grants of the calendar and of all calendars add up; a mount lasts as long as the grant."""
    where = host()
    alice, bob, carol = (where.client(name) for name in (ALICE, BOB, CAROL))
    alice.request("PUT", WORK + "1.ics", "one")
    given, proxy, is_shown = "", "", False
    for what, right in changes:
        if what == "acl":
            acl(alice, WORK, *([entry(person(BOB), *RIGHTS[right])] if right else []))
            may_read = right in ("read", "write")
            is_shown = may_read and (is_shown or given not in ("read", "write"))
            given = right
        elif what == "delete" and is_shown:
            assert bob.request("DELETE", MOUNT).status == 204
            is_shown = False
        elif what == "proxy" and right != "freebusy":
            for group, name in (("read", "calendar-proxy-read"), ("write", "calendar-proxy-write")):
                member = person(BOB) if right == group else ""
                change = f"<set><prop><group-member-set>{member}</group-member-set></prop></set>"
                body = f'<propertyupdate xmlns="DAV:">{change}</propertyupdate>'
                assert alice.request("PROPPATCH", f"{PRINCIPALS}{ALICE}/{name}/", body).status == 207
            proxy = right
    may_read = {given, proxy} & {"read", "write"}
    may_write = "write" in (given, proxy)
    assert bob.request("GET", WORK + "1.ics").status == (200 if may_read else 403)
    assert bob.request("PUT", WORK + "1.ics", "two").status == (204 if may_write else 403)
    assert (MOUNT in properties(bob, HOME, "owner", depth="1").hrefs) == is_shown
    assert carol.request("GET", WORK + "1.ics").status == 403
    assert alice.request("GET", WORK + "1.ics").body == (b"two" if may_write else b"one")
