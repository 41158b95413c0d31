"""The reports of CardDAV."""

from __future__ import annotations

import pytest

from tests.fakes.davsite import ALICE, DAVClient, DAVHost, Reply
from tests.unit.calendar.test_vcard import card

BOOK = f"/dav/addressbooks/{ALICE}/contacts/"
CARDDAV = "urn:ietf:params:xml:ns:carddav"


@pytest.fixture
def client() -> DAVClient:
    client = DAVHost().client()
    cards = {
        "ann": card("EMAIL;TYPE=home:ann@example.org", "NICKNAME:me", "TEL:+1 555", uid="1"),
        "bob": card("EMAIL;TYPE=work:bob@example.com", "item1.URL:http://x", uid="2", name="FN:Bob"),
        "cyd": card("NOTE:" + "long " * 1000 + "needle", uid="3", name="FN:Cyd", version="4.0"),
    }
    for name, octets in cards.items():
        assert client.request("PUT", f"{BOOK}{name}.vcf", octets).status == 201
    return client


def report(client: DAVClient, name: str, inner: str, path: str = BOOK, **headers: str) -> Reply:
    body = f'<CR:{name} xmlns:D="DAV:" xmlns:CR="{CARDDAV}">{inner}</CR:{name}>'
    return client.request("REPORT", path, body, **{"Depth": "1", **headers})


def query(client: DAVClient, filters: str, more: str = "", test: str = "anyof", **headers: str) -> Reply:
    inner = f'<D:prop><D:getetag/></D:prop><CR:filter test="{test}">{filters}</CR:filter>{more}'
    return report(client, "addressbook-query", inner, **headers)


def names(reply: Reply) -> list[str]:
    assert reply.status == 207, reply.body
    return [each.removeprefix(BOOK).removesuffix(".vcf") for each in reply.hrefs]


def text_of(reply: Reply, name: str) -> str:
    """The card in an answer about one resource."""
    path = f"/D:multistatus/D:response[D:href='{BOOK}{name}.vcf']//CR:address-data"
    return str(reply.find(path)[0].text)


def match(name: str, text: str, **attributes: str) -> str:
    said = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in attributes.items())
    return f'<CR:prop-filter name="{name}"><CR:text-match{said}>{text}</CR:text-match></CR:prop-filter>'


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ("", ["ann", "bob", "cyd"]),
        (match("FN", "AN"), ["ann"]),
        (match("FN", "b", match_type="starts-with"), ["bob"]),
        (match("EMAIL", ".org", match_type="ends-with"), ["ann"]),
        (match("EMAIL", "bob@EXAMPLE.com", match_type="equals"), ["bob"]),
        (match("EMAIL", "bob@EXAMPLE.com", match_type="equals", collation="i;octet"), []),
        (match("EMAIL", "bob", negate_condition="yes"), ["ann"]),
        (match("FN", "an") + match("FN", "b"), ["ann", "bob"]),
        (match("NOTE", "needle"), ["cyd"]),
        (match("NOTE", "haystack"), []),
        ('<CR:prop-filter name="NICKNAME"/>', ["ann"]),
        ('<CR:prop-filter name="EMAIL"><CR:is-not-defined/></CR:prop-filter>', ["cyd"]),
        ('<CR:prop-filter name="item1.URL"/>', ["bob"]),
        ('<CR:prop-filter name="item2.URL"/>', []),
        ('<CR:prop-filter name="item2.URL"><CR:is-not-defined/></CR:prop-filter>', ["ann", "bob", "cyd"]),
        (
            '<CR:prop-filter name="EMAIL"><CR:param-filter name="TYPE"><CR:text-match>work</CR:text-match>'
            "</CR:param-filter></CR:prop-filter>",
            ["bob"],
        ),
    ],
)
def test_a_query_finds_the_cards_that_fulfil_it(client: DAVClient, filters: str, expected: list[str]) -> None:
    """RFC 6352 §8.6, §10.5."""
    assert names(query(client, filters)) == expected


