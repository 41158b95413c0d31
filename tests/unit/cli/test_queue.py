"""C{trekctl queue}, over a whole queue."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.administration import Administered
from tests.unit.cli.test_commands import DirectControl, Shell, trekctl
from tests.unit.queue.support import ALICE, run
from tests.unit.queue.test_dispatcher import LATER, NOBODY, OWN, UNREACHED, Office
from trekd.cli.failures import FAILED, NO_DAEMON
from trekd.errors import LaneClosed
from trekd.queue.control import QueueControl
from trekd.queue.interfaces import EVERYTHING

__all__ = ["trekctl"]


@pytest.fixture
def office(tmp_path: Path, trekctl: Shell, monkeypatch: pytest.MonkeyPatch) -> Office:
    """Three copies wait: one was told to come later, two wait for a server that cannot be reached."""
    office = Office(tmp_path)
    trekctl.host = Administered(queue=QueueControl(office.spool, office.dispatcher, office.suppressions))
    monkeypatch.setattr("trekd.cli.queue.time.time", office.clock.seconds)
    office.fake.failures["b.example"] = LATER
    office.fake.failures["c.example"] = UNREACHED
    office.send("later@b.example")
    office.send("one@c.example", "two@c.example")
    office.clock.advance(60)
    return office


def test_the_list_is_read_by_people(trekctl: Shell, office: Office) -> None:
    lines = trekctl("queue", "list").splitlines()
    assert lines[0].split("  ")[0] == "NUMBER"
    assert len(lines) == 4
    for text in ("mx:b.example", "1m00s", "in 6m30s", "alice@example.com", "later@b.example", "450 4.2.0 come back"):
        assert text in lines[1]
    assert "connection refused" in lines[2]


def test_the_list_is_read_by_programs(trekctl: Shell, office: Office) -> None:
    found = trekctl.json("queue", "list", "--recipient", "b.example")
    (entry,) = found["entries"]
    assert entry["recipient"] == "later@b.example" and entry["account"] == "alice@example.com"
    assert (entry["attempts"], entry["host"], entry["status"]) == (1, "mx.b.example", "4.2.0")
    assert len(trekctl.json("queue", "list", "--limit", "2")["entries"]) == 2
    assert trekctl.json("queue", "list", "--held")["entries"] == []
    assert len(trekctl.json("queue", "list", "--lane", "mx:c.example", "--sender", "example.com")["entries"]) == 2


def test_a_closed_lane_is_seen(trekctl: Shell, office: Office) -> None:
    office.fake.failures["d.example"] = LaneClosed("smtp.mine.example", "535 5.7.8 wrong password")
    office.send("x@d.example", route=OWN)
    out = trekctl("queue", "list")
    assert "lane closed" in out
    assert out.splitlines()[-1].split() == ["profile:mine", "closed", "535", "5.7.8", "wrong", "password"]


def test_a_long_reply_is_cut(trekctl: Shell, office: Office) -> None:
    office.fake.failures["b.example"] = type(LATER)("mx.b.example", "450 " + "x" * 500, "4.0.0")
    run(office.dispatcher.retry(EVERYTHING))
    assert max(map(len, trekctl("queue", "list").splitlines())) < 220


def test_one_message_is_shown(trekctl: Shell, office: Office) -> None:
    number = str(office.entries()[1].number)
    out = trekctl("queue", "show", number)
    for text in ("one@c.example", "two@c.example", "connection refused", "Subject: x", "told of delay  no"):
        assert text in out
    found = trekctl.json("queue", "show", office.entries()[1].message)
    assert len(found["entries"]) == 2 and "Subject: x" in found["header"]
    trekctl("queue", "show", "nothing", status=FAILED)
    assert "nothing waits as nothing" in trekctl.error


def test_verbs_change_what_they_say(trekctl: Shell, office: Office) -> None:
    first = str(office.entries()[0].number)
    assert trekctl("queue", "hold", first, "--why", "looks odd") == "1 copy held\n"
    assert "looks odd" in trekctl("queue", "list", "--held")
    assert trekctl("queue", "release", "--all") == "1 copy released\n"
    assert (office.entries()[0].held_by, office.entries()[0].attempts) == ("", 2)
    office.fake.failures.clear()
    assert trekctl("queue", "retry", "--lane", "mx:c.example") == "2 copies to be tried now\n"
    assert [str(one.recipient.address) for one in office.entries()] == ["later@b.example"]


def test_dropped_mail_is_gone_without_a_word(trekctl: Shell, office: Office) -> None:
    assert trekctl.json("queue", "drop", "--recipient", "two@c.example") == {"changed": 1}
    assert trekctl("queue", "drop", *(str(one.number) for one in office.entries())) == "2 copies dropped\n"
    assert office.entries() == []
    assert office.inbox("alice@example.com") == []
    trekctl("queue", "drop", "--all", status=FAILED)
    assert "nothing to drop" in trekctl.error


@pytest.mark.parametrize("arguments", [(), ("1", "--all"), ("--all", "--held"), ("1", "--lane", "local")])
def test_what_to_change_is_said_once(trekctl: Shell, office: Office, arguments: tuple[str, ...]) -> None:
    """Nothing is dropped because a filter was forgotten."""
    trekctl("queue", "drop", *arguments, status=2)
    assert len(office.entries()) == 3


def test_suppressions_are_listed_and_removed(trekctl: Shell, office: Office) -> None:
    office.fake.failures["b.example"] = NOBODY
    office.send("gone@b.example")
    (one,) = trekctl.json("queue", "suppressions", "list", "--account", "Alice@example.com")
    assert (one["account"], one["address"], one["status"]) == (ALICE.principal, "gone@b.example", "5.1.1")
    assert "550 5.1.1 nobody here" in trekctl("queue", "suppressions", "list")
    assert trekctl.json("queue", "suppressions", "list", "--account", "bob@example.com") == []
    trekctl("queue", "suppressions", "remove", status=2)
    assert trekctl("queue", "suppressions", "remove", "gone@b.example") == "removed 1 suppression\n"
    trekctl("queue", "suppressions", "remove", "--all", status=FAILED)


def test_a_queue_needs_its_daemon(trekctl: Shell) -> None:
    trekctl.daemon_runs = False
    trekctl("queue", "list", status=NO_DAEMON)


def test_requests_of_a_wrong_shape_are_refused(trekctl: Shell, office: Office) -> None:
    control = DirectControl(trekctl.host)
    for body in ({}, {"select": {"lane": 1}}, {"select": {"held": "yes"}}, {"select": {"x": "y"}}, {"select": []}, 5):
        with pytest.raises(Exception, match="expected"):
            control.ask("POST", ("queue", "drop"), body)
    with pytest.raises(Exception, match="expected"):
        control.ask("POST", ("queue", "eat"), {"select": {}})
    with pytest.raises(Exception, match="expected"):
        control.ask("GET", ("queue",), limit="many")
    assert len(office.entries()) == 3
