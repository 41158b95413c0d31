"""L{trekd.web.setup.agents} and the second version of autoconfig: what drafts of the IETF ask for."""

from __future__ import annotations

import base64
import hashlib
import json

from lxml import etree

from tests.fakes.websetup import config, fetch, settings, site
from trekd.web.records import wanted
from trekd.web.setup.agents import configuration

PLACE = "/.well-known/user-agent-configuration.json"


def test_the_document_is_the_one_that_the_record_tells_of() -> None:
    status, headers, body = fetch(site(), PLACE, host="ua-auto-config.example.com")
    assert (status, headers["content-type"]) == (200, "application/json")
    records = {each.name: each for each in wanted(config(), "example.com", [], b"")}
    record = records["_ua-auto-config.example.com"]
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert record.value == f"v=UAAC1; a=sha256; d={digest}"
    assert record.is_optional


def test_what_is_in_it() -> None:
    found = json.loads(configuration(settings()))
    dav = {"url": "https://mail.example.net/dav/"}
    mail = {"host": "mail.example.net"}
    assert found["protocols"] == {"imap": mail, "smtp": mail, "caldav": dav, "carddav": dav, "webdav": dav}
    assert found["authentication"] == {"password": True}
    assert found["info"]["help"]["documentation"] == "https://mail.example.net/setup/"


def test_a_service_at_another_port_is_left_out() -> None:
    """The document cannot tell of it."""
    found = json.loads(configuration(settings('[listen]\nimaps = ["tcp:9993"]\nsubmissions = []\n')))
    assert sorted(found["protocols"]) == ["caldav", "carddav", "webdav"]


def test_version_1_2_of_autoconfig() -> None:
    status, headers, body = fetch(site(), "/.well-known/mail-v1.xml?emailaddress=alice@example.com")
    assert (status, headers["content-type"]) == (200, "text/xml; charset=utf-8")
    root = etree.fromstring(body)
    assert root.get("version") == "1.2"
    assert root.findtext("emailProvider/incomingServer/port") == "993"
    for name, kind in (("addressbook", "carddav"), ("calendar", "caldav"), ("fileShare", "webdav")):
        place = root.find(name)
        assert place is not None
        assert place.get("type") == kind
        assert place.findtext("url") == "https://mail.example.net/dav/"
        assert (place.findtext("authentication"), place.findtext("username")) == ("basic", "%EMAILADDRESS%")
    root = etree.fromstring(fetch(site(), "/.well-known/mail-v1.xml", host="xn--bcher-kva.example")[2])
    assert root.findtext("emailProvider/domain") == "xn--bcher-kva.example"
    assert fetch(site(), "/.well-known/mail-v1.xml?emailaddress=a@example.org")[0] == 404
