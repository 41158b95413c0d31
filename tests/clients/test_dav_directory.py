"""The people of a private slapd as an address book of a started daemon."""

from __future__ import annotations

import http.client
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from tests.clients.daemon import Daemon
from tests.clients.test_ldap import configure
from tests.clients.vdirsyncer import Device
from tests.fakes.slapd import Person, Slapd, crowd
from trekd.calendar.vcard import read_card

PASSWORD = "correct horse"
ALICE = Person(
    "alice",
    PASSWORD,
    name="Alice Liddell",
    more={"telephoneNumber": ["+44 1865 276150"], "o": ["Christ Church"], "title": ["Reader"]},
)
BOB = Person("bob", PASSWORD, name="Bob Müller")
EVE = Person("eve", PASSWORD, mail=("eve@elsewhere.example",), name="Eve Elsewhere")
GATEWAY = "/dav/directory/"
SEARCH = """\
<CR:addressbook-query xmlns:D="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav">
  <D:prop><D:getetag/><CR:address-data version="{version}"/></D:prop>
  <CR:filter><CR:prop-filter name="{name}"><CR:text-match>{text}</CR:text-match></CR:prop-filter></CR:filter>
</CR:addressbook-query>"""


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    made = Slapd([ALICE, BOB, EVE])
    made.add_group("team", [ALICE.dn, BOB.dn], mail=["team@example.com"])
    yield made
    made.close()


@pytest.fixture(scope="module")
def daemon(slapd: Slapd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    made = Daemon(tmp_path_factory.mktemp("directory"))
    configure(made, slapd)
    made.start()
    yield made
    made.close()


class Client:
    """One connection of alice's, which logs in once."""

    def __init__(self, daemon: Daemon) -> None:
        port = daemon.ports["https"]
        self._connection = http.client.HTTPSConnection("localhost", port, context=daemon.client_tls, timeout=30)
        self._login = "Basic " + b64encode(f"alice@example.com:{PASSWORD}".encode()).decode()

    def ask(self, method: str, path: str, body: str = "", depth: str = "1") -> tuple[int, bytes]:
        headers = {"Authorization": self._login, "Depth": depth}
        self._connection.request(method, path, body.encode(), headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def search(self, name: str, text: str, version: str = "3.0") -> dict[str, str]:
        """Cards by their hrefs."""
        status, body = self.ask("REPORT", GATEWAY, SEARCH.format(name=name, text=text, version=version))
        assert status == 207, body
        spaces = {"D": "DAV:", "CR": "urn:ietf:params:xml:ns:carddav"}
        return {
            each.findtext("D:href", None, spaces): each.findtext(".//CR:address-data", "", spaces)
            for each in etree.fromstring(body).findall("D:response", spaces)
        }


@pytest.fixture
def client(daemon: Daemon) -> Client:
    return Client(daemon)


def test_people_are_found_by_name_and_address(client: Client) -> None:
    found = client.search("FN", "liddell")
    assert list(found) == [GATEWAY + "alice@example.com.vcf"]
    (text,) = found.values()
    assert {"FN:Alice Liddell", "EMAIL;TYPE=INTERNET,WORK:alice@example.com", "TITLE:Reader"} <= set(text.splitlines())
    assert "TEL;TYPE=WORK,VOICE:+44 1865 276150" in text and "ORG:Christ Church" in text
    assert list(client.search("EMAIL", "bob@")) == [GATEWAY + "bob@example.com.vcf"]
    assert list(client.search("FN", "MÜLLER")) == [GATEWAY + "bob@example.com.vcf"]
    assert list(client.search("TEL", "1865")) == [GATEWAY + "alice@example.com.vcf"]


def test_the_list_is_found_too_and_other_domains_are_not(client: Client) -> None:
    assert list(client.search("EMAIL", "team")) == [GATEWAY + "team@example.com.vcf"]
    assert client.search("FN", "Elsewhere") == {}
    assert client.ask("GET", GATEWAY + "eve@elsewhere.example.vcf")[0] == 404


def test_cards_are_cards_in_both_versions(client: Client) -> None:
    for version in ("3.0", "4.0"):
        for text in client.search("EMAIL", "example.com", version).values():
            assert read_card(text.encode()).version == version


def test_text_made_to_change_the_filter_finds_nobody(client: Client) -> None:
    for text in ("*", "*)(mail=*", "alice)(uid=*", "\\2a", "\x7f"):
        assert client.search("FN", text) == {}


def test_a_change_in_the_directory_is_seen_at_once(client: Client, slapd: Slapd) -> None:
    before = client.search("FN", "liddell")
    slapd.modify(ALICE.dn, title=["Writer"])
    try:
        assert "TITLE:Writer" in next(iter(client.search("FN", "liddell").values()))
    finally:
        slapd.modify(ALICE.dn, title=["Reader"])
    assert client.search("FN", "liddell") == before


def test_vdirsyncer_reads_it_as_one_more_book(daemon: Daemon, tmp_path: Path) -> None:
    device = Device(daemon, tmp_path, kind="carddav")
    device.discover()
    device.sync()
    found = device.items("directory")
    assert sorted(read_card(text.encode()).uid for text in found.values()) == [
        "alice@example.com",
        "bob@example.com",
        "team@example.com",
    ]
    told = device.sync()
    assert not any(word in told for word in ("Copying", "Deleting", "Updating")), told


def test_an_outage_is_no_empty_book_and_is_told_once(daemon: Daemon, slapd: Slapd, client: Client) -> None:
    client.search("FN", "liddell")
    seen = len(daemon.log)
    slapd.stop()
    try:
        for _ in range(3):
            assert client.ask("REPORT", GATEWAY, SEARCH.format(name="FN", text="a", version="3.0"))[0] == 503
        assert client.ask("GET", GATEWAY + "bob@example.com.vcf")[0] == 503
        assert client.ask("PROPFIND", "/dav/addressbooks/alice@example.com/")[0] == 207
        told = daemon.log[seen:]
        assert "Traceback" not in told
        assert len([line for line in told.splitlines() if slapd.tls_uri in line]) == 1, told
    finally:
        slapd.start()
    daemon.trekctl("directory", "flush")


def test_a_large_directory_is_searched_but_not_listed(tmp_path: Path) -> None:
    server = Slapd([ALICE, *crowd(1500)])
    daemon = Daemon(tmp_path)
    configure(daemon, server)
    daemon.start()
    try:
        client = Client(daemon)
        assert list(client.search("FN", "user 01234")) == [GATEWAY + "u01234@example.com.vcf"]
        status, body = client.ask("PROPFIND", GATEWAY)
        assert status == 507 and b"number-of-matches-within-limits" in body
        found = client.search("FN", "user")
        assert len(found) == 1001 and GATEWAY in found
    finally:
        daemon.close()
        server.close()
