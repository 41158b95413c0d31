"""What address books take, and what GET gives."""

from __future__ import annotations

import pytest

from tests.fakes.davsite import ALICE, DAVClient, DAVHost
from tests.unit.calendar.test_vcard import card
from trekd.config.schema import DAVConfig
from trekd.store.collections import CollectionKind

BOOK = f"/dav/addressbooks/{ALICE}/contacts/"
CARDDAV = "{urn:ietf:params:xml:ns:carddav}"


@pytest.fixture
def host() -> DAVHost:
    return DAVHost()


@pytest.fixture
def client(host: DAVHost) -> DAVClient:
    return host.client()


def test_a_card_comes_back_as_it_was_sent(client: DAVClient) -> None:
    octets = card("NOTE:folded", "  line").replace(b"\r\n", b"\n")
    put = client.request("PUT", BOOK + "a.vcf", octets, Content_Type="text/vcard")
    got = client.request("GET", BOOK + "a.vcf")
    assert put.status == 201
    assert (got.body, got.headers["etag"]) == (octets, put.headers["etag"])
    assert got.headers["content-type"] == "text/vcard; charset=utf-8"


def test_the_media_type_tells_of_version_4(client: DAVClient) -> None:
    client.request("PUT", BOOK + "a.vcf", card(version="4.0"))
    assert client.request("GET", BOOK + "a.vcf").headers["content-type"] == "text/vcard; charset=utf-8; version=4.0"


