"""Calendars by curl against a started daemon, its files and its TLS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.daemon import PASSWORD, Daemon
from tests.clients.programs import require, run
from tests.fakes.calendars import CALENDAR, HOME, JANUARY, NAMESPACES, event, multiget_body, query_body


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    made = Daemon(tmp_path_factory.mktemp("calendar"))
    made.add_accounts({"alice@example.com": "pro"})
    made.start()
    yield made
    made.close()


def curl(daemon: Daemon, path: str, *options: str, input: str | None = None) -> tuple[int, str]:
    """Status and everything that came back, header included."""
    command = (require("curl"), "--silent", "--show-error", "--include", "--cacert", daemon.certificate)
    login = ("--user", f"alice@example.com:{PASSWORD}")
    sent = ("--data-binary", "@-", "--header", "Content-Type: text/calendar") if input is not None else ()
    url = f"https://localhost:{daemon.ports['https']}{path}"
    octets = None if input is None else input.encode()
    told = run(*command, *login, *sent, *options, url, input=octets).stdout.decode()
    return int(told.split(maxsplit=2)[1]), told


def put(daemon: Daemon, path: str, octets: str) -> int:
    return curl(daemon, path, "--request", "PUT", input=octets)[0]


def ask(daemon: Daemon, body: str, path: str = CALENDAR) -> str:
    status, told = curl(daemon, path, "--request", "REPORT", "--header", "Depth: 1", input=body)
    assert status == 207
    return told


def test_a_calendar_is_filled_asked_and_saved(daemon: Daemon, tmp_path: Path) -> None:
    assert curl(daemon, HOME + "work/", "--request", "MKCALENDAR")[0] == 201
    for number in range(5):
        assert put(daemon, f"{HOME}work/{number}.ics", event(f"w{number}", f"SUMMARY:Number {number}")) == 201
    assert ask(daemon, query_body(JANUARY), HOME + "work/").count("BEGIN:VEVENT") == 5
    told = ask(daemon, multiget_body([HOME + "work/3.ics", HOME + "work/9.ics"]), HOME + "work/")
    assert "Number 3" in told
    assert "404 Not Found" in told
    status, whole = curl(daemon, HOME + "work/")
    assert (status, whole.count("BEGIN:VEVENT"), whole.count("BEGIN:VCALENDAR")) == (200, 5, 1)
    etag = next(line for line in whole.splitlines() if line.lower().startswith("etag:")).partition(":")[2].strip()
    assert curl(daemon, HOME + "work/", "--header", f"If-None-Match: {etag}")[0] == 304


def test_what_was_acknowledged_is_there_after_a_restart(daemon: Daemon) -> None:
    assert put(daemon, CALENDAR + "kept.ics", event("kept", "RRULE:FREQ=WEEKLY", start="20200106T100000Z")) == 201
    daemon.kill()
    daemon.start()
    assert "kept.ics" in ask(daemon, query_body(JANUARY))


def test_an_event_every_second_since_1970(daemon: Daemon) -> None:
    """It is stored, found, told to be too much to count, and nobody waits for it."""
    assert put(daemon, CALENDAR + "s.ics", event("s", "RRULE:FREQ=SECONDLY", start="19700101T000000Z")) == 201
    assert "s.ics" in ask(daemon, query_body(JANUARY, ""))
    body = f"<C:free-busy-query {NAMESPACES}>{JANUARY}</C:free-busy-query>"
    status, told = curl(daemon, CALENDAR, "--request", "REPORT", input=body)
    assert (status, "number-of-matches-within-limits" in told) == (507, True)
    assert curl(daemon, CALENDAR + "s.ics", "--request", "DELETE")[0] == 204


def test_ten_thousand_attendees(daemon: Daemon) -> None:
    crowd = (f"ATTENDEE:mailto:a{number}@example.com" for number in range(10_000))
    status, told = curl(daemon, CALENDAR + "crowd.ics", "--request", "PUT", input=event("crowd", *crowd))
    assert (status, "max-attendees-per-instance" in told) == (403, True)


def test_two_who_write_one_event(daemon: Daemon) -> None:
    """The second one learns that somebody was faster."""
    path = CALENDAR + "race.ics"
    assert put(daemon, path, event("race")) == 201
    etag = next(line for line in curl(daemon, path)[1].splitlines() if line.lower().startswith("etag:"))
    match = ("--request", "PUT", "--header", f"If-Match: {etag.partition(':')[2].strip()}")
    assert curl(daemon, path, *match, input=event("race", "SUMMARY:first"))[0] == 204
    assert curl(daemon, path, *match, input=event("race", "SUMMARY:second"))[0] == 412
    assert "SUMMARY:first" in curl(daemon, path)[1]
