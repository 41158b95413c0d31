"""Time zones (RFC 5545 §3.3.5, §3.6.5)."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.unit.calendar.samples import BERLIN, at, octets
from trekd.calendar.contentlines import Component, parse
from trekd.calendar.times import FixedZone, Zone
from trekd.calendar.zones import ZoneTable, content_zone, named_zone
from trekd.errors import InvalidCalendar


def _table(text: str = BERLIN) -> ZoneTable:
    return ZoneTable(parse(octets(text)))


def _zones() -> list[Zone]:
    """The same place, by content and by name."""
    found = [_table().zone("Berlin by content"), named_zone("Europe/Berlin")]
    return [each for each in found if each is not None]


@pytest.mark.parametrize("zone", _zones(), ids=["content", "name"])
@pytest.mark.parametrize(
    ("local", "instant"),
    [
        ("20240115T120000", "20240115T110000"),
        ("20240715T120000", "20240715T100000"),
        ("20240331T015959", "20240331T005959"),
        ("20240331T023000", "20240331T013000"),
        ("20240331T030000", "20240331T010000"),
        ("20241027T015959", "20241026T235959"),
        ("20241027T023000", "20241027T003000"),
        ("20241027T030000", "20241027T020000"),
        ("20990715T120000", "20990715T100000"),
    ],
)
def test_gaps_and_folds(zone: Zone, local: str, instant: str) -> None:
    """RFC 5545 §3.3.5: in a gap by the offset before it; of two the first."""
    assert zone.seconds(datetime.strptime(local, "%Y%m%dT%H%M%S")) == at(instant)


@pytest.mark.parametrize("zone", _zones(), ids=["content", "name"])
def test_what_a_clock_shows(zone: Zone) -> None:
    assert zone.local(at("20240331T005959")) == datetime(2024, 3, 31, 1, 59, 59)
    assert zone.local(at("20240331T010000")) == datetime(2024, 3, 31, 3)
    assert zone.local(at("20241027T003000")) == datetime(2024, 10, 27, 2, 30)
    assert zone.local(at("20241027T013000")) == datetime(2024, 10, 27, 2, 30)


@pytest.mark.parametrize("zone", _zones(), ids=["content", "name"])
def test_the_ends_of_the_calendar(zone: Zone) -> None:
    for year in (1, 9999):
        zone.seconds(datetime(year, 1, 1))
        zone.seconds(datetime(year, 12, 31, 23, 59, 59))
    assert zone.local(-(10**12)).year == 1
    assert zone.local(10**12).year >= 9998


@pytest.mark.parametrize(
    ("tzid", "offset"),
    [
        ("Europe/Berlin", 3600),
        ("europe/berlin", 3600),
        ("W. Europe Standard Time", 3600),
        ("/freeassociation.sourceforge.net/Europe/Berlin", 3600),
        ("/freeassociation.sourceforge.net/Tzfile/Europe/Berlin", 3600),
        ("/mozilla.org/20050126_1/Europe/Berlin", 3600),
        ("/citadel.org/20211207_1/America/Argentina/Buenos_Aires", -10800),
        ("tzone://Microsoft/Utc", 0),
        ("UTC", 0),
        ("GMT+0530", 19800),
        ("(UTC-05:00) Somewhere", -18000),
        ("Central Standard Time", -21600),
    ],
)
def test_names_of_many_programs(tzid: str, offset: int) -> None:
    zone = named_zone(tzid)
    assert zone is not None
    assert zone.name == tzid
    assert zone.seconds(datetime(2024, 1, 15)) == at("20240115") - offset


@pytest.mark.parametrize(
    "tzid", ["", "Nowhere", "../../etc/passwd", "/etc/localtime", "localtime", "Europe", "\0", "ä"]
)
def test_names_that_say_nothing(tzid: str) -> None:
    assert named_zone(tzid) is None
    assert _table().zone(tzid) is None


def test_content_is_believed_before_the_name() -> None:
    text = BERLIN.replace("Berlin by content", "Europe/London")
    zone = _table(text).zone("Europe/London")
    assert zone is not None
    assert zone.seconds(datetime(2024, 1, 15)) == at("20240114T230000")


def test_content_that_says_nothing_gives_way_to_a_known_name() -> None:
    zone = _table("BEGIN:VTIMEZONE\nTZID:Asia/Tokyo\nEND:VTIMEZONE").zone("Asia/Tokyo")
    assert zone is not None
    assert zone.seconds(datetime(2024, 1, 15, 9)) == at("20240115")
    with pytest.raises(InvalidCalendar):
        _table("BEGIN:VTIMEZONE\nTZID:Mine\nEND:VTIMEZONE").zone("Mine")


def _zone(*observances: str) -> Component:
    return parse(("BEGIN:VTIMEZONE\nTZID:x\n" + "".join(observances) + "END:VTIMEZONE\n").encode())


def _observance(kind: str, lines: str) -> str:
    return f"BEGIN:{kind}\n{lines}\nEND:{kind}\n"


def test_observances_by_date_and_rules_that_ended() -> None:
    """As RFC 5545 §3.6.5 shows for New York: rules with UNTIL, and onsets one by one."""
    zone = content_zone(
        _zone(
            _observance("DAYLIGHT", "DTSTART:19760425T020000\nTZOFFSETFROM:-0500\nTZOFFSETTO:-0400\n"
                        "RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=-1SU;UNTIL=19860427T070000Z"),
            _observance("STANDARD", "DTSTART:19671029T020000\nTZOFFSETFROM:-0400\nTZOFFSETTO:-0500\n"
                        "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU;UNTIL=19861026T060000Z"),
            _observance("DAYLIGHT", "DTSTART:19900401T020000\nTZOFFSETFROM:-0500\nTZOFFSETTO:-0400\n"
                        "RDATE:19910407T020000,19920405T020000"),
        )
    )  # fmt: skip
    assert zone.seconds(datetime(1980, 7, 1)) == at("19800701T040000")
    assert zone.seconds(datetime(1986, 4, 27, 12)) == at("19860427T160000")
    assert zone.seconds(datetime(1987, 7, 1)) == at("19870701T050000")
    assert zone.seconds(datetime(1992, 4, 6)) == at("19920406T040000")
    assert zone.seconds(datetime(2060, 1, 1)) == at("20600101T040000")
    assert zone.seconds(datetime(1950, 1, 1)) == at("19500101T040000")


def test_a_zone_that_starts_in_1601() -> None:
    """As Outlook writes them."""
    zone = content_zone(
        _zone(
            _observance("STANDARD", "DTSTART:16010101T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\n"
                        "RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10"),
            _observance("DAYLIGHT", "DTSTART:16010101T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\n"
                        "RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3"),
        )
    )  # fmt: skip
    berlin = named_zone("Europe/Berlin")
    assert berlin is not None
    for month in range(1, 13):
        assert zone.seconds(datetime(2024, month, 28)) == berlin.seconds(datetime(2024, month, 28))


@pytest.mark.parametrize(
    "lines",
    [
        "DTSTART:20240101T000000\nTZOFFSETFROM:+2500\nTZOFFSETTO:+0100",
        "DTSTART:20240101T000000\nTZOFFSETFROM:0100\nTZOFFSETTO:+0100",
        "TZOFFSETFROM:+0100\nTZOFFSETTO:+0100",
        "DTSTART:20240101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nRRULE:FREQ=SECONDLY",
    ],
)
def test_content_that_is_refused(lines: str) -> None:
    with pytest.raises(InvalidCalendar):
        content_zone(_zone(_observance("STANDARD", lines)))


def test_fixed_zones() -> None:
    assert FixedZone("x", 3600).local(at("20240101")) == datetime(2024, 1, 1, 1)
