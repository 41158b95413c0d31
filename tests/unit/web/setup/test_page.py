"""L{trekd.web.setup.page}: the page for people, over the real HTTP parser."""

from __future__ import annotations

import re

import pytest
from lxml import etree, html

from tests.fakes.websetup import fetch, site


def shown(query: str = "", more: str = "") -> etree._Element:
    status, headers, body = fetch(site(more), f"/setup/{query}")
    assert status == 200
    assert headers["content-type"] == "text/html; charset=utf-8"
    return html.fromstring(body.decode())


def words(place: etree._Element) -> str:
    return " ".join("".join(map(str, place.itertext())).split())


def table(page: etree._Element, caption: str) -> dict[str, str]:
    """First cell to second, of the table with that caption."""
    found = next(each for each in page.iter("table") if caption in words(each))
    return {words(row[0]): words(row[1]) for row in found.iterfind(".//tbody/tr")}


def test_the_settings_of_an_address() -> None:
    page = shown("?address=Alice%40example.com")
    imap = table(page, "Incoming mail")
    assert imap["Server"] == "mail.example.net"
    assert (imap["Port"], imap["Security"], imap["User name"]) == ("993", "SSL/TLS", "Alice@example.com")
    smtp = table(page, "Outgoing mail")
    assert (smtp["Port"], smtp["Security"], smtp["If blocked"]) == ("465", "SSL/TLS", "port 587 with STARTTLS")
    dav = table(page, "Calendars, contacts")
    assert dav["Calendars, contacts"] == "https://mail.example.net/dav/"
    assert dav["Files"] == "https://mail.example.net/dav/files/alice@example.com/"


def test_before_an_address_is_typed() -> None:
    page = shown()
    assert table(page, "Incoming mail")["User name"] == "your full address"
    assert words(page).count("alice") == 0


def test_no_address_is_told_from_another() -> None:
    one, other = (fetch(site(), f"/setup/?address={name}@example.com")[2] for name in ("alice", "stranger"))
    assert one.replace(b"alice", b"stranger") == other


@pytest.mark.parametrize("typed", ["alice", "alice@example.org", "%22%3E%3Cscript%3Ealert(1)%3C/script%3E@example.com"])
def test_what_is_no_address_of_ours_is_said_so(typed: str) -> None:
    status, _, body = fetch(site(), f"/setup/?address={typed}")
    assert status == 400
    page = html.fromstring(body.decode())
    assert "not an address that is served here" in words(page)
    assert len(page.findall(".//script")) == 1
    assert table(page, "Incoming mail")["User name"] == "your full address"


def test_limits_of_every_plan() -> None:
    limits = shown(more="[plans.gold]\nconnections_per_ip = 0\nconnections_total = 0\n")
    rows = [[words(cell) for cell in row] for row in limits.iterfind(".//table[@class='card limits']/tbody/tr")]
    assert ["nano", "10", "15", "own SMTP provider only"] in rows
    assert ["pro", "50", "80", "yes"] in rows
    assert rows[-1][:3] == ["gold", "no limit", "no limit"]


def test_other_ports_are_shown() -> None:
    page = shown(more='[listen]\nhttps = ["tcp:8443"]\nsubmissions = []\nimaps = []\nimap = []\n')
    assert "port 8443" in words(page)
    assert "Incoming mail" not in words(page)
    assert table(page, "Outgoing mail")["Security"] == "STARTTLS"


def test_nothing_is_loaded_or_run_from_elsewhere() -> None:
    _, headers, body = fetch(site(), "/setup/")
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert headers["cache-control"] == "no-store"
    page = html.fromstring(body.decode())
    loaded = [each.get("src") or each.get("href") for each in (*page.iter("script"), *page.iter("link"))]
    for url in loaded:
        assert re.fullmatch(r"/setup/[a-z.]+\?[0-9a-f]{12}", url or "")
        status, fields, _ = fetch(site(), url or "")
        assert (status, fields["cache-control"]) == (200, "public, max-age=31536000, immutable")
    assert not [each for each in page.iter() if isinstance(each.tag, str) and each.get("style") is not None]


def test_the_way_to_the_page() -> None:
    assert b'href="/setup/"' in fetch(site(), "/")[2]
    status, headers, _ = fetch(site(), "/setup?address=a@example.com")
    assert (status, headers["location"]) == (307, "/setup/?address=a@example.com")
    assert fetch(site(), "/setup/page.html")[0] == fetch(site(), "/setup/../page.py")[0] == 404


def test_labels_for_those_who_do_not_see_it() -> None:
    page = shown("?address=alice@example.com")
    assert page.get("lang") == "en"
    for field in page.iter("input"):
        assert page.find(f".//label[@for='{field.get('id')}']") is not None
    for button in page.iterfind(".//button[@class='copy']"):
        assert button.get("aria-label")
        # Of no use without JavaScript, so it shows itself by it.
        assert button.get("hidden") is not None
        assert page.find(f".//*[@id='{button.get('data-of')}']") is not None
    identifiers = [each.get("id") for each in page.iter() if isinstance(each.tag, str) and each.get("id")]
    assert len(identifiers) == len(set(identifiers))
