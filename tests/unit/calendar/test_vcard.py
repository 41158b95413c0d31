"""L{trekd.calendar.vcard}: what a card is, what of it is searched for."""

from __future__ import annotations

import pytest

from trekd.calendar.contentlines import write
from trekd.calendar.vcard import MOST_CHARACTERS, MOST_VALUES, card_facts, read_card, split_cards
from trekd.errors import InvalidCard, SyntaxFault, UnsupportedCard


def card(*lines: str, version: str = "3.0", uid: str = "1", name: str = "FN:Ann") -> bytes:
    """A card's octets."""
    given = [f"VERSION:{version}" if version else "", f"UID:{uid}" if uid else "", name, *lines]
    return "\r\n".join(["BEGIN:VCARD", *filter(None, given), "END:VCARD", ""]).encode()


def test_a_card_says_its_version_and_uid() -> None:
    """RFC 6352 §5.1."""
    found = read_card(card(version="4.0", uid="urn:uuid:4fbe8971"))
    assert (found.version, found.uid) == ("4.0", "urn:uuid:4fbe8971")


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "component"),
        (b"hello", "name and colon"),
        (b"\xff\xfe", "UTF-8"),
        (card() + card(uid="2"), "one component"),
        (card().replace(b"END:VCARD", b"END:VCALENDAR"), "END:VCARD"),
        (b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n", "no VCARD"),
        (card(uid=""), "no UID"),
        (card("UID:2"), "two UIDs"),
        (card(uid=" "), "no UID"),
        (card(version=""), "no VERSION"),
        (card("VERSION:4.0"), "two VERSIONs"),
        (card(name=""), "no FN"),
        (card("BEGIN:VCARD", "END:VCARD"), "inside"),
        (card(*["X:1"] * 20_001), "lines"),
    ],
)
def test_what_is_no_card_is_refused_with_a_reason(octets: bytes, reason: str) -> None:
    """RFC 6352 §6.3.2.1, valid-address-data."""
    with pytest.raises(InvalidCard) as caught:
        read_card(octets)
    assert reason in caught.value.reason


def test_other_versions_are_not_supported() -> None:
    """RFC 6352 §6.3.2.1, supported-address-data."""
    with pytest.raises(UnsupportedCard):
        read_card(card(version="2.1"))


def test_a_name_in_parts_is_name_enough() -> None:
    assert read_card(card(name="N:Doe;John;;;")).uid == "1"


@pytest.mark.parametrize(
    ("version", "lines"),
    [
        ("4.0", ("KIND:group", "MEMBER:urn:uuid:a", "MEMBER:urn:uuid:b")),
        (
            "3.0",
            (
                "X-ADDRESSBOOKSERVER-KIND:group",
                "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:a",
                "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:b",
            ),
        ),
    ],
)
def test_a_group_knows_its_members(version: str, lines: tuple[str, ...]) -> None:
    """RFC 6350 §6.1.4 and §6.6.5, and what Apple writes in 3.0."""
    found = read_card(card(*lines, version=version))
    assert (found.is_group, found.members) == (True, ("urn:uuid:a", "urn:uuid:b"))
    assert not read_card(card("KIND:individual", version="4.0")).is_group


# --- Facts ----------------------------------------------------------------------------------------


def test_facts_hold_each_text_folded_under_its_name_without_group() -> None:
    found = card_facts(read_card(card("item1.EMAIL;TYPE=home:Ann@Straße.example", r"NOTE:One\, two\nthree")))
    assert ("EMAIL", "ann@strasse.example") in found.texts
    assert ("NOTE", "one, two\nthree") in found.texts
    assert (found.component, found.uid) == ("VCARD", "1")


@pytest.mark.parametrize(
    "line",
    [
        "PHOTO;ENCODING=b;TYPE=JPEG:AAAA",
        "X-FACE:data:image/png;base64,AAAA",
        "NOTE:" + "x" * (MOST_CHARACTERS + 1),
    ],
)
def test_facts_tell_of_what_is_not_in_the_index(line: str) -> None:
    name = line.partition(":")[0].partition(";")[0]
    found = dict(card_facts(read_card(card(line))).texts)
    assert (found[name], found["~" + name]) == ("", "")


def test_facts_of_many_values_and_names_are_bounded() -> None:
    lines = [f"X-{number}:v" for number in range(1000)] + [f"EMAIL:{number}@x" for number in range(1000)]
    found = card_facts(read_card(card("EMAIL:first@x", *lines))).texts
    assert len(found) < 300
    assert {("~", ""), ("~EMAIL", ""), ("EMAIL", "first@x")} <= set(found)
    assert sum(name == "EMAIL" for name, _ in found) == MOST_VALUES + 1


# --- Many -----------------------------------------------------------------------------------------


def test_a_file_is_split_into_its_cards() -> None:
    found = list(split_cards(card(uid="1") + card(uid="") + card(version="2.1")))
    assert [each.card.uid if each.card else "" for each in found][::2] == ["1", ""]
    made = found[1]
    assert made.card is not None and read_card(made.octets).uid == made.card.uid
    assert made.card.uid.startswith("urn:uuid:")
    assert isinstance(found[2].fault, UnsupportedCard)


def test_a_made_uid_is_the_same_each_time() -> None:
    (one,), (two,) = split_cards(card(uid="")), split_cards(card(uid=""))
    assert one.octets == two.octets


def test_a_file_that_is_none_gives_nothing() -> None:
    with pytest.raises(SyntaxFault):
        list(split_cards(card() + b"junk"))


def test_what_is_sent_is_what_is_written() -> None:
    octets = card("item1.X-ABLABEL:_$!<Home>!$_", "ADR;TYPE=HOME;LABEL=a^nb:;;S;C;;1;D")
    assert write(read_card(octets).tree) == octets
