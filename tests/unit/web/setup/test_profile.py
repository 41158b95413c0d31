"""L{trekd.web.setup.profile} and L{trekd.web.setup.codes}: what is made for one address."""

from __future__ import annotations

import plistlib
from typing import Any

import pytest
from lxml import etree

from tests.fakes.websetup import fetch, site
from trekd.web.setup.codes import code

PLACE = "/setup/apple.mobileconfig?address="


def parts(address: str = "alice@example.com", more: str = "") -> dict[str, Any]:
    """Payloads by their kinds, and the profile itself."""
    status, headers, body = fetch(site(more), PLACE + address)
    assert status == 200
    assert headers["content-type"] == "application/x-apple-aspen-config"
    assert headers["content-disposition"] == 'attachment; filename="mail.example.net.mobileconfig"'
    whole = plistlib.loads(body)
    return {each["PayloadType"]: each for each in (whole, *whole["PayloadContent"])}


def test_mail_calendars_and_contacts() -> None:
    found = parts("Alice%40example.com")
    mail = found["com.apple.mail.managed"]
    assert mail["EmailAddress"] == "Alice@example.com"
    for prefix, port in (("Incoming", 993), ("Outgoing", 465)):
        assert mail[f"{prefix}MailServerHostName"] == "mail.example.net"
        assert mail[f"{prefix}MailServerPortNumber"] == port
        assert mail[f"{prefix}MailServerUseSSL"] is True
        assert mail[f"{prefix}MailServerUsername"] == "Alice@example.com"
        assert mail[f"{prefix}MailServerAuthentication"] == "EmailAuthPassword"
    for name in ("CalDAV", "CardDAV"):
        dav = found[f"com.apple.{name.lower()}.account"]
        assert (dav[f"{name}HostName"], dav[f"{name}Port"], dav[f"{name}UseSSL"]) == ("mail.example.net", 443, True)
        assert dav[f"{name}Username"] == "Alice@example.com"


def test_there_is_no_password_in_it() -> None:
    values = [(name, value) for each in parts().values() for name, value in each.items() if "Password" in name]
    assert values == [("OutgoingPasswordSameAsIncomingPassword", True)]


def test_identifiers_are_stable_and_of_one_address_each() -> None:
    """A profile that is installed again replaces the old one, with whatever ports."""
    first = {kind: each["PayloadUUID"] for kind, each in parts().items()}
    assert first == {kind: each["PayloadUUID"] for kind, each in parts("ALICE@example.com").items()}
    moved = parts(more='[listen]\nimaps = ["tcp:9993"]\n')
    assert first == {kind: each["PayloadUUID"] for kind, each in moved.items()}
    assert len(set(first.values())) == 4
    assert not set(first.values()) & {each["PayloadUUID"] for each in parts("bob@example.com").values()}
    identifiers = [each["PayloadIdentifier"] for each in parts().values()]
    assert all(each.startswith("net.example.mail.") for each in identifiers)
    assert len(set(identifiers)) == 4


def test_without_a_way_to_send_there_is_no_mail() -> None:
    assert "com.apple.mail.managed" not in parts(more="[listen]\nsubmissions = []\nsubmission = []\n")


def test_it_is_signed_where_it_can_be() -> None:
    body = fetch(site(sign=lambda octets: b"signed " + octets), PLACE + "alice@example.com")[2]
    assert body.startswith(b"signed <?xml")


@pytest.mark.parametrize("name", ["apple.mobileconfig", "apple.svg", "page.svg"])
@pytest.mark.parametrize("address", ["", "alice", "alice@example.org", "%3C@example.com"])
def test_only_for_addresses_of_ours(name: str, address: str) -> None:
    assert fetch(site(), f"/setup/{name}?address={address}")[0] == 404
    assert fetch(site(), f"/setup/{name}?address=alice@example.com", method="POST")[0] == 405


def test_codes_are_pictures() -> None:
    status, headers, body = fetch(site(), "/setup/page.svg?address=alice@example.com")
    assert (status, headers["content-type"]) == (200, "image/svg+xml")
    assert etree.QName(etree.fromstring(body)).localname == "svg"
    assert body == code("https://mail.example.net/setup/?address=alice%40example.com")
    other = fetch(site(), "/setup/apple.svg?address=alice@example.com")[2]
    assert other == code("https://mail.example.net/setup/apple.mobileconfig?address=alice%40example.com")
    longest = "x" * 64 + "@" + ".".join(["y" * 60] * 4)
    assert etree.fromstring(code(f"https://mail.example.net/setup/?address={longest}")) is not None


def test_a_fault_shows_nothing_of_the_inside() -> None:
    def sign(octets: bytes) -> bytes:
        raise RuntimeError("secret")

    status, _, body = fetch(site(sign=sign), PLACE + "alice@example.com")
    assert status == 500
    assert b"secret" not in body
