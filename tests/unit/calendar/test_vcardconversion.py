"""L{trekd.calendar.vcardconversion}: what a card says in the other version."""

from __future__ import annotations

import pytest

from tests.unit.calendar.test_vcard import card
from trekd.calendar.contentlines import write
from trekd.calendar.vcard import card_of, read_card
from trekd.calendar.vcardconversion import converted

PAIRS = [
    ("UID:abc", "UID;VALUE=text:abc"),
    ("UID:urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1", "UID:urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1"),
    ("EMAIL;TYPE=INTERNET:a@x", "EMAIL:a@x"),
    ("EMAIL;TYPE=INTERNET,HOME,pref:a@x", "EMAIL;PREF=1;TYPE=HOME:a@x"),
    ("item1.TEL;TYPE=WORK,VOICE:+1 555", "item1.TEL;TYPE=WORK,VOICE:+1 555"),
    ("PHOTO;ENCODING=b;TYPE=JPEG:AAAA", "PHOTO:data:image/jpeg;base64,AAAA"),
    ("PHOTO;VALUE=uri;TYPE=GIF:http://x/y.gif", "PHOTO;MEDIATYPE=image/gif:http://x/y.gif"),
    ("SOUND;ENCODING=b;TYPE=OGG:AAAA", "SOUND:data:audio/ogg;base64,AAAA"),
    ("KEY;ENCODING=b;TYPE=PGP:AAAA", "KEY:data:application/pgp-keys;base64,AAAA"),
    ("LOGO;ENCODING=b:AAAA", "LOGO:data:application/octet-stream;base64,AAAA"),
    ("BDAY:1996-04-15", "BDAY:19960415"),
    ("BDAY;VALUE=date-time:1953-10-15T23:10:00Z", "BDAY:19531015T231000Z"),
    ("BDAY;X-APPLE-OMIT-YEAR=1604:1604-04-15", "BDAY:--0415"),
    ("ANNIVERSARY:2009-08-08", "ANNIVERSARY:20090808"),
    ("REV:1995-10-31T22:27:10Z", "REV:19951031T222710Z"),
    ("GEO:37.386013;-122.082932", "GEO:geo:37.386013,-122.082932"),
    ("TZ:-05:00", "TZ;VALUE=utc-offset:-0500"),
    ("TZ;VALUE=text:America/New_York", "TZ:America/New_York"),
    ("X-ADDRESSBOOKSERVER-KIND:group", "KIND:group"),
    ("X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:a", "MEMBER:urn:uuid:a"),
    ("AGENT;VALUE=uri:CID:1", "RELATED;TYPE=agent:CID:1"),
    ("IMPP:xmpp:a@x", "IMPP:xmpp:a@x"),
    (r"ADR;TYPE=HOME:;;1 Main\, St;City;;1;US", r"ADR;TYPE=HOME:;;1 Main\, St;City;;1;US"),
    ("item1.X-ABLABEL:_$!<Other>!$_", "item1.X-ABLABEL:_$!<Other>!$_"),
    ("GENDER:F", "GENDER:F"),
    ("RELATED;TYPE=friend:urn:uuid:a", "RELATED;TYPE=friend:urn:uuid:a"),
    ("CLASS:PUBLIC", "CLASS:PUBLIC"),
]


def over(octets: bytes, version: str) -> list[str]:
    """The lines of a card in another version."""
    return write(converted(read_card(octets), version)).decode().replace("\r\n ", "").splitlines()


def given(version: str, *lines: str) -> bytes:
    uid = "" if any(line.startswith("UID") for line in lines) else "urn:x"
    return card("N:Doe;John;;;", *lines, version=version, uid=uid)


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_properties_go_over_and_come_back(old: str, new: str) -> None:
    assert new in over(given("3.0", old), "4.0")
    assert old in over(given("4.0", new), "3.0")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("BDAY:19960415", "BDAY:19960415"),
        ("BDAY;VALUE=text:circa 1800", "BDAY;VALUE=text:circa 1800"),
        ("PHOTO;ENCODING=BASE64;JPEG:AA AA", "PHOTO:data:image/jpeg;base64,AAAA"),
        ("PHOTO;VALUE=binary;ENCODING=b;TYPE=image/png:AAAA", "PHOTO:data:image/png;base64,AAAA"),
        ("NOTE;CHARSET=UTF-8:x", "NOTE:x"),
        ("TEL;HOME;PREF:1", "TEL;TYPE=HOME;PREF=1:1"),
        ("GEO:nowhere", "GEO:nowhere"),
    ],
)
def test_other_spellings_of_3_0(old: str, new: str) -> None:
    assert new in over(given("3.0", old), "4.0")


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ("TEL;VALUE=uri;TYPE=cell:tel:+1-555", "TEL;TYPE=cell:+1-555"),
        ("BDAY:19531015T231000-0530", "BDAY;VALUE=date-time:1953-10-15T23:10:00-05:30"),
        ("BDAY:---15", "BDAY:---15"),
        ("EMAIL;PREF=3:a@x", "EMAIL;PREF=3;TYPE=INTERNET:a@x"),
        ("GEO:geo:1.5,2.5;u=10", "GEO:1.5;2.5"),
        ("PHOTO:data:image/svg,%3Csvg", "PHOTO;VALUE=uri:data:image/svg,%3Csvg"),
    ],
)
def test_other_spellings_of_4_0(new: str, old: str) -> None:
    assert old in over(given("4.0", new), "3.0")


