"""Calendar objects for tests, written the short way."""

from __future__ import annotations

from datetime import UTC, datetime

from trekd.calendar.objects import CalendarObject, read_calendar_object

BERLIN = """BEGIN:VTIMEZONE
TZID:Berlin by content
BEGIN:DAYLIGHT
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
DTSTART:19810329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
DTSTART:19961027T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
"""


def octets(text: str) -> bytes:
    """Lines of components as a VCALENDAR."""
    lines = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Test//EN\n{text.strip()}\nEND:VCALENDAR\n"
    return lines.replace("\n", "\r\n").encode()


def component(kind: str, lines: str, uid: str = "1") -> str:
    """One component with a UID."""
    return f"BEGIN:{kind}\nUID:{uid}\n{lines.strip()}\nEND:{kind}\n"


def event(lines: str, *others: str) -> CalendarObject:
    """A VEVENT, and overrides or zones beside it."""
    overrides = "".join(each if each.startswith("BEGIN:") else component("VEVENT", each) for each in others)
    return read_calendar_object(octets(component("VEVENT", lines) + overrides))


def single(kind: str, lines: str) -> CalendarObject:
    """An object of one component."""
    return read_calendar_object(octets(component(kind, lines)))


def at(text: str) -> int:
    """C{20240131T101500} in UTC, or a date, as Unix seconds."""
    form = "%Y%m%dT%H%M%S" if "T" in text else "%Y%m%d"
    return int(datetime.strptime(text, form).replace(tzinfo=UTC).timestamp())