def test_all_of_several_conditions(client: DAVClient) -> None:
    assert names(query(client, match("FN", "b") + match("EMAIL", "bob"), test="allof")) == ["bob"]
    assert names(query(client, match("FN", "b") + match("EMAIL", "ann"), test="allof")) == []
    absent = '<CR:prop-filter name="NICKNAME"><CR:is-not-defined/></CR:prop-filter>'
    assert names(query(client, absent + match("NOTE", "needle"), test="allof")) == ["cyd"]


def test_a_limit_cuts_and_says_so(client: DAVClient) -> None:
    """RFC 6352 §8.6.2."""
    reply = query(client, "", "<CR:limit><CR:nresults>2</CR:nresults></CR:limit>")
    assert reply.hrefs == [BOOK, BOOK + "ann.vcf", BOOK + "bob.vcf"]
    (cut,) = reply.find("/D:multistatus/D:response[D:error/D:number-of-matches-within-limits]")
    assert "507" in cut.findtext("{DAV:}status")
    whole = query(client, "", "<CR:limit><CR:nresults>3</CR:nresults></CR:limit>")
    assert names(whole) == ["ann", "bob", "cyd"]


def test_a_query_of_depth_0_is_about_no_card_or_one(client: DAVClient) -> None:
    assert names(query(client, "", Depth="0")) == []
    inner = f'<D:prop><D:getetag/></D:prop><CR:filter>{match("FN", "ann")}</CR:filter>'
    assert names(report(client, "addressbook-query", inner, BOOK + "ann.vcf", Depth="0")) == ["ann"]
    assert names(report(client, "addressbook-query", inner, BOOK + "bob.vcf", Depth="0")) == []


@pytest.mark.parametrize(
    ("inner", "status", "condition"),
    [
        ("<CR:filter>" + match("FN", "x", collation="i;klingon") + "</CR:filter>", 403, "supported-collation"),
        ("<CR:filter>" + match("FN", "x") * 26 + "</CR:filter>", 403, "supported-filter"),
        ('<D:prop><CR:address-data version="5.0"/></D:prop><CR:filter/>', 403, "supported-address-data"),
        (
            '<D:prop><CR:address-data content-type="text/calendar"/></D:prop><CR:filter/>',
            403,
            "supported-address-data",
        ),
        ("", 400, ""),
        ("<CR:filter><CR:prop-filter/></CR:filter>", 400, ""),
        ('<CR:filter test="some"/>', 400, ""),
        ("<CR:filter>" + match("FN", "x", match_type="like") + "</CR:filter>", 400, ""),
        ("<CR:filter/><CR:limit><CR:nresults>-1</CR:nresults></CR:limit>", 400, ""),
    ],
)
def test_what_cannot_be_asked_is_refused(client: DAVClient, inner: str, status: int, condition: str) -> None:
    """RFC 6352 §8.6."""
    reply = report(client, "addressbook-query", inner)
    assert (reply.status, reply.condition) == (status, f"{{{CARDDAV}}}{condition}" if condition else "")


def test_cards_come_as_they_were_sent(client: DAVClient) -> None:
    hrefs = f"<D:href>{BOOK}cyd.vcf</D:href><D:href>{BOOK}ann.vcf</D:href>"
    inner = f"<D:prop><D:getetag/><CR:address-data/></D:prop>{hrefs}"
    reply = report(client, "addressbook-multiget", inner, Depth="0")
    assert names(reply) == ["cyd", "ann"]
    for name in ("ann", "cyd"):
        assert text_of(reply, name).encode() == client.request("GET", f"{BOOK}{name}.vcf").body


def test_cards_come_in_the_version_that_is_wanted(client: DAVClient) -> None:
    """RFC 6352 §10.4."""
    inner = '<D:prop><CR:address-data content-type="text/vcard" version="{}"/></D:prop><CR:filter/>'
    for version in ("3.0", "4.0"):
        reply = report(client, "addressbook-query", inner.format(version))
        for name in ("ann", "bob", "cyd"):
            assert text_of(reply, name).splitlines()[1] == f"VERSION:{version}"
        said = reply.find("//CR:address-data/@version")
        assert said == (["4.0"] * 3 if version == "4.0" else [])