@pytest.mark.parametrize(
    "line",
    [
        "BDAY:1985",
        "BDAY:1985-04",
        "BDAY:T102200",
        "BDAY:---12",
        "BDAY;VALUE=text:circa 1800",
        "TZ;VALUE=uri:http://tz",
        "RELATED;TYPE=agent,friend:urn:uuid:x",
        "PHOTO;TYPE=home:data:image/png;base64,AAAA",
        "ADR;ALTID=1;LANGUAGE=de:;;S;;;;",
        "EMAIL;PREF=2;TYPE=work:a@x",
        "CLIENTPIDMAP:1;urn:uuid:53e374d9",
        "KEY;MEDIATYPE=application/pgp-keys:ftp://x/k",
        "LANG;PREF=1:de",
    ],
)
def test_what_only_4_0_has_is_not_lost(line: str) -> None:
    assert line in over("\r\n".join(over(given("4.0", line), "3.0")).encode(), "4.0")


def test_several_types_in_one_quoted_value() -> None:
    """RFC 6350 §5.6 and its examples."""
    assert "TEL;TYPE=voice,home:+1" in over(given("4.0", 'TEL;TYPE="voice,home":+1'), "3.0")


def test_a_label_goes_into_its_address() -> None:
    """RFC 6350 §6.3.1."""
    old = given("3.0", "ADR;TYPE=WORK:;;W;;;;", "ADR;TYPE=HOME:;;H;;;;", "LABEL;TYPE=home:Hill 1\\nTown", "LABEL:Rest")
    new = over(old, "4.0")
    assert "ADR;TYPE=HOME;LABEL=Hill 1^nTown:;;H;;;;" in new and "ADR;TYPE=WORK:;;W;;;;" in new
    assert "ADR;LABEL=Rest:;;;;;;" in new
    back = over("\r\n".join(new).encode(), "3.0")
    assert {"LABEL;TYPE=HOME:Hill 1\\nTown", "LABEL:Rest", "ADR;TYPE=HOME:;;H;;;;"} <= set(back)
    assert not any("LABEL=" in line for line in back) and sum(line.startswith("ADR") for line in back) == 2


def test_sorting_goes_over() -> None:
    old = given("3.0", "SORT-STRING:Duh")
    assert "N;SORT-AS=Duh:Doe;John;;;" in over(old, "4.0")
    assert "SORT-STRING:Duh" in over("\r\n".join(over(old, "4.0")).encode(), "3.0")


def test_each_version_has_the_name_that_it_needs() -> None:
    """RFC 2426 §3.1.2, RFC 6350 §6.2.1."""
    assert "FN:Dr. John Doe" in over(card(name="N:Doe;John;;Dr.;"), "4.0")
    assert "N:Acme Inc.;;;;" in over(card(name="FN:Acme Inc.", version="4.0"), "3.0")


def test_the_version_comes_first() -> None:
    """RFC 6350 §6.7.9."""
    octets = card().replace(b"VERSION:3.0\r\n", b"").replace(b"END:", b"VERSION:3.0\r\nEND:")
    assert over(octets, "4.0")[1] == "VERSION:4.0"


def test_the_own_version_is_not_touched() -> None:
    found = read_card(card("PHOTO;BASE64:AA"))
    assert converted(found, "3.0") is found.tree


def test_what_comes_out_is_a_card() -> None:
    for version in ("3.0", "4.0"):
        found = card_of(converted(read_card(given("3.0", *(old for old, _ in PAIRS[2:]))), version))
        assert (found.version, found.uid) == (version, "urn:x")
