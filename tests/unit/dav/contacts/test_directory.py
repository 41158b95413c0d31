"""The directory as an address book."""

from __future__ import annotations

import pytest

from tests.fakes.davsite import ALICE, DAVClient, DAVHost, Reply
from tests.fakes.imapsite import FakeDirectory
from tests.unit.calendar.test_vcard import card
from trekd.calendar.vcard import read_card
from trekd.config.schema import DAVConfig
from trekd.dav.contacts import directory as books
from trekd.dav.contacts.directory import directory_texts
from trekd.dav.contacts.requests import addressbook_query
from trekd.dav.xml.reading import parse
from trekd.directory.interfaces import DirectoryEntry, Phone, PostalAddress
from trekd.errors import DirectoryDown
from trekd.store.collections import CollectionKind, Mount, NewCollection, Right
from trekd.values import Address, PrincipalId

GATEWAY = "/dav/directory/"
HOME = f"/dav/addressbooks/{ALICE}/"
CARDDAV = "urn:ietf:params:xml:ns:carddav"
PHOTO = b"\xff\xd8\xff\xe0picture"

ENTRIES = (
    DirectoryEntry(Address("alice", "example.com"), "Alice Ant"),
    DirectoryEntry(
        Address("Bob", "example.com"),
        "Bob; the Bee",
        given_name="Bob",
        family_name="Bee",
        phones=((Phone.WORK, "+1 555"), (Phone.CELL, "+1 777")),
        organization="Acme",
        unit="Hives",
        title="Keeper",
        post=PostalAddress("1 Main St, Rear", "Town", "", "12345", "US"),
        note="buzz",
        photo=PHOTO,
    ),
    DirectoryEntry(Address("staff", "example.com"), "Staff", is_group=True),
    DirectoryEntry(Address("eve", "example.org"), "Eve Elsewhere"),
)


class Listed(FakeDirectory):
    """Has an address list, and tells what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.entries = list(ENTRIES)
        self.outage: Exception | None = None

    async def search(self, text: str, limit: int) -> tuple[DirectoryEntry, ...]:
        """See L{IDirectory}; without pictures."""
        if self.outage is not None:
            raise self.outage
        self.asked.append(text)
        found = [each for each in self.entries if text.casefold() in f"{each.display_name} {each.address}".casefold()]
        return tuple(DirectoryEntry(**{**_fields(each), "photo": b""}) for each in found[:limit])

    async def describe(self, address: Address) -> DirectoryEntry | None:
        """See L{IDirectory}; bee is an alias of Bob's."""
        if self.outage is not None:
            raise self.outage
        name = "bob@example.com" if address.local == "bee" else address.principal
        return next((each for each in self.entries if each.address.principal == name), None)


def _fields(entry: DirectoryEntry) -> dict[str, object]:
    return {name: getattr(entry, name) for name in DirectoryEntry.__slots__}


def host_with(config: DAVConfig | None = None) -> tuple[DAVHost, Listed]:
    host, listed = DAVHost(config), Listed()
    host.site.directory = listed
    return host, listed


@pytest.fixture
def listed() -> Listed:
    return Listed()


@pytest.fixture
def client(listed: Listed) -> DAVClient:
    host = DAVHost()
    host.site.directory = listed
    return host.client()


def query(client: DAVClient, inner: str, path: str = GATEWAY, properties: str = "<D:getetag/>") -> Reply:
    body = (
        f'<CR:addressbook-query xmlns:D="DAV:" xmlns:CR="{CARDDAV}"><D:prop>{properties}</D:prop>{inner}'
        "</CR:addressbook-query>"
    )
    return client.request("REPORT", path, body, Depth="1")


def multiget(client: DAVClient, *hrefs: str) -> Reply:
    body = (
        f'<CR:addressbook-multiget xmlns:D="DAV:" xmlns:CR="{CARDDAV}"><D:prop><D:getetag/><CR:address-data/></D:prop>'
        + "".join(f"<D:href>{each}</D:href>" for each in hrefs)
        + "</CR:addressbook-multiget>"
    )
    return client.request("REPORT", GATEWAY, body)


def match(name: str, text: str) -> str:
    return f'<CR:prop-filter name="{name}"><CR:text-match>{text}</CR:text-match></CR:prop-filter>'


def prop(client: DAVClient, path: str, name: str, depth: str = "0", **headers: str) -> Reply:
    body = f'<D:propfind xmlns:D="DAV:" xmlns:CR="{CARDDAV}"><D:prop><{name}/></D:prop></D:propfind>'
    return client.request("PROPFIND", path, body, Depth=depth, **headers)


# --- Where it is ----------------------------------------------------------------------------------