@pytest.mark.parametrize(
    ("octets", "media_type", "status", "condition"),
    [
        (b"hello", "text/vcard", 403, "valid-address-data"),
        (card(uid=""), "text/vcard", 403, "valid-address-data"),
        (card() + card(uid="2"), "text/vcard", 403, "valid-address-data"),
        (card(version="2.1"), "text/vcard", 403, "supported-address-data"),
        (card(), "text/calendar", 415, "supported-address-data"),
        (card("NOTE:" + "x" * 200_000), "text/vcard", 403, "max-resource-size"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_its_precondition(
    octets: bytes, media_type: str, status: int, condition: str
) -> None:
    """RFC 6352 §6.3.2.1."""
    client = DAVHost(DAVConfig(max_item=100_000)).client()
    reply = client.request("PUT", BOOK + "a.vcf", octets, Content_Type=media_type)
    assert (reply.status, reply.condition) == (status, CARDDAV + condition)
    assert client.request("GET", BOOK + "a.vcf").status == 404


@pytest.mark.parametrize("media_type", ["text/vcard; charset=utf-8", "text/x-vcard", "text/directory;profile=vcard"])
def test_a_vcard_has_several_names(client: DAVClient, media_type: str) -> None:
    assert client.request("PUT", BOOK + "a.vcf", card(), Content_Type=media_type).status == 201


def test_a_large_card_is_read_too(client: DAVClient) -> None:
    octets = card("PHOTO;ENCODING=b;TYPE=JPEG:" + "A" * 1_000_000)
    assert client.request("PUT", BOOK + "a.vcf", octets).status == 201
    assert client.request("GET", BOOK + "a.vcf").body == octets


def test_two_cards_of_one_uid_conflict(client: DAVClient) -> None:
    """RFC 6352 §6.3.2.1, no-uid-conflict, which names the other card."""
    client.request("PUT", BOOK + "a.vcf", card())
    reply = client.request("PUT", BOOK + "b.vcf", card())
    assert (reply.status, reply.condition) == (409, CARDDAV + "no-uid-conflict")
    assert reply.find("//CR:no-uid-conflict/D:href")[0].text == BOOK + "a.vcf"


def test_a_card_cannot_become_another_one(client: DAVClient) -> None:
    """RFC 6352 §6.3.2.1, no-uid-conflict."""
    client.request("PUT", BOOK + "a.vcf", card())
    reply = client.request("PUT", BOOK + "a.vcf", card(uid="2"))
    assert (reply.status, reply.condition) == (409, CARDDAV + "no-uid-conflict")
    assert client.request("PUT", BOOK + "a.vcf", card(name="FN:Bea")).status == 204


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_copies_do_not_conflict_either(client: DAVClient, method: str) -> None:
    body = (
        '<D:mkcol xmlns:D="DAV:"><D:set><D:prop><D:resourcetype><D:collection/>'
        '<x:addressbook xmlns:x="urn:ietf:params:xml:ns:carddav"/></D:resourcetype></D:prop></D:set></D:mkcol>'
    )
    other = f"/dav/addressbooks/{ALICE}/other/"
    assert client.request("MKCOL", other, body).status == 201
    client.request("PUT", BOOK + "a.vcf", card())
    client.request("PUT", other + "b.vcf", card())
    client.request("PUT", other + "c.vcf", card(uid="2"))
    taken = client.request(method, BOOK + "a.vcf", Destination=other + "a.vcf")
    assert (taken.status, taken.condition) == (409, CARDDAV + "no-uid-conflict")
    assert taken.find("//CR:no-uid-conflict/D:href")[0].text == other + "b.vcf"
    assert client.request("DELETE", other + "b.vcf").status == 204
    overwriting = client.request(method, BOOK + "a.vcf", Destination=other + "c.vcf")
    assert (overwriting.status, overwriting.condition) == (409, CARDDAV + "no-uid-conflict")
    assert overwriting.find("//CR:no-uid-conflict/D:href")[0].text == other + "c.vcf"
    assert client.request(method, BOOK + "a.vcf", Destination=other + "b.vcf").status == 201


def test_a_member_is_added_by_post(client: DAVClient) -> None:
    """RFC 5995."""
    reply = client.request("POST", BOOK + "?add-member", card(), Content_Type="text/vcard")
    assert reply.status == 201 and reply.headers["location"].endswith(".vcf")
    assert client.request("GET", reply.headers["location"]).body == card()


def test_the_index_knows_a_card(client: DAVClient, host: DAVHost) -> None:
    client.request("PUT", BOOK + "a.vcf", card("EMAIL:ann@x"))
    book = host.collection("contacts", CollectionKind.ADDRESS_BOOK)
    found = host.run(host.shelf().identified(book.id, "1"))
    assert found is not None and (found.name, found.component) == ("a.vcf", "VCARD")


# --- Other forms ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "version"),
    [
        ("", "3.0"),
        ("*/*", "3.0"),
        ("text/vcard", "3.0"),
        ("text/vcard; version=4.0", "4.0"),
        ('text/vcard; version="4.0", */*;q=0.5', "4.0"),
        ("text/vcard;version=4.0;q=0.5, text/vcard;version=3.0", "3.0"),
        ("text/vcard;version=4.0, text/vcard;version=3.0", "3.0"),
        ("text/vcard;version=3.0;q=0, text/*", "4.0"),
    ],
)
def test_a_card_is_given_in_the_version_that_is_wanted(client: DAVClient, accept: str, version: str) -> None:
    """RFC 6352 §5.1.1."""
    etag = client.request("PUT", BOOK + "a.vcf", card()).headers["etag"]
    got = client.request("GET", BOOK + "a.vcf", **({"Accept": accept} if accept else {}))
    assert f"VERSION:{version}\r\n".encode() in got.body
    assert got.headers["etag"] == etag
    assert ("version=4.0" in got.headers["content-type"]) is (version == "4.0")


@pytest.mark.parametrize("accept", ["text/html", "text/vcard;q=0", "application/json, text/vcard;version=2.1"])
def test_a_client_that_takes_no_card_is_told(client: DAVClient, accept: str) -> None:
    """RFC 6352 §5.1.1.1."""
    client.request("PUT", BOOK + "a.vcf", card())
    reply = client.request("GET", BOOK + "a.vcf", Accept=accept)
    assert (reply.status, reply.condition) == (406, CARDDAV + "supported-address-data-conversion")


def test_a_book_is_given_whole(client: DAVClient) -> None:
    client.request("PUT", BOOK + "b.vcf", card(uid="2").rstrip())
    client.request("PUT", BOOK + "a.vcf", card())
    got = client.request("GET", BOOK)
    assert got.body == card() + card(uid="2")
    assert got.headers["content-type"] == "text/vcard; charset=utf-8"
    assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''contacts.vcf"
    assert client.request("GET", BOOK, If_None_Match=got.headers["etag"]).status == 304
    client.request("DELETE", BOOK + "a.vcf")
    assert client.request("GET", BOOK, If_None_Match=got.headers["etag"]).body == card(uid="2")


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize("place", [BOOK + "inside/", f"/dav/calendars/{ALICE}/book/", f"/dav/files/{ALICE}/book/"])
def test_a_book_cannot_be_everywhere(client: DAVClient, method: str, place: str) -> None:
    """RFC 6352 §6.3.2.1, addressbook-collection-location-ok."""
    other = f"/dav/addressbooks/{ALICE}/other/"
    assert client.request("COPY", BOOK, Destination=other).status == 201
    reply = client.request(method, other, Destination=place)
    assert (reply.status, reply.condition) == (403, CARDDAV + "addressbook-collection-location-ok")


# --- Properties -----------------------------------------------------------------------------------


def prop(client: DAVClient, path: str, name: str) -> str:
    body = f'<D:propfind xmlns:D="DAV:" xmlns:CR="{CARDDAV[1:-1]}"><D:prop><{name}/></D:prop></D:propfind>'
    reply = client.request("PROPFIND", path, body, Depth="0")
    return "|".join(
        str(text) for text in reply.find(f"//D:prop/{name}//text() | //D:prop/{name}//@version") if text.strip()
    )


def test_a_book_tells_what_it_takes_and_answers(client: DAVClient) -> None:
    """RFC 6352 §6.2, §8.3.1."""
    assert prop(client, BOOK, "CR:supported-address-data") == "3.0|4.0"
    assert prop(client, BOOK, "CR:max-resource-size") == str(DAVConfig().max_item)
    assert prop(client, BOOK, "CR:supported-collation-set") == "i;ascii-casemap|i;octet|i;unicode-casemap"
    reports = prop(client, BOOK, "D:supported-report-set")
    found = client.request("OPTIONS", BOOK)
    assert "addressbook" in found.headers["dav"].replace(" ", "").split(","), reports


def test_the_principal_tells_where_the_books_are(client: DAVClient) -> None:
    """RFC 6352 §7.1.1."""
    assert prop(client, f"/dav/principals/{ALICE}/", "CR:addressbook-home-set") == f"/dav/addressbooks/{ALICE}/"
    assert prop(client, BOOK, "CR:addressbook-home-set") == ""


def test_a_book_has_a_description(client: DAVClient) -> None:
    """RFC 6352 §6.2.1."""
    body = (
        '<D:propertyupdate xmlns:D="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"><D:set><D:prop>'
        "<CR:addressbook-description>Friends</CR:addressbook-description></D:prop></D:set></D:propertyupdate>"
    )
    assert client.request("PROPPATCH", BOOK, body).status == 207
    assert prop(client, BOOK, "CR:addressbook-description") == "Friends"
    client.request("PROPPATCH", BOOK, body.replace("addressbook-description", "max-resource-size"))
    assert prop(client, BOOK, "CR:max-resource-size") == str(DAVConfig().max_item)
