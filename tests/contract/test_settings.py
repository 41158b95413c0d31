"""The settings of accounts, on a real file."""

from __future__ import annotations

from pathlib import Path

import pytest
from zope.interface.verify import verifyObject

from tests.fakes.postoffice import run_here
from tests.unit.queue.support import address, run
from trekd.errors import ConfigFault, StoreFull, SyntaxFault
from trekd.filters.interfaces import Forwarding, ISettings, Vacation
from trekd.filters.settings import Settings
from trekd.filters.settingsfile import MAX_CLAIMS, SettingsFile
from trekd.values import Address, PrincipalId

ALICE, BOB = PrincipalId("alice@example.com"), PrincipalId("bob@example.com")
AWAY = Vacation("Weg.\nGrüße", "Betreff", 10.0, 20.0, 3)
ON = Forwarding((address("bob@example.com"), Address("odd local", "x.example")), keep=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "filters.sqlite"


def opened(path: Path) -> Settings:
    return Settings(SettingsFile(path), run_here)


def test_it_is_what_it_should_be(path: Path) -> None:
    assert verifyObject(ISettings, opened(path))
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_is_set_is_there_after_a_restart(path: Path) -> None:
    settings = opened(path)
    assert run(settings.forwarding(ALICE)) is run(settings.vacation(ALICE)) is None
    run(settings.set_forwarding(ALICE, ON))
    run(settings.set_vacation(ALICE, AWAY))
    for one in (settings, opened(path)):
        assert (run(one.forwarding(ALICE)), run(one.vacation(ALICE))) == (ON, AWAY)
        assert run(one.forwarding(BOB)) is None


def test_what_is_ended_is_gone(path: Path) -> None:
    settings = opened(path)
    run(settings.set_forwarding(ALICE, ON))
    run(settings.set_vacation(ALICE, AWAY))
    run(settings.set_forwarding(ALICE, None))
    run(settings.set_vacation(ALICE, None))
    run(settings.set_vacation(BOB, AWAY))
    run(settings.forget(BOB))
    for one in (settings, opened(path)):
        for principal in (ALICE, BOB):
            assert run(one.forwarding(principal)) is run(one.vacation(principal)) is None


def test_a_claim_holds_for_its_time_and_for_its_account(path: Path) -> None:
    settings = opened(path)
    assert run(settings.claim(ALICE, "x", 100.0, 10.0))
    assert not run(settings.claim(ALICE, "x", 109.0, 10.0))
    assert not run(opened(path).claim(ALICE, "x", 109.0, 10.0))
    assert run(settings.claim(BOB, "x", 109.0, 10.0))
    assert run(settings.claim(ALICE, "x", 110.0, 10.0))
    # The clock was set back.
    assert run(settings.claim(ALICE, "x", 50.0, 10.0))


def test_a_new_answer_begins_anew(path: Path) -> None:
    settings = opened(path)
    run(settings.claim(ALICE, "x", 100.0, 10.0))
    run(settings.set_vacation(ALICE, AWAY))
    assert run(settings.claim(ALICE, "x", 101.0, 10.0))


def test_claims_are_bounded_and_the_oldest_go(path: Path) -> None:
    settings = opened(path)
    database = settings._file._database
    rows = ((ALICE, str(number), float(number)) for number in range(MAX_CLAIMS))
    database.executemany("INSERT INTO claim VALUES (?, ?, ?)", rows)
    assert run(settings.claim(ALICE, "new", 1e6, 1e9))
    assert database.execute("SELECT count(*) FROM claim").fetchone()[0] == MAX_CLAIMS
    assert run(settings.claim(ALICE, "0", 1e6, 1e9))
    assert not run(settings.claim(ALICE, str(MAX_CLAIMS - 1), 1e6, 1e9))


def test_a_file_that_fails_is_unavailable(path: Path) -> None:
    settings = opened(path)
    run(settings.set_forwarding(ALICE, ON))
    run(settings.close())
    with pytest.raises(StoreFull):
        run(settings.forwarding(ALICE))
    with pytest.raises(StoreFull):
        run(settings.claim(ALICE, "x", 0.0, 1.0))


def test_a_damaged_or_later_file_is_told(path: Path) -> None:
    settings = opened(path)
    settings._file._database.execute("PRAGMA user_version = 99")
    run(settings.close())
    with pytest.raises(ConfigFault, match="newer"):
        opened(path)
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(ConfigFault, match="not a usable file"):
        opened(path)


@pytest.mark.parametrize(
    "fields",
    [
        {"text": ""},
        {"text": "x" * 20_000},
        {"text": "a\0"},
        {"subject": "a\nb"},
        {"days": 0},
        {"until": 5.0, "since": 6.0},
    ],
)
def test_answers_that_cannot_be(fields: dict[str, object]) -> None:
    with pytest.raises(SyntaxFault):
        Vacation(**{"text": "x", **fields})  # type: ignore[arg-type]


def test_forwards_that_cannot_be() -> None:
    for targets in ((), tuple(address(f"a{number}@x.example") for number in range(21)), (ON.targets[0],) * 2):
        with pytest.raises(SyntaxFault):
            Forwarding(targets)