def test_the_principal_and_the_home_announce_it(client: DAVClient) -> None:
    """draft-daboo-carddav-directory-gateway-02, sections 3 and 4.1."""
    for path in (f"/dav/principals/{ALICE}/", HOME):
        assert prop(client, path, "CR:directory-gateway").find("//CR:directory-gateway/D:href")[0].text == GATEWAY
    assert not prop(client, f"/dav/calendars/{ALICE}/", "CR:directory-gateway").find("//CR:directory-gateway/D:href")
    kinds = prop(client, GATEWAY, "D:resourcetype").find("//D:resourcetype/*")
    assert {each.tag.partition("}")[2] for each in kinds} == {"collection", "addressbook", "directory"}


def test_it_is_an_ordinary_book_in_the_home(client: DAVClient) -> None:
    reply = prop(client, HOME, "D:resourcetype", "1")
    assert reply.hrefs == [HOME, HOME + "contacts/", HOME + "directory/"]
    kinds = prop(client, HOME + "directory/", "D:resourcetype").find("//D:resourcetype/*")
    assert {each.tag.partition("}")[2] for each in kinds} == {"collection", "addressbook"}


@pytest.mark.parametrize(
    ("program", "is_listed"),
    [
        ("macOS/14.2 (23C64) AddressBookCore/2618.1", False),
        ("iOS/17.2 (21C62) dataaccessd/1.0", False),
        ("DAVx5/4.3 (2023/08/27; dav4jvm; okhttp/4.11.0) Android/13", True),
        ("", True),
    ],
)
def test_programs_that_know_gateways_do_not_see_it_twice(client: DAVClient, program: str, is_listed: bool) -> None:
    """Quirk directory-gateway."""
    headers = {"User_Agent": program} if program else {}
    assert (HOME + "directory/" in prop(client, HOME, "D:resourcetype", "1", **headers).hrefs) is is_listed
    assert prop(client, HOME + "directory/", "D:resourcetype", **headers).status == 207


def test_its_name_is_taken(client: DAVClient) -> None:
    assert client.request("MKCOL", HOME + "directory/").status == 405
    assert client.request("MOVE", HOME + "contacts/", Destination=HOME + "directory/").status == 403
    assert prop(client, HOME, "D:resourcetype", "1").hrefs == [HOME, HOME + "contacts/", HOME + "directory/"]


def test_an_own_book_of_that_name_stays() -> None:
    host, _ = host_with()
    client = host.client()
    client.request("OPTIONS", "/dav/")
    host.run(host.shelf().create_collection(NewCollection("directory", CollectionKind.ADDRESS_BOOK)))
    assert prop(client, HOME, "D:resourcetype", "1").hrefs == [HOME, HOME + "contacts/", HOME + "directory/"]
    assert client.request("PUT", HOME + "directory/a.vcf", card()).status == 201


def test_a_shared_book_of_that_name_stays_too(listed: Listed) -> None:
    host = DAVHost()
    host.site.directory = listed
    client, theirs = host.client(), host.client("bob@example.com")
    theirs.request("OPTIONS", "/dav/")
    book = host.collection("contacts", CollectionKind.ADDRESS_BOOK, "bob@example.com")
    host.run(host.shelf("bob@example.com").grant(book.id, {PrincipalId(ALICE): Right.READ}))
    client.request("OPTIONS", "/dav/")
    host.run(
        host.shelf().mount(
            Mount("directory", PrincipalId("bob@example.com"), book.id, CollectionKind.ADDRESS_BOOK)
        )
    )
    assert prop(client, HOME, "D:resourcetype", "1").hrefs == [HOME, HOME + "contacts/", HOME + "directory/"]
    assert prop(client, HOME + "directory/", "D:sync-token").find("//D:sync-token/text()")


def test_it_can_be_off() -> None:
    client = host_with(DAVConfig(directory_book="off"))[0].client()
    assert prop(client, GATEWAY, "D:resourcetype").status == 404
    assert prop(client, HOME, "D:resourcetype", "1").hrefs == [HOME, HOME + "contacts/"]
    assert not prop(client, f"/dav/principals/{ALICE}/", "CR:directory-gateway").find("//CR:directory-gateway/D:href")
    assert GATEWAY not in prop(client, "/dav/", "D:resourcetype", "1").hrefs


def test_the_own_card_is_the_principals_address(client: DAVClient) -> None:
    """RFC 6352 §7.1.2."""
    (href,) = prop(client, f"/dav/principals/{ALICE}/", "CR:principal-address").find("//CR:principal-address/D:href")
    assert b"FN:Alice Ant" in client.request("GET", href.text).body


# --- What is in it --------------------------------------------------------------------------------


