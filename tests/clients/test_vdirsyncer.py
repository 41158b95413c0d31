"""vdirsyncer: events and tasks on two devices and a started daemon."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.daemon import Daemon
from tests.clients.vdirsyncer import Device
from tests.fakes.calendars import calendar, event

DAEMONS = Iterator[Daemon]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> DAEMONS:
    made = Daemon(tmp_path_factory.mktemp("vdirsyncer"))
    made.add_accounts({f"{name}@example.com": "pro" for name in ("two", "conflict", "made", "quiet")})
    made.start()
    yield made
    made.close()


def devices(daemon: Daemon, directory: Path, user: str, *conflicts: str) -> list[Device]:
    made = [
        Device(daemon, directory / str(number), f"{user}@example.com", conflict=conflict)
        for number, conflict in enumerate(conflicts)
    ]
    for each in made:
        each.discover()
        each.sync()
    return made


def test_events_and_tasks_go_both_ways(daemon: Daemon, tmp_path: Path) -> None:
    first, second = devices(daemon, tmp_path, "two", "null", "null")
    (first.files / "calendar/a.ics").write_text(event("a", "SUMMARY:Ünïcode <&>"), newline="")
    (first.files / "calendar/r.ics").write_text(event("r", "RRULE:FREQ=WEEKLY"), newline="")
    (first.files / "tasks/t.ics").write_text(
        calendar("UID:t", "DTSTAMP:20260101T000000Z", "SUMMARY:Buy milk", kind="VTODO"), newline=""
    )
    first.sync()
    second.sync()
    assert len(second.items("calendar")) == 2
    assert any("SUMMARY:Ünïcode <&>" in text for text in second.items("calendar").values())
    assert ["Buy milk" in text for text in second.items("tasks").values()] == [True]

    # A change and a deletion go back.
    for path in (second.files / "calendar").iterdir():
        if "FREQ=WEEKLY" in path.read_text():
            path.unlink()
        elif path.suffix:
            path.write_text(path.read_text().replace("SUMMARY:", "SUMMARY:changed "))
    second.sync()
    first.sync()
    assert [("changed" in text) for text in first.items("calendar").values()] == [True]
    assert first.items("calendar").keys() == {"a.ics"}


def test_a_second_run_changes_nothing(daemon: Daemon, tmp_path: Path) -> None:
    (device,) = devices(daemon, tmp_path, "quiet", "null")
    (device.files / "calendar/a.ics").write_text(event("a"), newline="")
    assert "Copying" in device.sync()
    before = device.items("calendar")
    told = device.sync()
    assert not any(word in told for word in ("Copying", "Deleting", "Updating"))
    assert device.items("calendar") == before


def test_two_devices_change_one_event(daemon: Daemon, tmp_path: Path) -> None:
    """Nobody's change is lost without a word: the second one is told of a conflict, or wins as it was set up."""
    first, second = devices(daemon, tmp_path, "conflict", "null", '"a wins"')
    (first.files / "calendar/a.ics").write_text(event("a", "SUMMARY:old"), newline="")
    first.sync()
    second.sync()
    (path,) = (path for path in (second.files / "calendar").iterdir() if path.suffix)
    path.write_text(event("a", "SUMMARY:second"), newline="")
    (first.files / "calendar/a.ics").write_text(event("a", "SUMMARY:first"), newline="")
    second.sync()
    assert "conflict" in first.sync(status=1).lower()
    path.write_text(event("a", "SUMMARY:second again"), newline="")
    second.sync()
    third = Device(daemon, tmp_path / "third", "conflict@example.com")
    third.discover()
    third.sync()
    assert ["second again" in text for text in third.items("calendar").values()] == [True]


def test_a_new_calendar_with_name_and_colour(daemon: Daemon, tmp_path: Path) -> None:
    first = Device(daemon, tmp_path / "0", "made@example.com", conflict='"a wins"')
    (first.files / "holidays").mkdir()
    (first.files / "holidays/displayname").write_text("Holidays")
    (first.files / "holidays/color").write_text("#FF8800")
    (first.files / "holidays/h.ics").write_text(event("h", "SUMMARY:Beach"), newline="")
    first.discover()
    first.sync()
    first.sync_metadata()
    second = Device(daemon, tmp_path / "1", "made@example.com")
    second.discover()
    second.sync()
    second.sync_metadata()
    (made,) = (each for each in second.files.iterdir() if each.name not in ("calendar", "tasks"))
    assert len(second.items(made.name)) == 1
    assert (made / "displayname").read_text() == "Holidays"
    assert (made / "color").read_text().upper().startswith("#FF8800")
