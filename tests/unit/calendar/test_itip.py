"""Scheduling messages: what changes come to, and what messages make of copies (RFC 5546, RFC 6638)."""

from __future__ import annotations

import pytest

from trekd.calendar.contentlines import Component, parse, write
from trekd.calendar.itip import (
    Scheduled,
    attendee_line,
    is_cancelled,
    partstat,
    read_scheduled,
    sequence,
)
from trekd.calendar.itipattendee import attendee_change
from trekd.calendar.itiporganizer import Change, organizer_change
from trekd.calendar.itipreceived import (
    Applied,
    Received,
    applied,
    read_message,
    replied,
    with_current_people,
    with_delivery,
)
from trekd.calendar.itipviews import Occurrences, Outgoing
from trekd.errors import (
    AttendeeChangeRefused,
    InvalidCalendar,
    InvalidCalendarObject,
    OrganizerChangeRefused,
    OrganizersDiffer,
)

NOW = 1_800_000_000
BOSS, ANN, BEN = "boss@example.com", "ann@example.com", "ben@example.com"


def me(address: str) -> frozenset[str]:
    return frozenset((address,))


def event(*lines: str, attendees: tuple[str, ...] = (ANN, BEN), organizer: str = BOSS) -> str:
    people = [f"ORGANIZER:mailto:{organizer}"] + [
        each if each.startswith("ATTENDEE") else f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{each}" for each in attendees
    ]
    defaults = {"DTSTART": "DTSTART:20270301T100000Z", "DTEND": "DTEND:20270301T110000Z", "SUMMARY": "SUMMARY:Tea"}
    names = {line.partition(":")[0].partition(";")[0] for line in lines}
    body = [line for name, line in defaults.items() if name not in names]
    return "\r\n".join(["BEGIN:VEVENT", "UID:1", "DTSTAMP:20260101T000000Z", *people, *body, *lines, "END:VEVENT"])


