"""Whatever clients send to DAV, it is read, or refused with what it is refused with; nothing else happens."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.davsite import ALICE, DAVHost
from trekd.dav.conditions import read_etags, read_if
from trekd.dav.errors import Fault
from trekd.dav.paths import Location, read_path, read_reference
from trekd.dav.synctokens import since
from trekd.dav.xml.reading import parse
from trekd.errors import SyncTokenExpired, SyntaxFault
from trekd.store.collections import CollectionId, CollectionKind, CollectionState
from trekd.values import ModSeq

CHARACTERS = st.characters(codec="utf-8", exclude_characters="\x7f\ufffe\uffff", min_codepoint=32)
NAMES = st.text(CHARACTERS, min_size=1).filter(
    lambda name: len(name.encode()) <= 255 and not {".", ".."} & set(name.replace("\\", "/").split("/"))
)
PIECES = st.sampled_from(["(", ")", "<", ">", "[", "]", '"', "W/", "Not", " ", "*", ",", "a", "urn:x", "\xff", "\0"])
METHODS = ["GET", "PUT", "DELETE", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "PROPFIND", "PROPPATCH", "REPORT", "POST"]
ELEMENTS = [
    "propfind", "prop", "allprop", "propertyupdate", "set", "remove", "lockinfo", "lockscope", "exclusive", "locktype",
    "write", "mkcol", "resourcetype", "collection", "sync-collection", "sync-token", "limit", "nresults", "getetag",
    "expand-property", "property", "displayname", "href",
]  # fmt: skip
TREES = st.recursive(
    st.sampled_from([f"<{name}/>" for name in ELEMENTS] + ["text", "-1"]),
    lambda inner: st.builds(
        lambda name, parts: f"<{name}>{''.join(parts)}</{name}>", st.sampled_from(ELEMENTS), st.lists(inner, max_size=4)
    ),
    max_leaves=12,
)


def rooted(tree: str) -> str:
    """The same with its namespace."""
    return tree.replace("/>", ' xmlns="DAV:"/>', 1) if tree.endswith("/>") else tree.replace(">", ' xmlns="DAV:">', 1)


@given(st.lists(NAMES, max_size=5).filter(lambda names: names[1:2] != ["@"]))
def test_every_location_comes_back(names: list[str]) -> None:
    # The second one may be an address, which is read in lower case.
    location = Location(tuple(name.replace("@", "") if place == 1 else name for place, name in enumerate(names)))
    assert read_path(location.path(True)) == read_path(location.path(False)) == location


@given(st.binary(max_size=60))
def test_any_path_is_read_or_refused(octets: bytes) -> None:
    with suppress(SyntaxFault):
        location = read_path(b"/dav/" + octets)
        assert location is not None
        assert not {"", ".", ".."} & set(location.segments)


@given(st.text(max_size=60))
def test_any_reference_is_read_or_refused(text: str) -> None:
    with suppress(SyntaxFault):
        read_reference(text, "mail.example.com")


@given(st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=40))
def test_any_condition_is_read_or_refused(text: str) -> None:
    """RFC 4918 §10.4.2, RFC 9110 §8.8.3."""
    for read in (read_if, read_etags):
        with suppress(Fault):
            read(text)


@given(st.text(max_size=40) | st.integers().map(lambda number: f"data:,C1:{number}"))
def test_any_token_is_known_or_not(text: str) -> None:
    state = CollectionState(CollectionId("C1"), None, "x", CollectionKind.CALENDAR, (), ModSeq(9), 0, 0, 0, 0)
    with suppress(SyncTokenExpired):
        assert since(text, state) >= 0


@given(st.binary(max_size=80) | TREES.map(str.encode))
def test_any_document_is_read_or_refused(octets: bytes) -> None:
    with suppress(SyntaxFault):
        parse(octets)


@given(
    st.sampled_from(METHODS),
    st.sampled_from(["/dav/", f"/dav/files/{ALICE}/", f"/dav/files/{ALICE}/x", f"/dav/calendars/{ALICE}/calendar/"]),
    TREES,
    st.fixed_dictionaries(
        {},
        optional={
            "Depth": st.sampled_from(["0", "1", "infinity", "2"]),
            "Destination": st.sampled_from([f"/dav/files/{ALICE}/y", f"/dav/files/{ALICE}/", "x", "/dav/none/y"]),
            "Overwrite": st.sampled_from(["T", "F", "x"]),
            "If": st.lists(PIECES.filter(lambda piece: piece > "\x1f"), max_size=12).map("".join),
            "If-Match": st.sampled_from(["*", '"a"', "a"]),
            "Lock-Token": st.sampled_from(["<a>", "a"]),
            "Timeout": st.sampled_from(["Second-1", "Infinite", "x"]),
            "Range": st.sampled_from(["bytes=0-", "bytes=9-1", "x"]),
        },
    ),
)
def test_no_request_is_our_fault(method: str, path: str, tree: str, fields: dict[str, str]) -> None:
    client = DAVHost().client()
    client.request("PUT", f"/dav/files/{ALICE}/x", "x")
    body = rooted(tree) if method in ("LOCK", "MKCOL", "PROPFIND", "PROPPATCH", "REPORT", "PUT") else ""
    reply = client.request(method, path, body, **fields)
    assert 200 <= reply.status < 500 or reply.status in (502, 507)
