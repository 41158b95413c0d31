"""The library python-caldav against a started daemon: finds, makes, searches and changes as programs do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import caldav
import pytest
from caldav.lib import error

from tests.clients.daemon import PASSWORD, Daemon
from tests.fakes.calendars import calendar, event


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    made = Daemon(tmp_path_factory.mktemp("caldav"))
    made.add_accounts({"alice@example.com": "pro", "bob@example.com": "pro"})
    made.start()
    yield made
    made.close()


@pytest.fixture
def client(daemon: Daemon) -> Iterator[Any]:
    with caldav.DAVClient(
        url=f"https://localhost:{daemon.ports['https']}/dav/",
        username="alice@example.com",
        password=PASSWORD,
        ssl_verify_cert=daemon.certificate,
    ) as made:
        yield made


def search(where: Any, **wanted: Any) -> list[str]:
    return sorted(str(each.icalendar_component["summary"]) for each in where.search(**wanted))


def test_it_finds_the_first_calendars(client: Any) -> None:
    found = {str(each.get_display_name()): each.get_supported_components() for each in client.principal().calendars()}
    assert found == {"Calendar": ["VEVENT"], "Tasks": ["VTODO"]}


def test_a_calendar_from_its_making_to_its_end(client: Any) -> None:
    made = client.principal().make_calendar(
        name="Work", cal_id="work", supported_calendar_component_set=["VEVENT", "VJOURNAL"]
    )
    made.save_event(event("one", "SUMMARY:One"))
    made.save_event(event("weekly", "SUMMARY:Weekly", "RRULE:FREQ=WEEKLY", start="20200106T100000Z"))
    made.save_event(event("late", "SUMMARY:Late", "CATEGORIES:FUN", start="20270105T100000Z"))
    made.save_journal(
        calendar("UID:j", "DTSTAMP:20260101T000000Z", "DTSTART;VALUE=DATE:20260105", "SUMMARY:Dear diary",
                 kind="VJOURNAL")
    )  # fmt: skip
    week = {"start": datetime(2026, 1, 5, tzinfo=UTC), "end": datetime(2026, 1, 12, tzinfo=UTC)}
    assert search(made, event=True, **week) == ["One", "Weekly"]
    assert search(made, journal=True, start=date(2026, 1, 5), end=date(2026, 1, 6)) == ["Dear diary"]
    assert search(made, event=True, summary="Lat") == ["Late"]
    assert search(made, event=True, category="FUN") == ["Late"]
    starts = [each.icalendar_component["dtstart"].dt for each in made.search(event=True, expand=True, **week)]
    assert starts == [datetime(2026, 1, 5, 10, tzinfo=UTC)] * 2
    assert str(made.event_by_uid("one").icalendar_component["summary"]) == "One"
    made.delete()
    assert "Work" not in {str(each.get_display_name()) for each in client.principal().calendars()}


def test_a_change_that_comes_too_late(client: Any) -> None:
    where = client.principal().calendar(name="Calendar")
    first = where.save_event(event("race", "SUMMARY:old"))
    first.load()
    response = client.put(str(first.url), event("race", "SUMMARY:theirs"), {"If-None-Match": "*"})
    assert response.status == 412
    with pytest.raises(error.DAVError):
        where.save_event(event("other").replace("BEGIN:VEVENT", "METHOD:REQUEST\r\nBEGIN:VEVENT"))


def test_only_what_changed(client: Any) -> None:
    """RFC 6578: by the library's own synchronisation."""
    where = client.principal().calendar(name="Calendar")
    where.save_event(event("s1", "SUMMARY:s1"))
    known = where.objects_by_sync_token(load_objects=True)
    where.save_event(event("s2", "SUMMARY:s2"))
    where.event_by_uid("s1").delete()
    changed = list(where.objects_by_sync_token(sync_token=known.sync_token))
    assert len(changed) == 2


def test_tasks(client: Any) -> None:
    where = client.principal().calendar(name="Tasks")
    todo = where.save_todo(
        calendar("UID:t", "DTSTAMP:20260101T000000Z", "DUE:20260105T100000Z", "SUMMARY:Buy", kind="VTODO")
    )
    assert search(where, todo=True) == ["Buy"]
    todo.complete()
    assert search(where, todo=True) == []
    assert search(where, todo=True, include_completed=True) == ["Buy"]


def test_free_and_busy(client: Any) -> None:
    where = client.principal().calendar(name="Calendar")
    where.save_event(event("busy", start="20290105T100000Z"))
    told = where.freebusy_request(datetime(2029, 1, 5, tzinfo=UTC), datetime(2029, 1, 6, tzinfo=UTC))
    assert "20290105T100000Z/20290105T110000Z" in told.data