def calendar(*events: str) -> Scheduled:
    return read_scheduled(tree("\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *events, "END:VCALENDAR", ""])))


def tree(text: str) -> Component:
    return parse(text.encode())


def received(outgoing: Outgoing) -> Received:
    """The message as the other side reads it."""
    return read_message(write(outgoing.calendar))


def sent(change: Change) -> list[tuple[str, tuple[str, ...]]]:
    return [(each.method, each.recipients) for each in change.messages]


WEEKLY = "RRULE:FREQ=WEEKLY;COUNT=10"
SECOND = "20270308T100000Z"


def override(*lines: str, rid: str = SECOND, attendees: tuple[str, ...] = (ANN, BEN)) -> str:
    names = {line.partition(":")[0] for line in lines}
    times = [f"DTSTART:{rid}"] * ("DTSTART" not in names) + [
        f"DTEND:{rid.replace('T10', 'T11')}"] * ("DTEND" not in names)
    return event(f"RECURRENCE-ID:{rid}", *times, *lines, attendees=attendees)


def organize(old: Scheduled | None, new: Scheduled | None) -> Change:
    return organizer_change(old, new, me(BOSS), NOW)


def attend(old: Scheduled | None, new: Scheduled | None, who: str = ANN) -> Change:
    return attendee_change(old, new, me(who), NOW)


# --- Organizer ------------------------------------------------------------------------------------


def test_a_new_event_invites_everybody_but_the_organizer() -> None:
    """RFC 6638 §3.2.1.1."""
    change = organize(None, calendar(event(attendees=(BOSS, ANN, BEN))))
    assert sent(change) == [("REQUEST", (ANN, BEN))]
    message = received(change.messages[0])
    assert set(message.found.attendees) == {BOSS, ANN, BEN}
    assert message.found.master is not None and message.found.master.value("DTSTAMP") == "20270115T080000Z"


@pytest.mark.parametrize("agent", ["CLIENT", "NONE", "X-OTHER"])
def test_others_are_not_written_to_where_the_server_is_not_asked(agent: str) -> None:
    """RFC 6638 §7.1."""
    change = organize(None, calendar(event(attendees=(f"ATTENDEE;SCHEDULE-AGENT={agent}:mailto:{ANN}", BEN))))
    assert sent(change) == [("REQUEST", (BEN,))]


def test_messages_say_nothing_of_how_they_are_sent() -> None:
    """RFC 6638 §7.1, §7.2, §7.3; alarms are private."""
    line = f"ATTENDEE;SCHEDULE-AGENT=SERVER;SCHEDULE-STATUS=1.2;SCHEDULE-FORCE-SEND=REQUEST:mailto:{ANN}"
    alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND:VALARM"
    change = organize(None, calendar(event(alarm, attendees=(line,))))
    octets = write(change.messages[0].calendar)
    assert b"SCHEDULE-" not in octets
    assert b"VALARM" not in octets
    assert change.found is not None
    kept = write(change.found.calendar)
    assert b"VALARM" in kept and b"SCHEDULE-AGENT" in kept and b"FORCE-SEND" not in kept


def test_a_change_that_matters_to_nobody_is_not_sent() -> None:
    old = calendar(event("TRANSP:OPAQUE"))
    assert sent(organize(old, calendar(event("TRANSP:TRANSPARENT", "X-COLOR:red")))) == []


def test_another_time_is_sent_asks_again_and_raises_the_sequence() -> None:
    """RFC 6638 §3.2.8, RFC 5546 §2.1.4."""
    accepted = f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{ANN}"
    old = calendar(event(attendees=(accepted, BEN)))
    change = organize(old, calendar(event("DTSTART:20270301T103000Z", attendees=(accepted, BEN))))
    assert sent(change) == [("REQUEST", (ANN, BEN))]
    assert change.found is not None and change.found.master is not None
    assert partstat(attendee_line(change.found.master, me(ANN))) == "NEEDS-ACTION"
    assert sequence(change.found.master) == 1


def test_another_title_keeps_answers() -> None:
    accepted = f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{ANN}"
    change = organize(calendar(event(attendees=(accepted,))), calendar(event("SUMMARY:Cake", attendees=(accepted,))))
    assert sent(change) == [("REQUEST", (ANN,))]
    assert change.found is not None and change.found.master is not None
    assert partstat(attendee_line(change.found.master, me(ANN))) == "ACCEPTED"


@pytest.mark.parametrize(
    ("before", "after", "asks"),
    [
        ("FREQ=WEEKLY;COUNT=10", "FREQ=WEEKLY;COUNT=5", False),
        ("FREQ=WEEKLY;COUNT=5", "FREQ=WEEKLY;COUNT=10", True),
        ("FREQ=WEEKLY", "FREQ=WEEKLY;UNTIL=20280101T000000Z", False),
        ("FREQ=WEEKLY", "FREQ=DAILY", True),
        ("FREQ=WEEKLY;COUNT=5", "COUNT=5;FREQ=WEEKLY", False),
    ],
)
def test_another_rule_asks_again_where_it_adds_times(before: str, after: str, asks: bool) -> None:
    """RFC 6638 §3.2.8."""
    accepted = f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{ANN}"
    change = organize(
        calendar(event(f"RRULE:{before}", attendees=(accepted,))),
        calendar(event(f"RRULE:{after}", attendees=(accepted,))),
    )
    assert change.found is not None and change.found.master is not None
    assert (partstat(attendee_line(change.found.master, me(ANN))) == "NEEDS-ACTION") is asks


def test_who_is_taken_off_the_list_is_told_and_the_others_are_too() -> None:
    """RFC 6638 §3.2.1.2."""
    change = organize(calendar(event()), calendar(event(attendees=(ANN,))))
    assert sorted(sent(change)) == [("CANCEL", (BEN,)), ("REQUEST", (ANN,))]
    cancel = next(each for each in change.messages if each.method == "CANCEL")
    [part] = received(cancel).found.parts.values()
    assert is_cancelled(part) and sequence(part) == 1
    assert change.found is not None and change.found.master is not None and sequence(change.found.master) == 1


def test_a_server_that_is_not_asked_any_more_takes_its_invitation_back() -> None:
    """RFC 6638 §3.2.1.2: SERVER to CLIENT is CANCEL."""
    change = organize(calendar(event(attendees=(ANN,))), calendar(
        event(attendees=(f"ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:{ANN}",))))
    assert sent(change) == [("CANCEL", (ANN,))]


def test_a_removed_event_is_cancelled() -> None:
    """RFC 6638 §3.2.1.3."""
    change = organize(calendar(event("SEQUENCE:3", WEEKLY), override("SUMMARY:Other")), None)
    assert sent(change) == [("CANCEL", (ANN, BEN))]
    [part] = received(change.messages[0]).found.parts.values()
    assert is_cancelled(part) and sequence(part) == 4 and part.first("RECURRENCE-ID") is None


def test_a_removed_instance_is_cancelled_alone() -> None:
    """RFC 5546 §3.2.5."""
    change = organize(calendar(event(WEEKLY)), calendar(event(WEEKLY, f"EXDATE:{SECOND}")))
    assert sent(change) == [("CANCEL", (ANN, BEN))]
    [part] = received(change.messages[0]).found.parts.values()
    assert part.value("RECURRENCE-ID") == SECOND and is_cancelled(part)


def test_who_is_invited_to_one_instance_sees_that_one() -> None:
    """RFC 6638 §3.2.6."""
    change = organize(None, calendar(event(WEEKLY, attendees=(ANN,)), override(attendees=(ANN, BEN))))
    by_person = {each.recipients: received(each).found for each in change.messages}
    assert set(by_person) == {(ANN,), (BEN,)}
    assert by_person[ANN,].master is not None and len(by_person[ANN,].parts) == 2
    assert by_person[BEN,].master is None and len(by_person[BEN,].parts) == 1


def test_who_is_excluded_from_an_instance_sees_an_exception_date() -> None:
    """RFC 6638 §3.2.6."""
    change = organize(None, calendar(event(WEEKLY), override("SUMMARY:Secret", attendees=(ANN,))))
    [ben] = [each for each in change.messages if each.recipients == (BEN,)]
    octets = write(ben.calendar)
    assert f"EXDATE:{SECOND}".encode() in octets and b"Secret" not in octets


def test_a_message_can_be_forced() -> None:
    """RFC 6638 §3.2.7, §7.2."""
    forced = f"ATTENDEE;PARTSTAT=NEEDS-ACTION;SCHEDULE-FORCE-SEND=REQUEST:mailto:{ANN}"
    unknown = f"ATTENDEE;PARTSTAT=NEEDS-ACTION;SCHEDULE-FORCE-SEND=X-Y:mailto:{BEN}"
    change = organize(calendar(event()), calendar(event(attendees=(forced, unknown))))
    assert sent(change) == [("REQUEST", (ANN,))]
    assert change.found is not None and change.found.master is not None
    line = attendee_line(change.found.master, me(BEN))
    assert line is not None and line.parameter("SCHEDULE-STATUS") == "2.3"


def test_an_organizer_does_not_answer_for_others() -> None:
    """RFC 6638 §3.2.4.3."""
    accepted = f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{ANN}"
    with pytest.raises(OrganizerChangeRefused):
        organize(calendar(event()), calendar(event(attendees=(accepted, BEN))))
    own = f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{BOSS}"
    assert sent(organize(calendar(event()), calendar(event(attendees=(own, ANN, BEN))))) == [("REQUEST", (ANN, BEN))]


def test_two_organizers_are_refused() -> None:
    """RFC 6638 §3.2.4.2."""
    with pytest.raises(OrganizersDiffer):
        calendar(event(WEEKLY), override().replace(BOSS, "other@example.com"))


def test_a_status_of_cancelled_cancels() -> None:
    change = organize(calendar(event()), calendar(event("STATUS:CANCELLED")))
    assert sent(change) == [("CANCEL", (ANN, BEN))]


# --- Attendee's copy ------------------------------------------------------------------------------


def invited(found: Scheduled, who: str = ANN) -> Scheduled:
    """The copy that somebody has of an organizer's object."""
    [outgoing] = [each for each in organize(None, found).messages if who in each.recipients]
    result = applied(None, received(outgoing), me(who))
    assert result is not None
    return result.found


def tell(old: Scheduled, new: Scheduled | None, copy: Scheduled, who: str = ANN) -> Applied | None:
    """What an organizer's change makes of a copy."""
    result: Applied | None = None
    for outgoing in organize(old, new).messages:
        if who in outgoing.recipients:
            found = applied(copy, received(outgoing), me(who))
            result = found or result
            copy = found.found if found else copy
    return result


def test_a_changed_event_changes_the_copy_and_keeps_what_is_its_owners() -> None:
    old = calendar(event())
    copy = invited(old)
    alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT"
    with_alarm = write(copy.calendar).decode().replace("END:VEVENT", "TRANSP:TRANSPARENT\r\n" + alarm)
    copy = read_scheduled(tree(with_alarm))
    result = tell(old, calendar(event("SUMMARY:Cake")), copy)
    assert result is not None and result.is_consequential
    octets = write(result.found.calendar)
    assert b"SUMMARY:Cake" in octets and b"VALARM" in octets and b"TRANSP:TRANSPARENT" in octets


def test_an_old_message_changes_nothing() -> None:
    """RFC 5546 §2.1.5."""
    old = calendar(event())
    first = received(organize(None, old).messages[0])
    moved = organize(old, calendar(event("DTSTART:20270301T103000Z")))
    newest = applied(None, received(moved.messages[0]), me(ANN))
    assert newest is not None
    assert applied(newest.found, first, me(ANN)) is None


def test_a_cancelled_event_stays_as_cancelled() -> None:
    old = calendar(event(WEEKLY), override("SUMMARY:Other"))
    result = tell(old, None, invited(old))
    assert result is not None and all(map(is_cancelled, result.found.parts.values()))
    assert len(result.found.parts) == 2


def test_a_cancelled_instance_becomes_an_exception() -> None:
    old = calendar(event(WEEKLY))
    result = tell(old, calendar(event(WEEKLY, f"EXDATE:{SECOND}")), invited(old))
    assert result is not None and result.found.master is not None
    assert not is_cancelled(result.found.master)
    [exception] = [part for key, part in result.found.parts.items() if key is not None]
    assert is_cancelled(exception) and exception.value("DTSTART") == SECOND
    result.found.understood()


def test_an_event_that_is_cancelled_and_sent_again_takes_place() -> None:
    old = calendar(event())
    cancelled = tell(old, None, invited(old))
    assert cancelled is not None
    later = organizer_change(None, old, me(BOSS), NOW + 10).messages[0]
    again = applied(cancelled.found, received(later), me(ANN))
    assert again is not None and again.found.master is not None and not is_cancelled(again.found.master)


def test_a_status_alone_is_of_no_consequence() -> None:
    """RFC 6638 §3.2.10."""
    old = calendar(event())
    copy = invited(old)
    answered = calendar(event(attendees=(ANN, f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{BEN}")))
    message = organizer_change(None, answered, me(BOSS), NOW)
    later = Received("REQUEST", answered)
    result = applied(copy, later, me(ANN))
    assert message.found is not None
    assert result is None or not result.is_consequential


def test_add_brings_an_instance() -> None:
    """RFC 5546 §3.2.4."""
    copy = invited(calendar(event(WEEKLY)))
    text = event("DTSTART:20270303T100000Z", "DTEND:20270303T110000Z", "SEQUENCE:1")
    octets = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:ADD\r\n{text}\r\nEND:VCALENDAR\r\n".encode()
    result = applied(copy, read_message(octets), me(ANN))
    assert result is not None and len(result.found.parts) == 2
    assert b"RDATE:20270303T100000Z" in write(result.found.calendar)
    result.found.understood()


# --- Answers --------------------------------------------------------------------------------------


def answer(copy: Scheduled, status: str, who: str = ANN) -> Change:
    text = write(copy.calendar).decode().replace(
        f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{who}", f"ATTENDEE;PARTSTAT={status}:mailto:{who}")
    return attend(copy, read_scheduled(tree(text)), who)


def test_an_answer_reaches_the_organizers_copy() -> None:
    """RFC 6638 §3.2.2.3, §4.2."""
    found = calendar(event())
    change = answer(invited(found), "ACCEPTED")
    assert sent(change) == [("REPLY", (BOSS,))]
    message = received(change.messages[0])
    assert message.respondent is not None and set(message.found.attendees) == {ANN}
    after = replied(found, message)
    assert after is not None and after.master is not None
    line = attendee_line(after.master, me(ANN))
    assert partstat(line) == "ACCEPTED" and line is not None and line.parameter("SCHEDULE-STATUS") == "2.0"
    assert partstat(attendee_line(after.master, me(BEN))) == "NEEDS-ACTION"


def test_an_older_answer_does_not_undo_a_newer_one() -> None:
    found = calendar(event())
    copy = invited(found)
    first = received(answer(copy, "ACCEPTED").messages[0])
    text = write(copy.calendar).decode().replace(
        f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{ANN}", f"ATTENDEE;PARTSTAT=DECLINED:mailto:{ANN}")
    second = attendee_change(copy, read_scheduled(tree(text)), me(ANN), NOW + 60)
    after = replied(found, received(second.messages[0]))
    assert after is not None
    assert replied(after, first) is None


def test_an_answer_to_what_was_asked_before_does_not_count() -> None:
    """RFC 5546 §2.1.5: a lower SEQUENCE."""
    found = calendar(event())
    message = received(answer(invited(found), "ACCEPTED").messages[0])
    moved = organize(found, calendar(event("DTSTART:20270301T103000Z"))).found
    assert moved is not None and replied(moved, message) is None


def test_an_answer_to_one_instance_becomes_an_exception() -> None:
    """RFC 6638 §4.2."""
    found = calendar(event(WEEKLY))
    copy = invited(found)
    text = write(copy.calendar).decode().replace("END:VCALENDAR", override(
        attendees=(f"ATTENDEE;PARTSTAT=DECLINED:mailto:{ANN}", BEN)) + "\r\nEND:VCALENDAR")
    change = attend(copy, read_scheduled(tree(text)))
    assert sent(change) == [("REPLY", (BOSS,))]
    after = replied(found, received(change.messages[0]))
    assert after is not None and after.master is not None and len(after.parts) == 2
    assert partstat(attendee_line(after.master, me(ANN))) == "NEEDS-ACTION"
    [exception] = [part for key, part in after.parts.items() if key is not None]
    assert partstat(attendee_line(exception, me(ANN))) == "DECLINED"
    after.understood()


def test_an_instance_that_is_taken_out_is_declined() -> None:
    """RFC 6638 §3.2.2.3."""
    copy = invited(calendar(event(WEEKLY)))
    text = write(copy.calendar).decode().replace("SUMMARY:Tea", f"EXDATE:{SECOND}\r\nSUMMARY:Tea")
    change = attend(copy, read_scheduled(tree(text)))
    [part] = received(change.messages[0]).found.parts.values()
    assert part.value("RECURRENCE-ID") == SECOND
    assert partstat(attendee_line(part, me(ANN))) == "DECLINED"


def test_a_removed_copy_declines_once() -> None:
    """RFC 6638 §3.2.2.4."""
    found = calendar(event())
    copy = invited(found)
    change = attend(copy, None)
    assert sent(change) == [("REPLY", (BOSS,))]
    declined = answer(copy, "DECLINED").found
    assert declined is not None and attend(declined, None).messages == ()
    cancelled = tell(found, None, copy)
    assert cancelled is not None and attend(cancelled.found, None).messages == ()


def test_clients_that_answer_themselves_are_left_alone() -> None:
    """RFC 6638 §3.2.2.2."""
    text = write(invited(calendar(event())).calendar).decode().replace("ORGANIZER:", "ORGANIZER;SCHEDULE-AGENT=CLIENT:")
    copy = read_scheduled(tree(text))
    assert attend(copy, None).messages == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SUMMARY:Tea", "SUMMARY:Cake"),
        ("DTSTART:20270301T100000Z", "DTSTART:20270301T090000Z"),
        (f"mailto:{BEN}", "mailto:carl@example.com"),
        ("SUMMARY:Tea", "SUMMARY:Tea\r\nLOCATION:Moon"),
        (f"ORGANIZER:mailto:{BOSS}", f"ORGANIZER:mailto:{ANN}"),
    ],
)
def test_what_is_the_organizers_is_not_changed(old: str, new: str) -> None:
    """RFC 6638 §3.2.2.1, §3.2.4.4."""
    copy = invited(calendar(event()))
    text = write(copy.calendar).decode()
    assert old in text
    with pytest.raises(AttendeeChangeRefused):
        attend(copy, read_scheduled(tree(text.replace(old, new))))


def test_what_is_the_attendees_can_be_changed() -> None:
    """RFC 6638 §3.2.2.1."""
    copy = invited(calendar(event()))
    alarm = "TRANSP:TRANSPARENT\r\nLAST-MODIFIED:20260102T000000Z\r\nBEGIN:VALARM\r\nACTION:AUDIO\r\nEND:VALARM\r\n"
    text = write(copy.calendar).decode().replace("END:VEVENT", alarm + "END:VEVENT")
    assert attend(copy, read_scheduled(tree(text))).messages == ()


def test_what_is_stored_by_tag_keeps_answers_that_came_meanwhile() -> None:
    """RFC 6638 §3.2.10.1."""
    found = calendar(event())
    after = replied(found, received(answer(invited(found), "ACCEPTED").messages[0]))
    assert after is not None
    merged = with_current_people(calendar(event("SUMMARY:Cake")), after, me(BOSS))
    assert merged.master is not None and partstat(attendee_line(merged.master, me(ANN))) == "ACCEPTED"
    assert sent(organize(after, merged)) == [("REQUEST", (ANN, BEN))]


def test_the_organizer_reads_what_became_of_messages() -> None:
    """RFC 6638 §3.2.9."""
    octets = write(with_delivery(calendar(event()), {ANN: "1.2"}).calendar).replace(b"\r\n ", b"")
    assert b"SCHEDULE-STATUS=1.2:mailto:ann" in octets and octets.count(b"SCHEDULE-STATUS") == 1
    assert b"ORGANIZER;SCHEDULE-STATUS=1.1" in write(with_delivery(calendar(event()), {BOSS: "1.1"}).calendar)


def test_instances_are_looked_up_a_bounded_number_of_times() -> None:
    occurrences = Occurrences(calendar(event("RRULE:FREQ=DAILY")))
    day = 1804586400
    found = [occurrences.at(day + 86400 * number) for number in range(400)]
    assert sum(each is not None for each in found) == 300


@pytest.mark.parametrize("octets", [b"", b"BEGIN:VCARD\r\nEND:VCARD\r\n", b"\xff", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR"])
def test_what_is_no_message_is_refused(octets: bytes) -> None:
    with pytest.raises((InvalidCalendar, InvalidCalendarObject)):
        read_message(octets)
