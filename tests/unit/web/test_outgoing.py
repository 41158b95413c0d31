"""trekctl's operations on own-SMTP providers and on what accounts sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.administration import Administered
from tests.fakes.postoffice import run_here
from tests.fakes.profiles import FakeProbe
from tests.unit.queue.support import ALICE, PostOffice, run
from trekd.errors import (
    LaneClosed,
    NoSuchAccount,
    NoSuchProfile,
    NotPermitted,
    ProfileExists,
    SyntaxFault,
)
from trekd.relay.interfaces import ProbeStep, TLSMode
from trekd.relay.profilefile import ProfileFile
from trekd.relay.profiles import Profiles
from trekd.relay.sealing import KeyFile
from trekd.web.replies import describe

GOOD = (ProbeStep("resolve", "it is there"), ProbeStep("login", "logged in"))
BAD = (ProbeStep("resolve", "it is there"), ProbeStep("login", "535 no", is_good=False))
ACME = {"name": "acme", "host": "SMTP.Acme.example.", "user": "apikey", "password": "hunter2"}


class Desk:
    """Operations over real profiles, a test that says what it is told to, and lanes in a dictionary."""

    def __init__(self, path: Path) -> None:
        file = ProfileFile(path / "own-smtp.sqlite")
        file.open()
        self.profiles = Profiles(file, KeyFile(path / "own-smtp.key"), run_here)
        self.probe = FakeProbe(*GOOD)
        self.lanes: dict[str, Mapping[str, Any]] = {}
        self.office = PostOffice(path)
        self.host = Administered(
            directory=self.office.directory,
            profiles=self.profiles,
            probe=self.probe,
            usage=self.office.usage,
            lanes=lambda: self.lanes,
        )
        self.does = self.host.operations.outgoing

    def add(self, **more: Any) -> Any:
        return run(self.does.add({**ACME, **more}))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_profile_that_works_is_saved_and_its_password_shown_to_nobody(desk: Desk) -> None:
    """The host as it is connected to, the port that belongs to the mode."""
    answer = desk.add()
    assert answer["saved"]
    assert [each["good"] for each in answer["steps"]] == [True, True]
    shown = answer["profile"]
    assert (shown["host"], shown["port"], shown["tls"]) == ("smtp.acme.example", 465, "implicit")
    assert desk.probe.seen[0].secret == "hunter2"
    assert "hunter2" not in repr(answer) + repr(run(desk.does.profiles())) + repr(run(desk.does.profile("acme")))
    assert desk.add(name="second", tls="starttls", host="bücher.example")["profile"]["port"] == 587
    assert run(desk.does.profile("second"))["host"] == "xn--bcher-kva.example"


def test_a_profile_that_does_not_work_is_not_saved(desk: Desk) -> None:
    desk.probe.steps = BAD
    answer = desk.add()
    assert not answer["saved"]
    assert answer["steps"][-1] == {"step": "login", "text": "535 no", "good": False}
    assert run(desk.does.profiles()) == []
    assert desk.add(test=False)["saved"]
    assert len(desk.probe.seen) == 1


def test_a_change_is_tested_with_the_stored_password(desk: Desk) -> None:
    """What is not given stays; a change that does not work is none."""
    desk.add()
    answer = run(desk.does.change("acme", {"tls": "starttls"}))
    assert (answer["profile"]["tls"], answer["profile"]["port"]) == ("starttls", 587)
    assert desk.probe.seen[-1].secret == "hunter2"
    assert desk.probe.seen[-1].tls is TLSMode.STARTTLS
    desk.probe.steps = BAD
    assert not run(desk.does.change("acme", {"host": "other.example"}))["saved"]
    assert run(desk.profiles.open("acme")).host == "smtp.acme.example"


def test_a_test_that_succeeds_opens_the_lane_and_one_that_fails_does_not(desk: Desk) -> None:
    told: list[str] = []
    desk.add()
    desk.profiles.watch(told.append)
    assert run(desk.does.test("acme"))["works"]
    desk.probe.steps = BAD
    assert not run(desk.does.test("acme"))["works"]
    assert told == ["acme"]


def test_the_list_says_who_uses_it_and_how_its_lane_does(desk: Desk) -> None:
    desk.add()
    run(desk.does.use("acme", {"mailbox": "alice@example.com"}))
    run(desk.does.use("acme", {"domain": "example.com"}))
    run(desk.does.use("acme", {"default": True}))
    desk.lanes["profile:acme"] = {"open": False, "since": 1.0, "reply": "535 5.7.8 no"}
    (shown,) = run(desk.does.profiles())
    assert shown["used_by"] == ["*", "alice@example.com", "example.com"]
    assert shown["lane"]["reply"] == "535 5.7.8 no"
    assert run(desk.profiles.assigned(ALICE)) == "acme"
    run(desk.does.use("server", {"mailbox": "alice@example.com"}))
    assert run(desk.profiles.assigned(ALICE)) == ""
    run(desk.does.use("inherit", {"mailbox": "alice@example.com"}))
    assert run(desk.profiles.assigned(ALICE)) == "acme"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({**ACME, "host": ""}, SyntaxFault),
        ({**ACME, "host": "a b"}, SyntaxFault),
        ({**ACME, "host": "mail.example.com"}, NotPermitted),
        ({**ACME, "port": 0}, SyntaxFault),
        ({**ACME, "port": "465"}, SyntaxFault),
        ({**ACME, "port": True}, SyntaxFault),
        ({**ACME, "tls": "none"}, SyntaxFault),
        ({**ACME, "user": 5}, SyntaxFault),
        ({**ACME, "user": "a\r\nMAIL FROM:<x@y>"}, SyntaxFault),
        ({**ACME, "password": ""}, SyntaxFault),
        ({**ACME, "owner": "elsewhere.example"}, NotPermitted),
        ({**ACME, "owner": "nobody@example.com"}, NoSuchAccount),
        ({**ACME, "sender": "nobody"}, SyntaxFault),
        ({**ACME, "name": "server"}, SyntaxFault),
        ({**ACME, "more": 1}, SyntaxFault),
        ([], SyntaxFault),
        (None, SyntaxFault),
    ],
)
def test_what_cannot_be_a_profile_is_refused_before_anybody_is_connected_to(
    desk: Desk, body: object, error: type[Exception]
) -> None:
    with pytest.raises(error):
        run(desk.does.add(body))
    assert desk.probe.seen == []
    assert run(desk.does.profiles()) == []


@pytest.mark.parametrize(
    ("name", "body", "error"),
    [
        ("none", {"mailbox": "alice@example.com"}, NoSuchProfile),
        ("acme", {"mailbox": "nobody@example.com"}, NoSuchAccount),
        ("acme", {"domain": "elsewhere.example"}, NotPermitted),
        ("acme", {}, SyntaxFault),
        ("acme", {"mailbox": "alice@example.com", "default": True}, SyntaxFault),
        ("acme", {"default": "yes"}, SyntaxFault),
    ],
)
def test_what_nobody_can_use_is_refused(desk: Desk, name: str, body: object, error: type[Exception]) -> None:
    desk.add()
    with pytest.raises(error):
        run(desk.does.use(name, body))


def test_names_are_taken_once_and_missing_ones_told(desk: Desk) -> None:
    desk.add()
    with pytest.raises(ProfileExists):
        desk.add()
    for work in (desk.does.profile, desk.does.test, desk.does.remove):
        with pytest.raises(NoSuchProfile):
            run(work("none"))
    status, told = describe(NoSuchProfile("none"))
    assert (status, told["text"]) == (404, "there is no SMTP profile none")
    run(desk.does.remove("acme"))
    with pytest.raises(LaneClosed):
        run(desk.profiles.open("acme"))


def test_what_was_said_of_who_left_can_be_taken_back(desk: Desk) -> None:
    """Or nobody could ever remove the profile."""
    desk.add()
    run(desk.profiles.use("left@example.com", "acme"))
    run(desk.profiles.use("former.example", "acme"))
    with pytest.raises(NoSuchAccount):
        run(desk.does.use("server", {"mailbox": "left@example.com"}))
    run(desk.does.use("inherit", {"mailbox": "Left@example.com"}))
    run(desk.does.use("inherit", {"domain": "Former.example"}))
    run(desk.does.remove("acme"))


def test_usage_shows_what_is_left(desk: Desk) -> None:
    """The instants are there only when something has to wait."""
    office = desk.office
    office.figures["pro"] = replace(office.figures["pro"], messages_per_day=2, messages_per_hour=0)
    office.accept("friend@elsewhere.example", submitter=ALICE)
    facts = run(desk.does.usage("alice@example.com"))
    assert facts["day"] == {"used": 1, "allowed": 2}
    assert (facts["messages_free"], facts["newcomers_free"]) == (None, None)
    office.accept("friend@elsewhere.example", submitter=ALICE)
    facts = run(desk.does.usage("alice@example.com"))
    assert facts["messages_free"] > office.clock.seconds() + 86_000
    assert run(desk.does.top("5")) == [{"account": "alice@example.com", "messages": 2, "newcomers": 1}]
    for bad in ("0", "", "x", "-1", "9999", "٣"):
        with pytest.raises(SyntaxFault):
            run(desk.does.top(bad))
    with pytest.raises(NoSuchAccount):
        run(desk.does.usage("nobody@example.com"))
