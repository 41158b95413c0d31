"""L{trekd.web.setup.autodiscover}: both versions of Autodiscover, over the real HTTP parser."""

from __future__ import annotations

import base64
import json

import pytest
from lxml import etree
from twisted.logger import capturedLogs

from tests.fakes.websetup import fetch, site

ANSWER = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"
ENVELOPE = "{http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006}"
REQUEST = """<?xml version="1.0" encoding="utf-8"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006">
<Request><EMailAddress>{address}</EMailAddress>
<AcceptableResponseSchema>{schema}</AcceptableResponseSchema></Request></Autodiscover>"""
BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "x" * 10}">' for n in range(12))


def post(body: str | bytes, path: str = "/autodiscover/autodiscover.xml", *headers: str) -> etree._Element:
    octets = body if isinstance(body, bytes) else body.encode()
    status, fields, answer = fetch(site(), path, "Content-Type: text/xml", *headers, method="POST", body=octets)
    assert status == 200
    assert fields["content-type"] == "text/xml; charset=utf-8"
    return etree.fromstring(answer)


def asking(address: str = "alice@example.com", schema: str = ANSWER[1:-1]) -> str:
    return REQUEST.format(address=address, schema=schema)


def protocols(root: etree._Element) -> list[dict[str, str | None]]:
    return [{etree.QName(each).localname: each.text for each in place} for place in root.iter(f"{ANSWER}Protocol")]


def error(root: etree._Element) -> str | None:
    return root.findtext(f"{ENVELOPE}Response/{ENVELOPE}Error/{ENVELOPE}ErrorCode")


@pytest.mark.parametrize(
    "path", ["/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml", "/AUTODISCOVER/AutoDiscover.XML"]
)
def test_settings_in_any_letter_case(path: str) -> None:
    imap, smtp = protocols(post(asking(), path))
    common = {"Server": "mail.example.net", "LoginName": "alice@example.com", "SPA": "off", "SSL": "on"}
    more = {"AuthRequired": "on", "DomainRequired": "off", "Encryption": "SSL"}
    assert imap == {"Type": "IMAP", "Port": "993", **common, **more}
    assert smtp == {"Type": "SMTP", "Port": "465", "UsePOPAuth": "off", "SMTPLast": "off", **common, **more}


def test_starttls_where_there_is_nothing_better() -> None:
    made = site('[listen]\nsubmissions = []\n')
    answer = fetch(made, "/autodiscover/autodiscover.xml", method="POST", body=asking().encode())[2]
    smtp = protocols(etree.fromstring(answer))[1]
    assert (smtp["Port"], smtp["Encryption"]) == ("587", "TLS")


def test_no_address_is_told_from_another_and_credentials_do_not_matter() -> None:
    known, unknown = (etree.tostring(post(asking(f"{name}@example.com"))) for name in ("alice", "nobody"))
    assert known.replace(b"alice", b"nobody") == unknown
    credentials = base64.b64encode(b"alice@example.com:tops3cret").decode()
    with capturedLogs() as events:
        answer = post(asking(), "/autodiscover/autodiscover.xml", f"Authorization: Basic {credentials}")
    assert etree.tostring(answer) == known
    assert not any(word in str(event) for event in events for word in ("tops3cret", credentials))
    assert any(event.get("code") == 200 for event in events)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0\xff",
        b"<a/>",
        "<a>" * 1000,
        REQUEST.replace("EMailAddress", "EMail"),
        f"<!DOCTYPE a [{BOMB}]>" + asking("&e11;@example.com").partition("?>")[2],
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + asking("&x;").partition("?>")[2],
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd">' + asking().partition("?>")[2],
        "<a " + " ".join(f'x{n}=""' for n in range(5000)) + "/>",
    ],
)
def test_bad_requests(body: str | bytes) -> None:
    """Entities and other documents are not read; what is wrong with XML is always the same code."""
    assert error(post(body)) == "600"


def test_other_protocols_and_domains() -> None:
    mobile = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"
    assert error(post(asking(schema=mobile))) == "601"
    assert error(post(asking("alice@example.org"))) == "500"
    assert error(post(asking("&lt;script&gt;@example.com"))) == "500"


def test_a_get_is_an_invalid_request() -> None:
    """Outlook looks for redirects so."""
    assert b"<ErrorCode>600<" in fetch(site(), "/autodiscover/autodiscover.xml")[2]


@pytest.mark.parametrize(
    "path",
    [
        "/autodiscover/autodiscover.json?Email=alice%40example.com&Protocol=AutodiscoverV1",
        "/Autodiscover/Autodiscover.json?protocol=Autodiscoverv1&RedirectCount=1",
        "/autodiscover/autodiscover.json/v1.0/nobody@example.com?Protocol=AutodiscoverV1",
    ],
)
def test_version_2_says_where_version_1_is(path: str) -> None:
    status, headers, body = fetch(site(), path)
    assert (status, headers["content-type"]) == (200, "application/json")
    url = "https://mail.example.net/autodiscover/autodiscover.xml"
    assert json.loads(body) == {"Protocol": "AutodiscoverV1", "Url": url}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?Protocol=ActiveSync", "InvalidProtocol"),
        ("", "MandatoryParameterMissing"),
        ("?Protocol=", "MandatoryParameterMissing"),
    ],
)
def test_other_protocols_of_version_2(query: str, code: str) -> None:
    status, _, body = fetch(site(), f"/autodiscover/autodiscover.json{query}")
    assert (status, json.loads(body)["ErrorCode"]) == (400, code)


def test_nothing_else_is_there() -> None:
    for path in ("/autodiscover/", "/autodiscover", "/autodiscover/x.xml"):
        assert fetch(site(), path)[0] == 404
