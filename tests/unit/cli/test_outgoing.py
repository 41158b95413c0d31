"""trekctl smtp and trekctl usage: what is asked, what is printed, and how failures are told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.test_commands import Shell
from tests.unit.queue.support import ALICE, run
from tests.unit.web.test_outgoing import BAD, Desk
from trekd.cli.failures import FAILED, NO_DAEMON, USAGE

ADD = ("smtp", "add", "acme", "--host", "smtp.acme.example", "--user", "apikey", "--password-stdin")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def trekctl(
    tmp_path: Path, desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shell]:
    mask = os.umask(0o022)
    shell = Shell(tmp_path, capsys, monkeypatch)
    shell.host = desk.host
    yield shell
    os.umask(mask)


def test_a_profile_from_add_to_remove(trekctl: Shell, desk: Desk) -> None:
    """The steps of its test, who uses it, and the lane that waits for its owner."""
    assert trekctl(*ADD, stdin="hunter2\n") == "ok  resolve  it is there\nok  login    logged in\nadded acme\n"
    assert desk.probe.seen[0].secret == "hunter2"
    assert trekctl("smtp", "use", "acme", "--default") == "mail of the default goes through acme\n"
    desk.lanes["profile:acme"] = {"open": False, "since": 0, "reply": "535 5.7.8 no"}
    assert trekctl("smtp", "list") == (
        "PROFILE  OWNER      SERVER                 TLS       USER    USED BY      STATE\n"
        "acme     everybody  smtp.acme.example:465  implicit  apikey  the default  CLOSED: 535 5.7.8 no\n"
    )
    desk.lanes["profile:acme"] = {"open": True, "since": 1700000000, "reply": "no connection"}
    assert "  FAILS since 2023-11-14 22:13:20Z: no connection\n" in trekctl("smtp", "list")
    assert "hunter2" not in trekctl("smtp", "show", "acme")
    trekctl("smtp", "remove", "acme", status=FAILED)
    assert "is used by the default" in trekctl.error
    trekctl("smtp", "use", "inherit", "--default")
    assert trekctl("smtp", "remove", "acme") == "removed acme\n"
    assert trekctl.json("smtp", "list") == []


def test_what_does_not_work_is_a_failure_with_its_steps(trekctl: Shell, desk: Desk) -> None:
    desk.probe.steps = BAD
    assert trekctl(*ADD, stdin="wrong\n", status=FAILED) == "ok  resolve  it is there\nBAD login    535 no\n"
    assert "nothing was saved" in trekctl.error
    answer: Any = trekctl.json(*ADD, stdin="wrong\n", status=FAILED)
    assert answer["saved"] is False
    trekctl(*ADD, "--no-test", stdin="hunter2\n")
    assert "acme does not work" in trekctl("smtp", "test", "acme", status=FAILED)


def test_a_password_is_never_an_argument(trekctl: Shell) -> None:
    """Without a terminal it must come on standard input."""
    trekctl(*ADD[:-1], status=USAGE)
    assert "--password-stdin" in trekctl.error
    with pytest.raises(SystemExit):
        trekctl("smtp", "set", "acme", "--password=hunter2")


def test_what_changes_nothing_is_wrong_usage(trekctl: Shell) -> None:
    trekctl(*ADD, stdin="hunter2\n")
    trekctl("smtp", "set", "acme", "--no-test", status=USAGE)
    assert trekctl("smtp", "set", "acme", "--port", "2465").endswith("changed acme\n")
    assert trekctl.json("smtp", "show", "acme")["port"] == 2465


def test_a_lost_key_names_the_profiles(trekctl: Shell, desk: Desk, tmp_path: Path) -> None:
    trekctl(*ADD, stdin="hunter2\n")
    assert trekctl("smtp", "rekey") == "all passwords are sealed with a new key\n"
    (tmp_path / "own-smtp.key").unlink()
    desk.profiles._keys._keys = ()
    assert "own-smtp.key is not there" in trekctl("smtp", "list")
    assert "the passwords of acme are lost" in trekctl("smtp", "rekey", status=FAILED)


def test_usage_in_words(trekctl: Shell, desk: Desk) -> None:
    desk.office.accept("friend@elsewhere.example", submitter=ALICE)
    run(desk.office.usage.of(ALICE))
    assert trekctl("usage", "alice@example.com") == (
        "account                     alice@example.com\n"
        "plan                        pro\n"
        "messages in the last hour   1 of 400\n"
        "messages in 24 hours        1 of 2000\n"
        "new recipients in 24 hours  1 of 500\n"
    )
    assert trekctl("usage", "--top") == (
        "ACCOUNT            MESSAGES IN 24 H  NEW RECIPIENTS\nalice@example.com  1                 1\n"
    )
    trekctl.daemon_runs = False
    trekctl("usage", "alice@example.com", status=NO_DAEMON)
