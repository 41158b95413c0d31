"""The methods of WebDAV over the file area, as clients see them."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes
from typing import Any, cast

import pytest

from tests.fakes.davsite import ALICE, BOB, DAVClient, DAVHost, Reply
from trekd.config.schema import DAVConfig
from trekd.dav.locks import Lock
from trekd.dav.paths import Location
from trekd.errors import StoreFull
from trekd.store.collections import CollectionKind, NewItem
from trekd.values import PrincipalId

FILES = f"/dav/files/{ALICE}/"
CALENDARS = f"/dav/calendars/{ALICE}/"
DEAD = "{urn:z}note"


@pytest.fixture
def host() -> DAVHost:
    return DAVHost()


@pytest.fixture
def client(host: DAVHost) -> DAVClient:
    return host.client()


def propfind(client: DAVClient, path: str, names: str = "", depth: str = "0", **headers: str) -> Reply:
    body = f'<D:propfind xmlns:D="DAV:" xmlns:z="urn:z"><D:prop>{names}</D:prop></D:propfind>' if names else ""
    return client.request("PROPFIND", path, body, Depth=depth, **headers)


def patch(client: DAVClient, path: str, inner: str, **headers: str) -> Reply:
    body = f'<D:propertyupdate xmlns:D="DAV:" xmlns:z="urn:z">{inner}</D:propertyupdate>'
    return client.request("PROPPATCH", path, body, **headers)


def statuses(reply: Reply) -> dict[str, int]:
    """Property to status."""
    return {
        str(each.tag): int(stat.findtext("{DAV:}status").split()[1])
        for stat in reply.find("//D:propstat")
        for each in stat.find("{DAV:}prop")
    }


# --- PUT, GET -------------------------------------------------------------------------------------


def test_a_file_is_made_and_replaced(client: DAVClient) -> None:
    first = client.request("PUT", FILES + "x", "one", Content_Type="text/plain")
    second = client.request("PUT", FILES + "x", "two")
    assert (first.status, second.status) == (201, 204)
    assert first.headers["etag"] != second.headers["etag"]
    got = client.request("GET", FILES + "x")
    assert (got.body, got.headers["etag"]) == (b"two", second.headers["etag"])


def test_octets_and_media_type_come_back(client: DAVClient) -> None:
    client.request("PUT", FILES + "x", b"\0\r\n\xff", Content_Type='text/x; charset="q"')
    reply = client.request("GET", FILES + "x")
    assert reply.body == b"\0\r\n\xff"
    assert reply.headers["content-type"] == 'text/x; charset="q"'
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_head_tells_the_same_without_the_octets(client: DAVClient) -> None:
    client.request("PUT", FILES + "x", b"x" * 100_000)
    got, head = client.request("GET", FILES + "x"), client.request("HEAD", FILES + "x")
    assert head.body == b"" and head.headers["content-length"] == "100000"
    assert {name: got.headers[name] for name in ("etag", "last-modified", "content-type", "content-length")} == {
        name: head.headers[name] for name in ("etag", "last-modified", "content-type", "content-length")
    }


@pytest.mark.parametrize(
    ("asked", "status", "octets", "span"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=8-100", 206, b"89", "bytes 8-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=-0", 416, b"", "bytes */10"),
        ("bytes=5-2", 200, b"0123456789", None),
        ("bytes=0-1,20-", 206, b"01", "bytes 0-1/10"),
        ("bytes=20-,30-40", 416, b"", "bytes */10"),
        ("bytes=0-9,0-9", 200, b"0123456789", None),
        ("bytes=" + "1-1," * 17, 200, b"0123456789", None),
        ("bytes=0-1,x", 200, b"0123456789", None),
        ("bytes=", 200, b"0123456789", None),
        ("lines=0-3", 200, b"0123456789", None),
    ],
)
def test_parts(client: DAVClient, asked: str, status: int, octets: bytes, span: str | None) -> None:
    """RFC 9110 §14."""
    client.request("PUT", FILES + "x", "0123456789")
    reply = client.request("GET", FILES + "x", Range=asked)
    assert reply.status == status
    assert reply.headers.get("content-range") == span
    if status != 416:
        assert reply.body == octets


def test_several_parts_come_in_one_answer(client: DAVClient) -> None:
    """RFC 9110 §14.6."""
    client.request("PUT", FILES + "x", "0123456789", Content_Type="text/plain")
    reply = client.request("GET", FILES + "x", Range="bytes=0-1, -2, 4-4")
    assert reply.status == 206 and "content-range" not in reply.headers
    assert reply.headers["content-length"] == str(len(reply.body))
    head = f"Content-Type: {reply.headers['content-type']}\r\n\r\n".encode()
    parts = message_from_bytes(head + reply.body).get_payload()
    assert [(part["Content-Range"], part.get_payload(), part.get_content_type()) for part in parts] == [
        ("bytes 0-1/10", "01", "text/plain"),
        ("bytes 8-9/10", "89", "text/plain"),
        ("bytes 4-4/10", "4", "text/plain"),
    ]


def test_who_changes_an_item_can_have_it_back(client: DAVClient) -> None:
    """RFC 8144 §3.1."""
    wanted = {"Prefer": "return=representation"}
    made = client.request("PUT", FILES + "x", "one", Content_Type="text/plain", **wanted)
    again = client.request("PUT", FILES + "x", "two", Content_Type="text/plain", **wanted)
    copied = client.request("COPY", FILES + "x", Destination=FILES + "y", **wanted)
    added = client.request("POST", FILES + "?add-member", "three", **wanted)
    assert [(each.status, each.body) for each in (made, again, copied, added)] == [
        (201, b"one"),
        (200, b"two"),
        (201, b"two"),
        (201, b"three"),
    ]
    assert again.headers["content-location"] == FILES + "x" and copied.headers["content-location"] == FILES + "y"
    assert added.headers["content-location"] == added.headers["location"]
    assert again.headers["etag"] == client.request("HEAD", FILES + "x").headers["etag"]
    for reply in (made, again, copied, added):
        assert reply.headers["preference-applied"] == "return=representation"
    assert client.request("DELETE", FILES + "x", **wanted).status == 204
    assert client.request("MKCOL", FILES + "c", **wanted).status == 201


def test_who_comes_too_late_gets_what_is_there(client: DAVClient) -> None:
    """RFC 8144 §3.2."""
    client.request("PUT", FILES + "x", "one")
    wanted = {"Prefer": "return=representation"}
    reply = client.request("PUT", FILES + "x", "two", If_Match='"old"', **wanted)
    assert (reply.status, reply.body) == (412, b"one")
    assert reply.headers["etag"] == client.request("HEAD", FILES + "x").headers["etag"]
    assert client.request("PUT", FILES + "none", "two", If_Match='"old"', **wanted).status == 412


def test_a_part_of_another_state_is_the_whole(client: DAVClient) -> None:
    """RFC 9110 §13.1.5."""
    etag = client.request("PUT", FILES + "x", "0123456789").headers["etag"]
    assert client.request("GET", FILES + "x", Range="bytes=0-1", If_Range=etag).status == 206
    assert client.request("GET", FILES + "x", Range="bytes=0-1", If_Range='"other"').status == 200


def test_who_has_it_gets_304(client: DAVClient) -> None:
    """RFC 9110 §15.4.5."""
    put = client.request("PUT", FILES + "x", "one")
    etag, date = put.headers["etag"], put.headers["last-modified"]
    for fields in ({"If-None-Match": etag}, {"If-None-Match": "W/" + etag}, {"If-Modified-Since": date}):
        reply = client.request("GET", FILES + "x", **fields)
        assert (reply.status, reply.body) == (304, b"")
    assert client.request("GET", FILES + "x", If_None_Match='"other"').status == 200
    assert client.request("GET", FILES + "x", If_Match='"other"').status == 412


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"If-Match": "{etag}"}, 204),
        ({"If-Match": '"a", {etag}'}, 204),
        ({"If-Match": "*"}, 204),
        ({"If-Match": '"other"'}, 412),
        ({"If-Match": "W/{etag}"}, 412),
        ({"If-None-Match": "*"}, 412),
        ({"If-None-Match": "{etag}"}, 412),
        ({"If-None-Match": '"other"'}, 204),
        ({"If": "([{etag}])"}, 204),
        ({"If": '(["other"])'}, 412),
        ({"If": '(["other"]) (Not ["other"])'}, 204),
        ({"If": "<" + FILES + "x> ([{etag}])"}, 204),
        ({"If": "<" + FILES + "none> ([{etag}])"}, 412),
        ({"If": "<" + FILES + "none> (Not [{etag}])"}, 204),
        ({"If": "<https://elsewhere.example/x> ([{etag}])"}, 412),
        ({"If": "(<urn:uuid:1>)"}, 412),
        ({"If": "(<DAV:no-lock>)"}, 412),
        ({"If": "(Not <DAV:no-lock>)"}, 204),
        ({"If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}, 204),
        ({"If-Match": "unquoted"}, 400),
        ({"If": "nonsense"}, 400),
        ({"If": "(["}, 400),
        ({"If": "()"}, 400),
        ({"If": "(" * 1000}, 400),
    ],
)
def test_conditions_of_a_change(client: DAVClient, fields: dict[str, str], status: int) -> None:
    """RFC 9110 §13.2.2, RFC 4918 §10.4."""
    etag = client.request("PUT", FILES + "x", "one").headers["etag"]
    filled = {name: value.replace("{etag}", etag) for name, value in fields.items()}
    assert client.request("PUT", FILES + "x", "two", **filled).status == status
    assert client.request("GET", FILES + "x").body == (b"two" if status == 204 else b"one")


@pytest.mark.parametrize(
    "fields",
    [
        {"If": "([{etag}])"},
        {"If": '(Not ["other"])'},
        {"If-None-Match": '"other"'},
        {"If-Unmodified-Since": "Thu, 01 Jan 2099 00:00:00 GMT"},
    ],
)
def test_a_condition_holds_until_the_change_is_made(
    host: DAVHost, monkeypatch: pytest.MonkeyPatch, fields: dict[str, str]
) -> None:
    """Somebody else writes behind the look and before the change (RFC 9110 §13.2.2)."""
    client = host.client()
    etag = client.request("PUT", FILES + "x", "one").headers["etag"]
    fields = {name: value.replace("{etag}", etag) for name, value in fields.items()}
    shelf, files = host.shelf(), host.collection("files", CollectionKind.FILES)
    kind = host.site.tables.kinds[CollectionKind.FILES]

    async def slow(*arguments: Any) -> NewItem:
        await shelf.put(files.id, NewItem("x", b"theirs"))
        assert kind.read_item is not None
        return await kind.read_item(*arguments)

    kinds = cast(dict[Any, Any], host.site.tables.kinds)
    monkeypatch.setitem(kinds, CollectionKind.FILES, replace(kind, read_item=slow))
    assert client.request("PUT", FILES + "x", "mine", **fields).status == 412
    assert client.request("GET", FILES + "x").body == b"theirs"


def test_a_lock_that_is_taken_while_a_body_is_read_counts(host: DAVHost, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = host.site.tables.kinds[CollectionKind.FILES]

    client = host.client()
    client.request("PUT", FILES + "x", "one")

    async def slow(*arguments: Any) -> NewItem:
        root = Location(("files", ALICE, "x"))
        host.site.locks.take(Lock("", root, False, False, True, "", PrincipalId(BOB), 0), 60)
        assert kind.read_item is not None
        return await kind.read_item(*arguments)

    kinds = cast(dict[Any, Any], host.site.tables.kinds)
    monkeypatch.setitem(kinds, CollectionKind.FILES, replace(kind, read_item=slow))
    assert client.request("PUT", FILES + "x", "two").status == 423


def test_two_clients_that_write_one_file(host: DAVHost) -> None:
    one, other = host.client(), host.client()
    etag = one.request("PUT", FILES + "x", "start").headers["etag"]
    assert one.request("PUT", FILES + "x", "mine", If_Match=etag).status == 204
    assert other.request("PUT", FILES + "x", "yours", If_Match=etag).status == 412
    assert one.request("PUT", FILES + "new", "1", If_None_Match="*").status == 201
    assert other.request("PUT", FILES + "new", "2", If_None_Match="*").status == 412


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (FILES + "none/x", 409),
        (FILES, 405),
        (CALENDARS + "x", 403),
        (CALENDARS + "calendar/x.ics", 403),
        ("/dav/x", 403),
        ("/dav/principals/x", 403),
        ("/dav/", 405),
    ],
)
def test_where_no_file_can_be(client: DAVClient, path: str, status: int) -> None:
    assert client.request("PUT", path, "x").status == status


def test_parts_cannot_be_put(client: DAVClient) -> None:
    """RFC 9110 §14.4."""
    assert client.request("PUT", FILES + "x", "x", Content_Range="bytes 0-0/2").status == 400


def test_a_full_disk_is_told(host: DAVHost, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*arguments: Any) -> None:
        raise StoreFull()

    client = host.client()
    client.request("GET", "/dav/")
    monkeypatch.setattr("trekd.store.memory.collections.MemoryCollections.put", full)
    reply = client.request("PUT", FILES + "x", "x")
    assert (reply.status, reply.condition) == (507, "{DAV:}sufficient-disk-space")


def test_the_quota_is_kept_and_shown() -> None:
    """RFC 4331 §6."""
    client = DAVHost(quota=1000).client()
    assert client.request("PUT", FILES + "x", b"x" * 600).status == 201
    reply = propfind(client, FILES, "<D:quota-used-bytes/><D:quota-available-bytes/>")
    assert [each.text for each in reply.find("//D:prop/*")] == ["600", "400"]
    reply = client.request("PUT", FILES + "y", b"x" * 600)
    assert (reply.status, reply.condition) == (507, "{DAV:}quota-not-exceeded")


def test_members_are_added_under_names_of_ours(client: DAVClient) -> None:
    """RFC 5995 §3."""
    reply = propfind(client, FILES, "<D:add-member/>")
    address = reply.find("//D:add-member/D:href")[0].text
    made = client.request("POST", address, "new", Content_Type="application/x-www-form-urlencoded")
    assert made.status == 201 and made.headers["etag"]
    assert client.request("GET", made.headers["location"]).body == b"new"
    assert client.request("POST", FILES, "new").status == 405


def test_a_browser_sees_a_folder(client: DAVClient) -> None:
    client.request("MKCOL", FILES + "a/")
    client.request("PUT", FILES + "a/%3Cscript%3E", "12345")
    client.request("MKCOL", FILES + "a/b%20c/")
    reply = client.request("GET", FILES + "a/")
    assert reply.status == 200 and reply.headers["content-type"] == "text/html; charset=utf-8"
    assert b"<script>" not in reply.body and b"&lt;script&gt;" in reply.body
    links = [line.split(b'"')[1].decode() for line in reply.body.split(b"\n") if line.startswith(b"<tr>")]
    assert links == [FILES, FILES + "a/b%20c/", FILES + "a/%3Cscript%3E"]
    assert all(client.request("GET", link).status == 200 for link in links)
    assert "script-src" not in reply.headers["content-security-policy"]


# --- MKCOL, DELETE --------------------------------------------------------------------------------


def test_collections_are_made_and_removed_with_all_in_them(client: DAVClient) -> None:
    """RFC 4918 §9.3, §9.6."""
    assert client.request("MKCOL", FILES + "a/").status == 201
    assert client.request("MKCOL", FILES + "a").status == 405
    assert client.request("MKCOL", FILES + "none/b").status == 409
    assert client.request("MKCOL", FILES + "c", "x", Content_Type="text/plain").status == 415
    client.request("MKCOL", FILES + "a/b/")
    client.request("PUT", FILES + "a/b/x", "x")
    assert client.request("PUT", FILES + "a", "x").status == 405
    assert client.request("DELETE", FILES + "a/", Depth="0").status == 400
    assert client.request("DELETE", FILES + "a/").status == 204
    assert client.request("GET", FILES + "a/b/x").status == 404
    assert client.request("DELETE", FILES + "a/").status == 404


def test_what_stays(client: DAVClient) -> None:
    assert client.request("DELETE", FILES).status == 403
    assert client.request("MOVE", FILES, Destination=CALENDARS + "x").status == 403
    assert client.request("DELETE", CALENDARS).status == 405
    assert client.request("MKCOL", CALENDARS + "plain").status == 403
    assert client.request("MKCOL", "/dav/x").status == 403


def extended(kinds: str, more: str = "") -> str:
    return (
        '<D:mkcol xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CR="urn:ietf:params:xml:ns:carddav">'
        f"<D:set><D:prop><D:resourcetype><D:collection/>{kinds}</D:resourcetype>"
        f"<D:displayname>Home &amp; away</D:displayname>{more}</D:prop></D:set></D:mkcol>"
    )


def test_extended_mkcol(client: DAVClient) -> None:
    """RFC 5689 §3."""
    made = client.request("MKCOL", CALENDARS + "home/", extended("<C:calendar/>"), Content_Type="text/xml")
    assert made.status == 201
    reply = propfind(client, CALENDARS + "home/", "<D:displayname/><D:resourcetype/>")
    assert reply.find("//D:displayname")[0].text == "Home & away"
    assert [each.tag for each in reply.find("//D:resourcetype/*")] == [
        "{DAV:}collection",
        "{urn:ietf:params:xml:ns:caldav}calendar",
    ]


@pytest.mark.parametrize(
    ("path", "kinds", "more", "refused"),
    [
        (CALENDARS + "x", "<CR:addressbook/>", "", "{DAV:}resourcetype"),
        (FILES + "x", "<C:calendar/>", "", "{DAV:}resourcetype"),
        (CALENDARS + "x", "<C:calendar/>", "<D:getetag>x</D:getetag>", "{DAV:}getetag"),
    ],
)
def test_extended_mkcol_makes_all_or_nothing(
    client: DAVClient, path: str, kinds: str, more: str, refused: str
) -> None:
    """RFC 5689 §3.5."""
    reply = client.request("MKCOL", path, extended(kinds, more))
    assert reply.status in (403, 424)
    assert reply.xml.tag == "{DAV:}mkcol-response"
    found = statuses(reply)
    assert found[refused] == 403
    assert found["{DAV:}displayname"] == 424
    assert client.request("PROPFIND", path, Depth="0").status == 404


# --- COPY, MOVE -----------------------------------------------------------------------------------


def test_files_are_copied_and_moved(client: DAVClient) -> None:
    """RFC 4918 §9.8, §9.9."""
    client.request("PUT", FILES + "x", "x")
    patch(client, FILES + "x", "<D:set><D:prop><z:note>n</z:note></D:prop></D:set>")
    assert client.request("COPY", FILES + "x", Destination=FILES + "y").status == 201
    assert client.request("COPY", FILES + "x", Destination=FILES + "y", Overwrite="F").status == 412
    assert client.request("COPY", FILES + "x", Destination=FILES + "y").status == 204
    assert statuses(propfind(client, FILES + "y", "<z:note/>")) == {DEAD: 200}
    assert client.request("MOVE", FILES + "y", Destination=f"https://mail.example.com{FILES}z").status == 201
    assert [client.request("GET", FILES + name).status for name in "xyz"] == [200, 404, 200]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 400),
        ({"Destination": FILES + "x"}, 403),
        ({"Destination": FILES + "none/x"}, 409),
        ({"Destination": "https://elsewhere.example/dav/x"}, 502),
        ({"Destination": "nonsense"}, 400),
        ({"Destination": FILES + "../x"}, 400),
        ({"Destination": CALENDARS + "x"}, 403),
        ({"Destination": CALENDARS + "calendar/x"}, 403),
        ({"Destination": FILES + "y", "Overwrite": "maybe"}, 400),
    ],
)
@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_where_nothing_can_go(client: DAVClient, method: str, fields: dict[str, str], status: int) -> None:
    client.request("PUT", FILES + "x", "x")
    assert client.request(method, FILES + "x", **fields).status == status
    assert client.request("GET", FILES + "x").status == 200


def test_collections_are_copied_alone_or_whole_and_moved(client: DAVClient) -> None:
    for path in ("a/", "a/b/"):
        client.request("MKCOL", FILES + path)
    client.request("PUT", FILES + "a/b/x", "x")
    assert client.request("COPY", FILES + "a/", Destination=FILES + "alone/", Depth="0").status == 201
    assert client.request("COPY", FILES + "a/", Destination=FILES + "whole/").status == 201
    assert propfind(client, FILES + "alone/", depth="1").hrefs == [FILES + "alone/"]
    assert client.request("GET", FILES + "whole/b/x").body == b"x"
    assert client.request("MOVE", FILES + "a/", Destination=FILES + "alone/").status == 204
    assert client.request("GET", FILES + "alone/b/x").body == b"x"
    assert client.request("GET", FILES + "a/b/x").status == 404
    assert client.request("MOVE", FILES + "alone/", Destination=FILES + "alone/b/c/").status == 403
    assert client.request("COPY", FILES + "alone/b/", Destination=FILES + "alone/").status == 403


def test_a_collection_and_a_file_take_each_others_place(client: DAVClient) -> None:
    client.request("MKCOL", FILES + "a/")
    client.request("PUT", FILES + "x", "x")
    assert client.request("COPY", FILES + "x", Destination=FILES + "a").status == 204
    assert client.request("GET", FILES + "a").body == b"x"
    client.request("MKCOL", FILES + "b/")
    assert client.request("MOVE", FILES + "b/", Destination=FILES + "a").status == 204
    assert propfind(client, FILES + "a/", "<D:resourcetype/>").find("//D:collection")


def test_calendars_are_renamed(client: DAVClient) -> None:
    assert client.request("MOVE", CALENDARS + "calendar/", Destination=CALENDARS + "work/").status == 201
    assert CALENDARS + "work/" in propfind(client, CALENDARS, depth="1").hrefs


# --- PROPFIND, PROPPATCH --------------------------------------------------------------------------


def test_depths(client: DAVClient) -> None:
    """RFC 4918 §9.1."""
    client.request("MKCOL", FILES + "a/")
    client.request("PUT", FILES + "a/x", "x")
    client.request("PUT", FILES + "y", "y")
    assert propfind(client, FILES, depth="0").hrefs == [FILES]
    assert propfind(client, FILES, depth="1").hrefs == [FILES, FILES + "a/", FILES + "y"]
    for reply in (propfind(client, FILES, depth="infinity"), client.request("PROPFIND", FILES)):
        assert (reply.status, reply.condition) == (403, "{DAV:}propfind-finite-depth")
    assert client.request("PROPFIND", FILES + "y").status == 207
    assert propfind(client, FILES, depth="2").status == 400
    reply = propfind(client, FILES, depth="1", Prefer="depth-noroot")
    assert reply.hrefs == [FILES + "a/", FILES + "y"]
    assert reply.headers["preference-applied"] == "depth-noroot"


def test_what_is_there_and_what_is_not(client: DAVClient) -> None:
    client.request("PUT", FILES + "x", "x")
    for path in (FILES, FILES + "x"):
        reply = propfind(client, path, "<D:resourcetype/><z:note/><D:getetag/>")
        assert statuses(reply)["{DAV:}resourcetype"] == 200
        assert statuses(reply)[DEAD] == 404
    for fields in ({"Prefer": "return=minimal"}, {"Brief": "t"}):
        reply = propfind(client, FILES, "<D:resourcetype/><z:note/>", depth="1", **fields)
        assert set(statuses(reply)) == {"{DAV:}resourcetype"}
        assert len(reply.find("//D:response")) == 2
        assert reply.headers["preference-applied"] == "return=minimal"


def test_all_properties_names_and_those_beside(client: DAVClient) -> None:
    """RFC 4918 §9.1."""
    client.request("PUT", FILES + "x", "x")
    patch(client, FILES + "x", "<D:set><D:prop><z:note>n</z:note></D:prop></D:set>")
    every = statuses(client.request("PROPFIND", FILES + "x", Depth="0"))
    assert {"{DAV:}getetag", "{DAV:}getcontentlength", DEAD} <= set(every)
    assert "{DAV:}owner" not in every and set(every.values()) == {200}
    beside = '<propfind xmlns="DAV:"><allprop/><include><owner/></include></propfind>'
    assert "{DAV:}owner" in statuses(client.request("PROPFIND", FILES + "x", beside, Depth="0"))
    reply = client.request("PROPFIND", FILES + "x", '<propfind xmlns="DAV:"><propname/></propfind>', Depth="0")
    assert {"{DAV:}owner", DEAD} <= set(statuses(reply))
    assert not "".join(reply.find("//D:prop")[0].itertext()).strip()


def test_many_members_come_in_pieces(host: DAVHost) -> None:
    shelf, files = host.shelf(), None
    client = host.client()
    client.request("GET", "/dav/")
    files = host.collection("files", CollectionKind.FILES)
    for number in range(1000):
        host.run(shelf.put(files.id, NewItem(f"{number:04} ä", b"x")))
    reply = propfind(client, FILES, "<D:getetag/><D:getcontentlength/><z:note/>", depth="1")
    assert len(reply.hrefs) == 1001
    assert reply.hrefs[1] == FILES + "0000%20%C3%A4"
    assert len(reply.find("//D:getetag[starts-with(., '\"')]")) == 1000
    assert reply.headers.get("transfer-encoding") == "chunked"


def test_changes_of_properties_are_all_or_none(client: DAVClient) -> None:
    """RFC 4918 §9.2."""
    client.request("PUT", FILES + "x", "x")
    both = "<D:set><D:prop><z:note>n</z:note><D:getetag>e</D:getetag></D:prop></D:set>"
    reply = patch(client, FILES + "x", both)
    assert (reply.status, statuses(reply)) == (207, {DEAD: 424, "{DAV:}getetag": 403})
    assert reply.find("//D:error/D:cannot-modify-protected-property")
    assert statuses(propfind(client, FILES + "x", "<z:note/>")) == {DEAD: 404}


@pytest.mark.parametrize("path", [FILES, FILES + "x", CALENDARS + "calendar/"])
def test_properties_are_kept_as_they_came(client: DAVClient, path: str) -> None:
    client.request("PUT", FILES + "x", "x")
    note = '<z:note xml:lang="de" a="1"><z:b>&lt;ä&gt;</z:b></z:note>'
    assert statuses(patch(client, path, f"<D:set><D:prop>{note}</D:prop></D:set>")) == {DEAD: 200}
    found = propfind(client, path, "<z:note/>").find("//*[local-name()='note']")[0]
    assert (found.get("a"), found[0].text) == ("1", "<ä>")
    patch(client, path, "<D:remove><D:prop><z:note/></D:prop></D:remove>")
    assert statuses(propfind(client, path, "<z:note/>")) == {DEAD: 404}


def test_little_is_said_of_a_change_that_worked(client: DAVClient) -> None:
    """RFC 8144 §2.2."""
    inner = "<D:set><D:prop><z:note/></D:prop></D:set>"
    reply = patch(client, FILES, inner, Prefer="return=minimal")
    assert (reply.status, reply.body) == (200, b"")


def test_properties_are_bounded(client: DAVClient) -> None:
    many = "".join(f"<z:p{number}/>" for number in range(600))
    assert patch(client, FILES, f"<D:set><D:prop>{many}</D:prop></D:set>").status == 507
    large = f"<z:note>{'x' * 300_000}</z:note>"
    assert patch(client, FILES, f"<D:set><D:prop>{large}</D:prop></D:set>").status == 507


def test_nothing_is_kept_on_a_home(client: DAVClient) -> None:
    assert patch(client, CALENDARS, "<D:set><D:prop><z:note/></D:prop></D:set>").status == 405


def test_a_folder_offers_no_synchronisation(client: DAVClient) -> None:
    """Folders inside change unseen: supported-report-set says so, and asking for it is refused (RFC 3253 §3.1.5)."""
    offered = propfind(client, FILES, "<D:supported-report-set/>").body
    assert b"<D:expand-property/>" in offered and b"sync-collection" not in offered
    reply = client.request("REPORT", FILES, '<sync-collection xmlns="DAV:"><sync-token/><prop/></sync-collection>')
    assert (reply.status, reply.condition) == (403, "{DAV:}supported-report")


def test_options_tell_the_truth(client: DAVClient) -> None:
    """RFC 4918 §10.1."""
    for path in ("/dav/", FILES, CALENDARS + "calendar/", f"/dav/principals/{ALICE}/"):
        reply = client.request("OPTIONS", path)
        assert reply.status == 200
        assert {"1", "2", "3", "extended-mkcol"} <= set(reply.headers["dav"].split(", "))
        allowed = reply.headers["allow"].split(", ")
        assert "PROPFIND" in allowed
        assert ("LOCK" in allowed) == (path in (FILES, CALENDARS + "calendar/"))
    assert "PUT" in client.request("OPTIONS", FILES + "none").headers["allow"]


def test_expand_property(client: DAVClient) -> None:
    """RFC 3253 §3.8."""
    body = (
        '<expand-property xmlns="DAV:"><property name="current-user-principal"><property name="displayname"/>'
        '<property name="nothing" namespace="urn:z"/></property><property name="resourcetype"/></expand-property>'
    )
    reply = client.request("REPORT", FILES, body)
    assert reply.status == 207
    inner = reply.find("/D:multistatus/D:response//D:current-user-principal/D:response")[0]
    assert inner.findtext("{DAV:}href") == f"/dav/principals/{ALICE}/"
    assert inner.findtext(".//{DAV:}displayname") == ALICE
    assert inner.find(".//{urn:z}nothing") is not None


def test_expand_property_has_an_end(client: DAVClient) -> None:
    deep = '<property name="current-user-principal">' * 50 + "</property>" * 50
    reply = client.request("REPORT", FILES, f'<expand-property xmlns="DAV:">{deep}</expand-property>')
    assert reply.status == 507


def test_an_unknown_report_has_its_precondition(client: DAVClient) -> None:
    reply = client.request("REPORT", FILES, '<version-tree xmlns="DAV:"/>')
    assert (reply.status, reply.condition) == (403, "{DAV:}supported-report")


# --- LOCK -----------------------------------------------------------------------------------------

LOCKINFO = (
    '<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:{}/></D:lockscope><D:locktype><D:write/></D:locktype>'
    "<D:owner><D:href>mailto:a</D:href></D:owner></D:lockinfo>"
)


def lock(client: DAVClient, path: str, scope: str = "exclusive", **headers: str) -> Reply:
    return client.request("LOCK", path, LOCKINFO.format(scope), **headers)


def test_a_lock_keeps_others_out(host: DAVHost) -> None:
    """RFC 4918 §6."""
    client = host.client()
    client.request("PUT", FILES + "x", "x")
    taken = lock(client, FILES + "x", Timeout="Second-100")
    assert taken.status == 200
    token = taken.headers["lock-token"]
    assert taken.find("//D:timeout")[0].text == "Second-100"
    assert taken.find("//D:owner/D:href")[0].text == "mailto:a"
    for method, fields in (
        ("PUT", {}),
        ("DELETE", {}),
        ("MOVE", {"Destination": FILES + "y"}),
        ("PROPPATCH", {}),
        ("LOCK", {}),
    ):
        body = {
            "PROPPATCH": '<propertyupdate xmlns="DAV:"><set><prop><x/></prop></set></propertyupdate>',
            "LOCK": LOCKINFO.format("exclusive"),
        }.get(method, "")
        reply = client.request(method, FILES + "x", body, **fields)
        assert reply.status == 423, method
        assert reply.find("//D:href")[0].text == FILES + "x"
    assert client.request("GET", FILES + "x").status == 200
    assert client.request("PUT", FILES + "x", "y", If=f"({token})").status == 204
    assert client.request("UNLOCK", FILES + "x", Lock_Token=token).status == 204
    assert client.request("PUT", FILES + "x", "z").status == 204


def test_a_lock_ends_by_itself_and_can_be_renewed(host: DAVHost) -> None:
    """RFC 4918 §6.6."""
    host.client().request("PUT", FILES + "x", "x")
    token = lock(host.client(), FILES + "x", Timeout="Second-100").headers["lock-token"]
    host.clock.advance(90)
    assert host.client().request("LOCK", FILES + "x", If=f"({token})", Timeout="Second-100").status == 200
    host.clock.advance(90)
    assert host.client().request("PUT", FILES + "x", "y").status == 423
    host.clock.advance(20)
    assert host.client().request("PUT", FILES + "x", "y").status == 204


def test_a_lock_of_a_collection_covers_what_is_below(client: DAVClient) -> None:
    """RFC 4918 §7.4."""
    client.request("MKCOL", FILES + "a/")
    deep = lock(client, FILES + "a/").headers["lock-token"]
    assert client.request("PUT", FILES + "a/x", "x").status == 423
    assert client.request("PUT", FILES + "a/x", "x", If=f"<{FILES}a/> ({deep})").status == 201
    client.request("UNLOCK", FILES + "a/x", Lock_Token=deep)
    flat = lock(client, FILES + "a/", Depth="0").headers["lock-token"]
    assert client.request("PUT", FILES + "a/x", "y").status == 204
    assert client.request("PUT", FILES + "a/new", "y").status == 423
    assert client.request("DELETE", FILES + "a/x").status == 423
    assert client.request("DELETE", FILES + "a/", If=f"({flat})").status == 204
    assert client.request("MKCOL", FILES + "a/").status == 201
    assert client.request("PUT", FILES + "a/new", "y").status == 201


def test_locks_below_are_in_the_way_of_what_happens_above(client: DAVClient) -> None:
    client.request("MKCOL", FILES + "a/")
    client.request("PUT", FILES + "a/x", "x")
    lock(client, FILES + "a/x")
    assert client.request("DELETE", FILES + "a/").status == 423
    assert client.request("MOVE", FILES + "a/", Destination=FILES + "b/").status == 423
    assert lock(client, FILES + "a/").status == 423
    assert client.request("COPY", FILES + "a/", Destination=FILES + "b/").status == 201
    assert client.request("PUT", FILES + "b/x", "y").status == 204


def test_a_lock_holds_however_the_address_is_written(client: DAVClient) -> None:
    client.request("PUT", FILES + "x", "x")
    lock(client, FILES + "x")
    for address in ("ALICE@example.com", "alice%40Example.com", "alice@example.com.", "/alice@example.com"):
        assert client.request("PUT", f"/dav/files/{address}/x", "y").status == 423, address
    assert client.request("GET", FILES + "x").body == b"x"


def test_shared_locks(client: DAVClient) -> None:
    """RFC 4918 §6.2."""
    client.request("PUT", FILES + "x", "x")
    first = lock(client, FILES + "x", "shared").headers["lock-token"]
    assert lock(client, FILES + "x", "shared").status == 200
    assert lock(client, FILES + "x").status == 423
    assert client.request("PUT", FILES + "x", "y").status == 423
    assert client.request("PUT", FILES + "x", "y", If=f"({first})").status == 204


def test_a_lock_makes_an_empty_file(client: DAVClient) -> None:
    """RFC 4918 §7.3."""
    taken = lock(client, FILES + "new")
    assert taken.status == 201
    assert client.request("GET", FILES + "new").body == b""
    assert client.request("PUT", FILES + "new", "x").status == 423
    assert lock(client, CALENDARS + "calendar/x.ics").status == 403
    assert lock(client, FILES + "none/x").status == 409


def test_locks_are_bounded() -> None:
    client = DAVHost(DAVConfig(max_locks=10)).client()
    replies = [lock(client, FILES + f"x{number}") for number in range(12)]
    assert [reply.status for reply in replies] == [201] * 10 + [503] * 2
    assert client.request("GET", FILES + "x11").status == 404


@pytest.mark.parametrize(
    ("fields", "status"),
    [({}, 400), ({"Lock-Token": "<urn:uuid:1>"}, 409), ({"Lock-Token": "nonsense"}, 400)],
)
def test_what_cannot_be_unlocked(client: DAVClient, fields: dict[str, str], status: int) -> None:
    assert client.request("UNLOCK", FILES, **fields).status == status


# --- Synchronisation ------------------------------------------------------------------------------


def sync(client: DAVClient, token: str, limit: int = 0, path: str = CALENDARS + "calendar/", level: str = "1") -> Reply:
    bound = f"<limit><nresults>{limit}</nresults></limit>" if limit else ""
    body = (
        f'<sync-collection xmlns="DAV:"><sync-token>{token}</sync-token><sync-level>{level}</sync-level>{bound}'
        "<prop><getetag/></prop></sync-collection>"
    )
    return client.request("REPORT", path, body)


@pytest.fixture
def items(host: DAVHost, client: DAVClient) -> Any:
    """Puts and removes items of the calendar, past what CalDAV would ask of them."""
    client.request("GET", "/dav/")
    shelf, calendar = host.shelf(), host.collection("calendar", CollectionKind.CALENDAR)

    def change(*names: str, removed: tuple[str, ...] = ()) -> None:
        for name in names:
            host.run(shelf.put(calendar.id, NewItem(name, name.encode())))
        for name in removed:
            host.run(shelf.remove_item(calendar.id, name))

    return change


def token_of(reply: Reply) -> str:
    return str(reply.xml.findtext("{DAV:}sync-token"))


def test_changes_are_told_behind_a_token(client: DAVClient, items: Any) -> None:
    """RFC 6578 §3."""
    items("a", "b", "c")
    first = sync(client, "")
    assert first.hrefs == [CALENDARS + "calendar/" + name for name in "abc"]
    assert len(first.find("//D:getetag")) == 3
    token = token_of(first)
    assert ":" in token
    assert sync(client, token).hrefs == []
    assert token_of(sync(client, token)) == token
    items("d", removed=("a",))
    second = sync(client, token)
    assert second.hrefs == [CALENDARS + "calendar/d", CALENDARS + "calendar/a"]
    assert second.find("//D:response/D:status")[0].text.split()[1] == "404"
    reply = propfind(client, CALENDARS + "calendar/", "<D:sync-token/>")
    assert reply.find("//D:sync-token")[0].text == token_of(second)


def test_long_answers_are_cut_and_go_on(client: DAVClient, items: Any) -> None:
    """RFC 6578 §3.6."""
    items("a", "b", "c")
    first = sync(client, "", limit=2)
    assert first.hrefs[:2] == [CALENDARS + "calendar/a", CALENDARS + "calendar/b"]
    assert first.hrefs[2] == CALENDARS + "calendar/"
    assert first.find("//D:response/D:status")[0].text.split()[1] == "507"
    assert first.find("//D:response/D:error/D:number-of-matches-within-limits")
    assert sync(client, token_of(first), limit=2).hrefs == [CALENDARS + "calendar/c"]


@pytest.mark.parametrize("token", ["nonsense", "0", "data:,x:1", "http://example.com/1", "{good}0", "{other}"])
def test_bad_tokens_have_their_precondition(client: DAVClient, items: Any, token: str) -> None:
    """RFC 6578 §3.2."""
    items("a")
    good = token_of(sync(client, ""))
    other = token_of(sync(client, "", path=CALENDARS + "tasks/"))
    reply = sync(client, token.replace("{good}", good).replace("{other}", other))
    assert (reply.status, reply.condition) == (403, "{DAV:}valid-sync-token")


def test_only_one_level_is_told_of(client: DAVClient, items: Any) -> None:
    """RFC 6578 §3.3."""
    reply = sync(client, "", level="infinite")
    assert (reply.status, reply.condition) == (403, "{DAV:}sync-traversal-supported")
    assert sync(client, "", level="2").status == 400
    old = '<sync-collection xmlns="DAV:"><sync-token/><prop><getetag/></prop></sync-collection>'
    assert client.request("REPORT", CALENDARS + "calendar/", old, Depth="1").status == 207
    assert sync(client, "", path=FILES).condition == "{DAV:}supported-report"


def test_the_ctag_changes_with_anything(client: DAVClient, items: Any) -> None:
    seen = []
    for name in "ab":
        items(name)
        reply = propfind(client, CALENDARS + "calendar/", '<CS:getctag xmlns:CS="http://calendarserver.org/ns/"/>')
        seen.append(reply.find("//CS:getctag")[0].text)
    assert seen[0] != seen[1]
