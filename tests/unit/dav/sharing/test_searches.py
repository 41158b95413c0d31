"""Tests for trekd.dav.sharing.searches: reports that look for principals (RFC 3744 §9)."""

from __future__ import annotations

import pytest

from tests.fakes.davsite import ALICE, BOB, DAVClient, DAVHost, Reply
from tests.unit.dav.sharing.case import (
    CAROL,
    DAVE,
    PRINCIPALS,
    READ,
    WORK,
    acl,
    entry,
    person,
)
from tests.unit.dav.sharing.case import (
    host as make_host,
)
from trekd.dav.sharing import searches
from trekd.errors import DirectoryDown

SPACES = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CS="http://calendarserver.org/ns/"'


@pytest.fixture
def host() -> DAVHost:
    return make_host()


@pytest.fixture
def alice(host: DAVHost) -> DAVClient:
    return host.client(ALICE)


def report(client: DAVClient, name: str, inside: str, path: str = PRINCIPALS, **headers: str) -> Reply:
    """A REPORT of WebDAV, or with a prefix."""
    start, _, attribute = name.partition(" ")
    return client.request("REPORT", path, f"<{start} {SPACES} {attribute}>{inside}</{start}>", **headers)


def search(
    client: DAVClient, *criteria: tuple[str, str], test: str = "", more: str = "", path: str = PRINCIPALS
) -> Reply:
    """C{principal-property-search}."""
    inside = "".join(
        f"<property-search><prop><{name}/></prop><match>{text}</match></property-search>" for name, text in criteria
    )
    name = "principal-property-search" + (f' test="{test}"' if test else "")
    return report(client, name, inside + "<prop><displayname/></prop>" + more, path)


@pytest.mark.parametrize(
    ("criteria", "test", "found"),
    [
        ([("displayname", "EXAMPLE")], "", [ALICE, BOB, CAROL]),
        ([("displayname", "carol ex")], "", [CAROL]),
        ([("displayname", "carol@")], "", []),
        ([("displayname", "carol")], "", [CAROL]),
        ([("CS:email-address-set", "cc@")], "", []),
        ([("C:calendar-user-address-set", "mailto:bob")], "", [BOB]),
        ([("CS:email-address-set", "example.com")], "", [ALICE, BOB, CAROL]),
        ([("displayname", "carol"), ("CS:email-address-set", "bob")], "", []),
        ([("displayname", "carol"), ("CS:email-address-set", "example")], "allof", [CAROL]),
        ([("displayname", "carol"), ("CS:email-address-set", "bob")], "anyof", [BOB, CAROL]),
        ([("getetag", "carol")], "", []),
        ([("displayname", "nobody")], "", []),
    ],
)
def test_search(alice: DAVClient, criteria: list[tuple[str, str]], test: str, found: list[str]) -> None:
    """RFC 3744 §9.4."""
    reply = search(alice, *criteria, test=test)
    assert reply.status == 207
    assert sorted(reply.hrefs) == [f"{PRINCIPALS}{each}/" for each in found]


@pytest.mark.parametrize(
    ("book", "found", "known", "named"),
    [("domain", [CAROL], False, True), ("all", [CAROL, DAVE], True, True), ("off", [], False, True)],
)
def test_whom_one_may_know_of(book: str, found: list[str], known: bool, named: bool) -> None:
    """One rule for looking up, naming and sharing; C{[dav] directory_book} says it."""
    alice = make_host(directory_book=book).client(ALICE)
    reply = search(alice, ("displayname", "example"), ("CS:email-address-set", "a"))
    assert sorted({CAROL, DAVE} & {href.split("/")[-2] for href in reply.hrefs}) == found
    for who, is_known in ((CAROL, named), (DAVE, known)):
        assert alice.request("PROPFIND", f"{PRINCIPALS}{who}/", Depth="0").status == (207 if is_known else 404)
        assert acl(alice, WORK, entry(person(who), READ)).status == (200 if is_known else 403)
        share = f"<CS:set><D:href>mailto:{who}</D:href><CS:read/></CS:set>"
        body = f'<CS:share xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/">{share}</CS:share>'
        posted = alice.request("POST", WORK, body, Content_Type="text/xml")
        assert posted.status == (200 if is_known else 403)
        group = f"{PRINCIPALS}{ALICE}/calendar-proxy-read/"
        member = f"<set><prop><group-member-set>{person(who)}</group-member-set></prop></set>"
        changed = alice.request("PROPPATCH", group, f'<propertyupdate xmlns="DAV:">{member}</propertyupdate>')
        assert changed.status == (207 if is_known else 403)


def test_what_is_found_has_its_properties(alice: DAVClient) -> None:
    reply = search(alice, ("displayname", "carol"))
    assert [each.text for each in reply.find("//D:displayname")] == ["Carol Example"]


def test_where_the_search_goes(alice: DAVClient) -> None:
    """RFC 3744 §9.4: below the request's address, or below all principal collections."""
    assert search(alice, ("displayname", "carol"), path=WORK).hrefs == []
    everywhere = "<apply-to-principal-collection-set/>"
    assert search(alice, ("displayname", "carol"), path=WORK, more=everywhere).hrefs == [f"{PRINCIPALS}{CAROL}/"]
    assert search(alice, ("displayname", "carol"), path="/dav/").hrefs == [f"{PRINCIPALS}{CAROL}/"]


