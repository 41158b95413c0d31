"""L{trekd.web.setup.autoconfig}: Thunderbird's documents, over the real HTTP parser."""

from __future__ import annotations

import pytest
from lxml import etree

from tests.fakes.websetup import fetch, site

PLACES = ["/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml"]


def document(path: str, **rest: str) -> etree._Element:
    status, headers, body = fetch(site(), path, **rest)
    assert status == 200
    assert headers["content-type"] == "text/xml; charset=utf-8"
    return etree.fromstring(body)


def texts(place: etree._Element) -> dict[str, str | None]:
    return {str(each.tag): each.text for each in place}


@pytest.mark.parametrize("path", PLACES)
def test_mail_servers_in_the_order_of_preference(path: str) -> None:
    root = document(f"{path}?emailaddress=alice%40example.com")
    assert root.get("version") == "1.1"
    assert root.findtext("emailProvider/domain") == "example.com"
    (imap,) = root.iterfind("emailProvider/incomingServer")
    assert imap.get("type") == "imap"
    assert texts(imap) == {
        "hostname": "mail.example.net",
        "port": "993",
        "socketType": "SSL",
        "authentication": "password-cleartext",
        "username": "%EMAILADDRESS%",
    }
    ways = [(each.findtext("port"), each.findtext("socketType")) for each in root.iter("outgoingServer")]
    assert ways == [("465", "SSL"), ("587", "STARTTLS")]


def test_calendars_and_contacts() -> None:
    root = document(f"{PLACES[0]}?emailaddress=alice@example.com")
    for name, kind in (("addressBook", "carddav"), ("calendar", "caldav")):
        place = root.find(name)
        assert place is not None
        assert place.get("type") == kind
        assert texts(place) == {
            "username": "%EMAILADDRESS%",
            "authentication": "http-basic",
            "serverURL": "https://mail.example.net/dav/",
        }


@pytest.mark.parametrize("path", PLACES)
def test_no_address_is_told_from_another(path: str) -> None:
    answers = {fetch(site(), f"{path}?emailaddress={name}@example.com")[2] for name in ("alice", "nobody", "x'--")}
    assert len(answers) == 1


def test_without_an_address_the_name_of_the_site_tells_the_domain() -> None:
    root = document(PLACES[0], host="autoconfig.xn--bcher-kva.example")
    assert root.findtext("emailProvider/domain") == "xn--bcher-kva.example"


def test_names_are_a_labels() -> None:
    root = document(f"{PLACES[1]}?emailaddress=k%C3%A4the%40b%C3%BCcher.example")
    assert root.findtext("emailProvider/domain") == "xn--bcher-kva.example"


@pytest.mark.parametrize("address", ["alice@example.org", "alice", "%00@%00", "x@" + "y" * 500, "%ff@%ff"])
def test_other_domains_are_not_ours(address: str) -> None:
    status, _, body = fetch(site(), f"{PLACES[0]}?emailaddress={address}")
    assert status == 404
    assert b"mail.example.net" not in body


def test_it_can_only_be_read() -> None:
    status, headers, _ = fetch(site(), PLACES[0], method="POST")
    assert (status, headers["allow"]) == (405, "GET, HEAD")
    assert fetch(site(), PLACES[0], method="HEAD")[2] == b""


def test_only_services_that_listen() -> None:
    made = site('[listen]\nsubmissions = []\nhttps = ["tcp:8443"]\n')
    root = etree.fromstring(fetch(made, f"{PLACES[0]}?emailaddress=a@example.com")[2])
    assert [each.findtext("port") for each in root.iter("outgoingServer")] == ["587"]
    assert root.findtext("calendar/serverURL") == "https://mail.example.net:8443/dav/"