def test_a_card_tells_what_the_directory_knows(client: DAVClient) -> None:
    got = client.request("GET", GATEWAY + "bob@example.com.vcf")
    assert got.body.decode().replace("\r\n ", "").splitlines() == [
        "BEGIN:VCARD",
        "VERSION:3.0",
        "UID:bob@example.com",
        r"FN:Bob\; the Bee",
        "N:Bee;Bob;;;",
        "EMAIL;TYPE=INTERNET,WORK:Bob@example.com",
        "TEL;TYPE=WORK,VOICE:+1 555",
        "TEL;TYPE=CELL:+1 777",
        "ORG:Acme;Hives",
        "TITLE:Keeper",
        r"ADR;TYPE=WORK:;;1 Main St\, Rear;Town;;12345;US",
        "NOTE:buzz",
        "PHOTO;ENCODING=b;TYPE=JPEG:/9j/4HBpY3R1cmU=",
        "END:VCARD",
    ]
    assert read_card(got.body).uid == "bob@example.com"
    assert got.headers["content-type"] == "text/vcard; charset=utf-8"


def test_a_card_has_one_name_and_one_etag(client: DAVClient) -> None:
    listing = prop(client, GATEWAY, "D:getetag", "1")
    path = GATEWAY + "bob@example.com.vcf"
    etag = listing.find(f"//D:response[D:href='{path}']//D:getetag")[0].text
    got = client.request("GET", path)
    assert got.headers["etag"] == etag
    assert client.request("GET", path, If_None_Match=etag).status == 304
    assert multiget(client, path).find("//D:getetag")[0].text == etag
    assert query(client, "<CR:filter>" + match("FN", "bee") + "</CR:filter>").find("//D:getetag")[0].text == etag
    assert client.request("GET", GATEWAY + "BOB%40example.com.vcf").headers["etag"] == etag


def test_another_number_is_another_etag(client: DAVClient, listed: Listed) -> None:
    path = GATEWAY + "bob@example.com.vcf"
    etag = client.request("GET", path).headers["etag"]
    listed.entries[1] = DirectoryEntry(**{**_fields(ENTRIES[1]), "phones": ()})
    assert client.request("GET", path).headers["etag"] != etag


@pytest.mark.parametrize("name", ["bee@example.com.vcf", "nobody@example.com.vcf", "bob@example.com", "x.vcf", "..vcf"])
def test_other_names_lead_nowhere(client: DAVClient, name: str) -> None:
    assert client.request("GET", GATEWAY + name).status == 404


def test_a_card_comes_as_4_0_too(client: DAVClient) -> None:
    got = client.request("GET", GATEWAY + "bob@example.com.vcf", Accept="text/vcard;version=4.0")
    assert b"PHOTO:data:image/jpeg;base64," in got.body and "version=4.0" in got.headers["content-type"]
    assert client.request("GET", GATEWAY + "bob@example.com.vcf", Accept="text/html").status == 406


def test_the_whole_book_is_a_file(client: DAVClient) -> None:
    assert client.request("GET", GATEWAY).body.count(b"BEGIN:VCARD") == 3


# --- Who sees whom --------------------------------------------------------------------------------


def test_people_of_other_domains_are_not_shown(client: DAVClient) -> None:
    reply = prop(client, GATEWAY, "D:getetag", "1")
    assert reply.hrefs == [GATEWAY, *(f"{GATEWAY}{name}@example.com.vcf" for name in ("alice", "bob", "staff"))]
    assert client.request("GET", GATEWAY + "eve@example.org.vcf").status == 404
    assert b"eve" not in multiget(client, GATEWAY + "eve@example.org.vcf").body.replace(b"eve@example.org.vcf", b"")
    assert query(client, "<CR:filter>" + match("FN", "Eve") + "</CR:filter>").hrefs == []


def test_everybody_is_shown_where_the_host_says_so() -> None:
    client = host_with(DAVConfig(directory_book="all"))[0].client()
    assert client.request("GET", GATEWAY + "eve@example.org.vcf").status == 200
    assert len(prop(client, GATEWAY, "D:getetag", "1").hrefs) == 5


def test_strangers_see_nothing(listed: Listed) -> None:
    host = DAVHost()
    host.site.directory = listed
    assert host.client("").request("GET", GATEWAY + "bob@example.com.vcf").status == 401


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("PUT", "bob@example.com.vcf"),
        ("PUT", "new@example.com.vcf"),
        ("DELETE", "bob@example.com.vcf"),
        ("DELETE", ""),
        ("PROPPATCH", ""),
        ("LOCK", ""),
        ("MKCOL", "x/"),
        ("MOVE", "bob@example.com.vcf"),
        ("POST", ""),
    ],
)
@pytest.mark.parametrize("book", [GATEWAY, HOME + "directory/"])
def test_it_is_only_read(client: DAVClient, book: str, method: str, name: str) -> None:
    reply = client.request(method, book + name, b"x" if method == "PUT" else b"", Destination=HOME + "contacts/x.vcf")
    assert reply.status in (403, 405)
    names = prop(client, book, "D:current-user-privilege-set").find("//D:privilege/*")
    assert {each.tag for each in names} & {"{DAV:}write", "{DAV:}bind", "{DAV:}write-content"} == set()
    assert "{DAV:}read" in {each.tag for each in names}


