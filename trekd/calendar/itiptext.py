"""
A message in words, for people whose programs do not understand it (RFC 6047 §2.4).
"""

from __future__ import annotations

from trekd.calendar.contentlines import Component, Property
from trekd.calendar.facts import mail_address
from trekd.calendar.itip import partstat, sequence
from trekd.calendar.itipreceived import Received
from trekd.calendar.timing import Timing, read_timing
from trekd.calendar.zones import ZoneTable
from trekd.errors import CollectionRefused

MOST = 2000
"""Characters of a description that are repeated."""

_ANSWERS = {"ACCEPTED": "Accepted", "DECLINED": "Declined", "TENTATIVE": "Tentative", "DELEGATED": "Delegated"}


def subject_and_text(message: Received) -> tuple[str, str]:
    """
    Subject and text of the mail that brings a message; the subject is one line.
    """
    found = message.found
    part = found.master or next(iter(found.parts.values()))
    title = _line(part, "SUMMARY") or "(no title)"
    lines = [_headline(message, part), ""]
    lines.append(f"What: {title}")
    when = _when(part, found.zones)
    if when:
        lines.append(f"When: {when}")
    if part.first("RRULE"):
        lines.append("It takes place several times.")
    if place := _line(part, "LOCATION"):
        lines.append(f"Where: {place}")
    if found.organizer_line is not None:
        lines.append(f"Organizer: {_name(found.organizer_line)}")
    if message.is_of_organizer:
        people = [_name(line) for line in part.every("ATTENDEE")][:50]
        lines += [f"With: {', '.join(people)}"] if people else []
        if description := part.first("DESCRIPTION"):
            lines += ["", _clean(description.text[:MOST], keep_lines=True)]
    return f"{_verb(message, part)}: {title}"[:200], "\n".join(lines) + "\n"


def _verb(message: Received, part: Component) -> str:
    if message.method == "CANCEL":
        return "Cancelled"
    if message.method == "REPLY":
        return _ANSWERS.get(partstat(message.respondent), "Answer")
    return "Invitation" if sequence(part) == 0 else "Updated invitation"


def _headline(message: Received, part: Component) -> str:
    if message.method == "CANCEL":
        return "This does not take place any more, or without you:"
    if message.method == "REPLY":
        who = _name(message.respondent) if message.respondent else "Somebody"
        return f"{who} has answered: {_ANSWERS.get(partstat(message.respondent), 'no decision yet')}."
    return "You are invited:" if sequence(part) == 0 else "Something has changed about this invitation:"


def _name(line: Property) -> str:
    address = mail_address(line.value) or line.value
    name = _clean(line.parameter("CN") or "")
    return _clean(f"{name} <{address}>" if name and name.lower() != address else address)


def _when(part: Component, zones: ZoneTable) -> str:
    try:
        timing: Timing = read_timing(part, zones)
    except CollectionRefused:
        return ""
    if timing.start is None:
        return ""
    start = timing.start
    if start.is_date:
        return f"{start.local:%A, %Y-%m-%d}, all day"
    zone = start.zone.name if start.zone else "local time"
    until = f" to {timing.end.local:%Y-%m-%d %H:%M}" if timing.end and not timing.end.is_date else ""
    return _clean(f"{start.local:%A, %Y-%m-%d %H:%M}{until} ({zone})")


def _line(part: Component, name: str) -> str:
    found = part.first(name)
    return "" if found is None else _clean(found.text[:300])


def _clean(text: str, keep_lines: bool = False) -> str:
    """Text that can be shown; on one line unless lines are kept."""
    kept = "".join(each if each.isprintable() or (keep_lines and each == "\n") else " " for each in text)
    return kept.strip() if keep_lines else " ".join(kept.split())
