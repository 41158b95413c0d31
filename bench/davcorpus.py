"""Events and contacts to measure with: always the same ones for a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

FIRST = datetime(2025, 1, 6, tzinfo=UTC)
DAYS = 3 * 365
WEEK = (datetime(2026, 6, 8, tzinfo=UTC), datetime(2026, 6, 15, tzinfo=UTC))
"""The week that is asked for, in the middle of all."""
RECURRING = 20
"""One event in so many recurs."""

WORDS = ("budget", "review", "planning", "customer", "release", "design", "travel", "interview", "training", "workshop")
NAMES = ("Ada", "Alan", "Barbara", "Claude", "Donald", "Edsger", "Frances", "Grace", "Hedy", "Katherine", "Margaret")
SURNAMES = ("Allen", "Backus", "Dijkstra", "Goldberg", "Hamilton", "Hopper", "Johnson", "Knuth", "Perlman", "Turing")

ZONE = """BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:DAYLIGHT
DTSTART:19810329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:19961027T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
"""
RULES = ("FREQ=WEEKLY", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH", "FREQ=MONTHLY;BYDAY=1MO", "FREQ=DAILY;COUNT=200")


def events(count: int, seed: int = 1) -> Iterator[tuple[str, bytes]]:
    """Names and octets; one in L{RECURRING} recurs, in a zone of its own, and some are moved or left out once."""
    source = random.Random(seed)
    for number in range(count):
        begin = FIRST + timedelta(days=source.randrange(DAYS), minutes=15 * source.randrange(28, 72))
        end = begin + timedelta(minutes=source.choice((30, 60, 90)))
        times = f"DTSTART:{begin:%Y%m%dT%H%M%SZ}\nDTEND:{end:%Y%m%dT%H%M%SZ}\n"
        zone = ""
        if number % RECURRING == 0:
            rule = RULES[(number // RECURRING) % len(RULES)]
            begin -= timedelta(days=200)
            times = f"DTSTART;TZID=Europe/Berlin:{begin:%Y%m%dT%H%M%S}\nDURATION:PT1H\nRRULE:{rule}\n"
            zone = ZONE
        yield f"e{number}.ics", _calendar(number, times, zone, source)


def _calendar(number: int, times: str, zone: str, source: random.Random) -> bytes:
    summary = f"{source.choice(WORDS)} {source.choice(WORDS)} {number}"
    lines = (
        f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//bench//EN\n{zone}BEGIN:VEVENT\nUID:e{number}@bench.example\n"
        f"DTSTAMP:20250101T000000Z\n{times}SUMMARY:{summary}\nLOCATION:Room {source.randrange(40)}\n"
        f"DESCRIPTION:{' '.join(source.choices(WORDS, k=20))}\n"
        f"ORGANIZER:mailto:bench@example.com\nSTATUS:CONFIRMED\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    return _wire(lines)


def changed(body: bytes, turn: int) -> bytes:
    """An event with another place."""
    return body.replace(b"LOCATION:", b"LOCATION:%d " % turn)


def contacts(count: int, seed: int = 2) -> Iterator[tuple[str, bytes]]:
    """Names and octets."""
    source = random.Random(seed)
    for number in range(count):
        given, surname = source.choice(NAMES), source.choice(SURNAMES)
        lines = (
            f"BEGIN:VCARD\nVERSION:3.0\nUID:c{number}@bench.example\nFN:{given} {surname} {number}\n"
            f"N:{surname};{given};;;\nEMAIL;TYPE=WORK:{given}.{surname}.{number}@example.org\n"
            f"TEL;TYPE=CELL:+49 30 {source.randrange(10**7):07}\nORG:{source.choice(WORDS)} Ltd\n"
            f"NOTE:{' '.join(source.choices(WORDS, k=10))}\nEND:VCARD\n"
        )
        yield f"c{number}.vcf", _wire(lines)


def _wire(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()
