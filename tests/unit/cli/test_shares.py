"""trekctl share: what is asked, what is printed, and how failures are told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.davsite import ALICE, BOB
from tests.unit.cli.test_commands import Shell
from tests.unit.web.test_shares import EVENTS, Office
from trekd.cli.failures import FAILED, NO_DAEMON, USAGE


@pytest.fixture
def trekctl(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shell]:
    mask = os.umask(0o022)
    shell = Shell(tmp_path, capsys, monkeypatch)
    shell.host = Office().host
    yield shell
    os.umask(mask)


def test_a_share_from_add_to_remove(trekctl: Shell) -> None:
    assert trekctl("share", "add", ALICE, EVENTS, BOB) == f"{BOB} reads: {EVENTS}\n"
    assert trekctl("share", "add", ALICE, EVENTS, "everybody", "--right", "freebusy") == (
        f"everybody sees when busy: {EVENTS}\n"
    )
    assert trekctl("share", "list", ALICE) == (
        "COLLECTION          GRANTEE          RIGHT           IN THEIR HOME\n"
        "calendars/calendar  everybody        sees when busy  no\n"
        "calendars/calendar  bob@example.com  reads           yes\n"
    )
    assert trekctl("share", "remove", ALICE, EVENTS, BOB) == f"{BOB} has no right to {EVENTS} any more\n"
    assert trekctl.json("share", "list", ALICE) == [
        {"collection": EVENTS, "grantee": "everybody", "right": "freebusy", "shown": False}
    ]


def test_failures_are_told(trekctl: Shell) -> None:
    trekctl("share", "add", ALICE, "calendars/none", BOB, status=FAILED)
    assert trekctl.error.startswith("trekctl: there is no calendar or address book calendars/none")
    trekctl("share", "add", ALICE, EVENTS, "nobody@example.com", status=FAILED)
    assert "no account nobody@example.com" in trekctl.error
    trekctl.daemon_runs = False
    trekctl("share", "list", ALICE, status=NO_DAEMON)


def test_rights_that_are_none_are_wrong_usage(trekctl: Shell) -> None:
    with pytest.raises(SystemExit) as refused:
        trekctl("share", "add", ALICE, EVENTS, BOB, "--right", "own")
    assert refused.value.code == USAGE
