"""
Properties of scheduling: whatever organizer and attendees do, copies end up alike, and no octets raise the unexpected.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from trekd.calendar.contentlines import parse, write
from trekd.calendar.itip import Scheduled, attendee_line, is_cancelled, partstat, read_scheduled
from trekd.calendar.itipattendee import attendee_change
from trekd.calendar.itiporganizer import essence, organizer_change
from trekd.calendar.itipreceived import applied, read_message, replied
from trekd.calendar.itipviews import view
from trekd.calendar.recurrence import instances
from trekd.errors import CollectionRefused

BOSS, ANN, BEN = "boss@example.com", "ann@example.com", "ben@example.com"
STARTS = [f"202703{day:02}T100000Z" for day in (1, 8, 15, 22)]

STATES = st.fixed_dictionaries(
    {
        "summary": st.sampled_from(["Tea", "Cake"]),
        "hour": st.integers(8, 12),
        "attendees": st.sets(st.sampled_from([ANN, BEN])),
        "removed": st.sets(st.sampled_from(STARTS[1:]), max_size=2),
        "exceptions": st.dictionaries(
            st.sampled_from(STARTS[1:]), st.sets(st.sampled_from([ANN, BEN])), max_size=2
        ),
    }
)


def built(state: dict[str, Any] | None) -> Scheduled | None:
    """An organizer's object."""
    if state is None:
        return None
    hour = f"T{state['hour']:02}0000Z"
    master = ["RRULE:FREQ=WEEKLY;COUNT=4", *(f"EXDATE:{start[:8]}{hour}" for start in sorted(state["removed"]))]
    parts = [_part(state["summary"], f"20270301{hour}", state["attendees"], master)]
    for start, people in sorted(state["exceptions"].items()):
        if start not in state["removed"]:
            rid = start[:8] + hour
            parts.append(_part("Exception", rid, people, [f"RECURRENCE-ID:{rid}"]))
    text = "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *parts, "END:VCALENDAR", ""])
    return read_scheduled(parse(text.encode()))


def _part(summary: str, start: str, people: set[str], lines: list[str]) -> str:
    attendees = [f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{each}" for each in sorted(people)]
    head = ["BEGIN:VEVENT", "UID:1", f"ORGANIZER:mailto:{BOSS}", f"SUMMARY:{summary}", f"DTSTART:{start}"]
    return "\r\n".join([*head, "DURATION:PT1H", *attendees, *lines, "END:VEVENT"])


@given(st.lists(st.none() | STATES, min_size=1, max_size=6))
@settings(max_examples=80, deadline=None)
def test_an_attendees_copy_follows_the_organizers(states: list[dict[str, Any] | None]) -> None:
    """After every change what an attendee is invited to is what its copy says takes place."""
    current: Scheduled | None = None
    copies: dict[str, Scheduled | None] = {ANN: None, BEN: None}
    for number, state in enumerate(states):
        change = organizer_change(current, built(state), frozenset((BOSS,)), 1_800_000_000 + number)
        for outgoing in change.messages:
            for who in outgoing.recipients:
                message = read_message(write(outgoing.calendar))
                result = applied(copies[who], message, frozenset((who,)))
                copies[who] = result.found if result else copies[who]
        current = change.found
        for who, copy in copies.items():
            assert _taking_place(copy) == _invited(current, who), (number, who)


def _invited(found: Scheduled | None, who: str) -> dict[int, object]:
    if found is None:
        return {}
    keys = found.attendees.get(who, [])
    if not keys:
        return {}
    return _taking_place(found.with_parts(view(found, keys)))


def _taking_place(found: Scheduled | None) -> dict[int, object]:
    """Start of each instance and its title."""
    if found is None or not found.parts:
        return {}
    return {
        each.start: each.timing.component.value("SUMMARY")
        for each in instances(found.understood())
        if not is_cancelled(each.timing.component)
    }


@given(st.lists(st.sampled_from(["ACCEPTED", "DECLINED", "TENTATIVE"]), max_size=5), st.data())
@settings(max_examples=60, deadline=None)
def test_the_last_answer_counts_in_whatever_order_they_come(
    answers: list[str], data: st.DataObject
) -> None:
    found = built({"summary": "Tea", "hour": 10, "attendees": {ANN}, "removed": set(), "exceptions": {}})
    assert found is not None
    invitation = organizer_change(None, found, frozenset((BOSS,)), 1_800_000_000)
    first = applied(None, read_message(write(invitation.messages[0].calendar)), frozenset((ANN,)))
    assert first is not None
    copy, messages, last = first.found, [], "NEEDS-ACTION"
    for number, status in enumerate(answers):
        line = attendee_line(next(iter(copy.parts.values())), frozenset((ANN,)))
        assert line is not None
        text = write(copy.calendar).replace(f"PARTSTAT={partstat(line)}".encode(), f"PARTSTAT={status}".encode())
        change = attendee_change(copy, read_scheduled(parse(text)), frozenset((ANN,)), 1_800_000_100 + number)
        messages += [read_message(write(each.calendar)) for each in change.messages]
        assert change.found is not None
        copy, last = change.found, status
    for message in data.draw(st.permutations(messages)):
        found = replied(found, message) or found
    assert found.master is not None
    assert partstat(attendee_line(found.master, frozenset((ANN,)))) == last
    assert found.master and essence(found.master)


@given(st.binary(max_size=400) | st.lists(st.sampled_from([
    "METHOD:REPLY", "METHOD:REQUEST", "METHOD:ADD", "METHOD:CANCEL", "BEGIN:VEVENT", "END:VEVENT", "UID:1",
    "SEQUENCE:x", "RECURRENCE-ID:20270301T100000Z", "RECURRENCE-ID:no", "DTSTART:20270301T100000Z",
    f"ORGANIZER:mailto:{BOSS}",
    f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{ANN}", "ATTENDEE:", "EXDATE:x", "RRULE:FREQ=SECONDLY", "STATUS:CANCELLED",
]), max_size=20).map(lambda lines: "\r\n".join(["BEGIN:VCALENDAR", *lines, "END:VCALENDAR", ""]).encode()))  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_no_message_raises_the_unexpected(octets: bytes) -> None:
    copy = built({"summary": "Tea", "hour": 10, "attendees": {ANN}, "removed": set(), "exceptions": {}})
    assert copy is not None
    try:
        message = read_message(octets)
        applied(copy, message, frozenset((ANN,)))
        applied(None, message, frozenset((ANN,)))
        replied(copy, message)
    except CollectionRefused:
        pass