@pytest.mark.parametrize(
    "inside", ["", "<property-search/>", "<property-search><prop/><match>x</match></property-search>"]
)
def test_searches_for_nothing(alice: DAVClient, inside: str) -> None:
    assert report(alice, "principal-property-search", inside).status == 400
    assert search(alice, ("displayname", " ")).status == 400


def test_there_are_only_so_many_answers(alice: DAVClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 3744 §9.4: number-of-matches-within-limits."""
    monkeypatch.setattr(searches, "MAX_FOUND", 2)
    reply = search(alice, ("CS:email-address-set", "example"))
    assert len(reply.hrefs) == 3 and reply.hrefs[-1] == PRINCIPALS
    assert reply.find("//D:response[3]//D:number-of-matches-within-limits")


def test_words_are_searched_for(alice: DAVClient) -> None:
    """What Apple's programs ask."""
    tokens = "<CS:search-token>carol</CS:search-token><CS:search-token>exam</CS:search-token>"
    wanted = tokens + "<prop><displayname/></prop>"
    assert report(alice, "CS:calendarserver-principal-search", wanted).hrefs == [f"{PRINCIPALS}{CAROL}/"]
    assert report(alice, "CS:calendarserver-principal-search", "").status == 400


def test_a_directory_that_is_down_is_no_empty_answer(
    host: DAVHost, alice: DAVClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(text: str, limit: int) -> tuple[()]:
        raise DirectoryDown()

    monkeypatch.setattr(host.directory, "search", fail)
    assert search(alice, ("displayname", "carol")).status == 503


def test_nobody_searches_without_logging_in(host: DAVHost) -> None:
    assert search(host.client(""), ("displayname", "carol")).status == 401


def test_what_can_be_searched(alice: DAVClient) -> None:
    """RFC 3744 §9.5."""
    reply = report(alice, "principal-search-property-set", "")
    assert reply.status == 200
    names = [str(each.tag).rpartition("}")[2] for each in reply.find("//D:principal-search-property/D:prop/*")]
    assert names == ["displayname", "email-address-set", "calendar-user-address-set"]
    language = "{http://www.w3.org/XML/1998/namespace}lang"
    assert [each.get(language) for each in reply.find("//D:description")] == ["en"] * 3


@pytest.mark.parametrize(
    "name",
    ["acl-principal-prop-set", "principal-match", "principal-property-search", "principal-search-property-set"],
)
def test_reports_are_for_depth_0(alice: DAVClient, name: str) -> None:
    """RFC 3744 §9.2 to §9.5."""
    assert report(alice, name, "<self/>", Depth="1").status == 400


def test_principals_of_a_list(host: DAVHost, alice: DAVClient) -> None:
    """RFC 3744 §9.2: each once, the owner too."""
    acl(alice, WORK, entry(person(BOB), READ), entry(person(CAROL), READ), entry("<authenticated/>", READ))
    del host.directory.accounts[BOB]
    reply = report(alice, "acl-principal-prop-set", "<prop><displayname/></prop>", WORK)
    assert reply.hrefs == [f"{PRINCIPALS}{each}/" for each in (ALICE, BOB, CAROL)]
    assert [each.text for each in reply.find("//D:displayname")] == [ALICE, "Carol Example"]
    refused = report(host.client(CAROL), "acl-principal-prop-set", "<prop><displayname/></prop>", WORK)
    assert (refused.status, refused.condition) == (403, "{DAV:}need-privileges")
    assert report(alice, "acl-principal-prop-set", "<prop><displayname/></prop>", "/dav/").hrefs == []


def test_what_is_ones_own(alice: DAVClient) -> None:
    """RFC 3744 §9.3."""
    alice.request("PUT", WORK + "1.ics", "one")
    named = "<principal-property><owner/></principal-property>"
    reply = report(alice, "principal-match", named, WORK)
    assert reply.hrefs == [WORK + "1.ics"] and reply.find("//D:response/D:status")
    below = report(alice, "principal-match", named + "<prop><owner/></prop>", f"/dav/calendars/{ALICE}/")
    assert WORK + "1.ics" in below.hrefs and below.find("//D:propstat")
    assert report(alice, "principal-match", "<self/>", PRINCIPALS).hrefs == [f"{PRINCIPALS}{ALICE}/"]
    assert report(alice, "principal-match", "<self/>", WORK).hrefs == []
    assert report(alice, "principal-match", "<principal-property/>", WORK).status == 400
    assert report(alice, "principal-match", "", WORK).status == 400


def test_only_so_much_is_looked_at(alice: DAVClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "MAX_LOOKED_AT", 2)
    reply = report(alice, "principal-match", "<principal-property><owner/></principal-property>", "/dav/")
    assert (reply.status, reply.condition) == (507, "{DAV:}number-of-matches-within-limits")