# --- Questions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inner", "asked"),
    [
        ('<CR:filter test="anyof">' + match("FN", "bob") + match("EMAIL", "bob") + "</CR:filter>", ["bob"]),
        ('<CR:filter test="allof">' + match("FN", "bob") + match("ORG", "acme") + "</CR:filter>", ["bob"]),
        ("<CR:filter>" + match("N", "Bee;Bob") + "</CR:filter>", ["Bee"]),
        ("<CR:filter>" + match("ORG", "acme") + "</CR:filter>", ["@example.com"]),
    ],
)
def test_a_query_is_put_to_the_directory(client: DAVClient, listed: Listed, inner: str, asked: list[str]) -> None:
    assert query(client, inner).hrefs == [GATEWAY + "bob@example.com.vcf"]
    assert listed.asked == asked


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ('<CR:filter test="anyof">' + match("FN", "a") + match("TEL", "5") + "</CR:filter>", None),
        ('<CR:filter><CR:prop-filter name="FN"><CR:is-not-defined/></CR:prop-filter></CR:filter>', None),
        ('<CR:filter><CR:prop-filter name="FN"/></CR:filter>', None),
        ("<CR:filter/>", None),
        ("<CR:filter>" + match("FN", "") + "</CR:filter>", None),
        ("<CR:filter>" + match("FN", "x" * 300) + "</CR:filter>", None),
        ("<CR:filter>" + "".join(match("FN", text) for text in "abcdefg") + "</CR:filter>", None),
        ('<CR:filter test="allof">' + match("FN", "a") + match("EMAIL", "longer") + "</CR:filter>", ("longer",)),
        ('<CR:filter test="allof">' + match("TEL", "5") + "</CR:filter>", None),
    ],
)
def test_what_the_directory_is_searched_for(filters: str, expected: tuple[str, ...] | None) -> None:
    body = f'<CR:addressbook-query xmlns:CR="{CARDDAV}">{filters}</CR:addressbook-query>'
    assert directory_texts(addressbook_query(parse(body.encode())).filter) == expected


def test_a_query_gives_cards_without_pictures_and_multiget_with_them(client: DAVClient) -> None:
    asked = query(client, "<CR:filter>" + match("FN", "bee") + "</CR:filter>", properties="<CR:address-data/>")
    (card,) = asked.find("//CR:address-data")
    assert "FN:Bob" in card.text and "PHOTO" not in card.text
    (card,) = multiget(client, GATEWAY + "bob@example.com.vcf").find("//CR:address-data")
    assert "PHOTO" in card.text


def test_multiget_tells_of_what_is_missing(client: DAVClient) -> None:
    reply = multiget(client, GATEWAY + "nobody@example.com.vcf", "/dav/files/x", GATEWAY + "alice@example.com.vcf")
    stats = [each.text for each in reply.find("//D:response/D:status | //D:propstat/D:status")]
    assert ["404" in each for each in stats] == [True, True, False]


def test_answers_are_bounded(client: DAVClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 6352 §8.6.2."""
    limited = query(client, "<CR:filter/><CR:limit><CR:nresults>1</CR:nresults></CR:limit>")
    assert limited.hrefs == [GATEWAY, GATEWAY + "alice@example.com.vcf"]
    monkeypatch.setattr(books, "MOST_CARDS", 2)
    assert query(client, "<CR:filter/>").hrefs[0] == GATEWAY and len(query(client, "<CR:filter/>").hrefs) == 3
    for reply in (prop(client, GATEWAY, "D:getetag", "1"), client.request("GET", GATEWAY)):
        assert (reply.status, reply.condition) == (507, "{DAV:}number-of-matches-within-limits")
    assert prop(client, HOME, "D:resourcetype", "1").status == 207


def test_a_search_that_the_directory_cut_is_told(client: DAVClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "_MOST_ENTRIES", 2)
    assert query(client, "<CR:filter/>").find("//D:number-of-matches-within-limits")


def test_a_directory_that_is_down_is_no_empty_book(client: DAVClient, listed: Listed) -> None:
    prop(client, GATEWAY, "D:resourcetype")
    listed.outage = DirectoryDown()
    for reply in (
        client.request("GET", GATEWAY + "bob@example.com.vcf"),
        query(client, "<CR:filter>" + match("FN", "bee") + "</CR:filter>"),
        multiget(client, GATEWAY + "bob@example.com.vcf"),
        prop(client, GATEWAY, "D:getetag", "1"),
    ):
        assert reply.status == 503 and reply.headers["retry-after"]
    assert prop(client, HOME, "D:resourcetype", "1").status == 207