def test_parts_of_cards(client: DAVClient) -> None:
    """RFC 6352 §8.4."""
    inner = (
        '<D:prop><CR:address-data><CR:prop name="EMAIL"/><CR:prop name="FN" novalue="yes"/></CR:address-data></D:prop>'
        f"<D:href>{BOOK}ann.vcf</D:href>"
    )
    found = text_of(report(client, "addressbook-multiget", inner), "ann").splitlines()
    assert found == ["BEGIN:VCARD", "VERSION:3.0", "FN:", "EMAIL;TYPE=home:ann@example.org", "END:VCARD"]


def test_multiget_tells_of_what_is_missing(client: DAVClient) -> None:
    """RFC 6352 §8.7."""
    hrefs = (BOOK + "ann.vcf", BOOK + "none.vcf", "/dav/files/alice@example.com/x", "http://other/x.vcf", "a b")
    inner = "<D:prop><CR:address-data/></D:prop>" + "".join(f"<D:href>{each}</D:href>" for each in hrefs)
    reply = report(client, "addressbook-multiget", inner)
    assert reply.hrefs == [*hrefs[:4], "a%20b"]
    stats = reply.find("/D:multistatus/D:response/D:status")
    assert ["404" in each.text for each in stats] == [True] * 4


def test_multiget_of_somebody_elses_cards_tells_nothing(client: DAVClient) -> None:
    bob = client.host.client("bob@example.com")
    theirs = "/dav/addressbooks/bob@example.com/contacts/x.vcf"
    assert bob.request("PUT", theirs, card("NOTE:secret")).status == 201
    inner = f"<D:prop><CR:address-data/></D:prop><D:href>{theirs}</D:href>"
    reply = report(client, "addressbook-multiget", inner)
    assert b"secret" not in reply.body and reply.hrefs == [theirs]
    assert report(client, "addressbook-multiget", inner, theirs.rpartition("/")[0] + "/").status == 403


def test_multiget_of_one_card_needs_no_href(client: DAVClient) -> None:
    inner = "<D:prop><CR:address-data/></D:prop>"
    assert names(report(client, "addressbook-multiget", inner, BOOK + "bob.vcf")) == ["bob"]
    assert report(client, "addressbook-multiget", inner).status == 400


def test_both_forms_of_an_href_are_read(client: DAVClient) -> None:
    inner = f"<D:prop><D:getetag/></D:prop><D:href>{BOOK.replace('@', '%40')}ann.vcf</D:href>"
    assert names(report(client, "addressbook-multiget", inner)) == ["ann"]


def test_missing_properties_are_told_unless_little_is_wanted(client: DAVClient) -> None:
    inner = f'<D:prop><CR:address-data/><x:y xmlns:x="urn:x"/></D:prop><D:href>{BOOK}ann.vcf</D:href>'
    assert report(client, "addressbook-multiget", inner).find("//D:propstat[contains(D:status, '404')]/D:prop/*")
    minimal = report(client, "addressbook-multiget", inner, Prefer="return=minimal")
    assert not minimal.find("//D:propstat[contains(D:status, '404')]")
    assert "BEGIN:VCARD" in text_of(minimal, "ann")


def test_a_calendar_has_no_such_report(client: DAVClient) -> None:
    reply = report(client, "addressbook-query", "<CR:filter/>", f"/dav/calendars/{ALICE}/calendar/")
    assert (reply.status, reply.condition) == (403, "{DAV:}supported-report")


def test_characters_that_xml_knows_are_escaped(client: DAVClient) -> None:
    octets = card("NOTE:a < b & c ]]> d", uid="9")
    client.request("PUT", BOOK + "x.vcf", octets)
    inner = f"<D:prop><CR:address-data/></D:prop><D:href>{BOOK}x.vcf</D:href>"
    assert text_of(report(client, "addressbook-multiget", inner), "x").encode() == octets
