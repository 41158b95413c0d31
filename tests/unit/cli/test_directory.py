"""C{trekctl directory}."""

from __future__ import annotations

from typing import Any

from tests.fakes.administration import Administered
from tests.unit.cli.test_commands import Shell, trekctl
from trekd.cli.failures import FAILED, NO_DAEMON
from trekd.directory.interfaces import Step
from trekd.values import Address

__all__ = ["trekctl"]


class Explaining:
    """A directory that explains itself."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []

    async def explain(self, address: Address, password: str | None) -> tuple[Step, ...]:
        self.asked.append((str(address), password))
        wrong = Step("password", "refused: wrong password", password == "right")
        return (Step("entry", "uid=alice,dc=example"), Step("  mail", "alice@example.com"), wrong)


def test_steps_of_a_login_are_shown(trekctl: Shell) -> None:
    diagnosis: Any = Explaining()
    trekctl.host = Administered(diagnosis=diagnosis)
    arguments = ("directory", "test", "alice@example.com", "--password-stdin")
    assert trekctl(*arguments, stdin="wrong\r\n", status=FAILED) == (
        "GOOD  STEP      ANSWER\n"
        "yes   domain    example.com is served\n"
        "yes   entry     uid=alice,dc=example\n"
        "yes     mail    alice@example.com\n"
        "NO    password  refused: wrong password\n"
    )
    told = trekctl.json(*arguments, stdin="right\n")
    assert told[1] == {"step": "entry", "text": "uid=alice,dc=example", "good": True}
    assert diagnosis.asked == [("alice@example.com", "wrong"), ("alice@example.com", "right")]


def test_a_domain_that_is_not_served_is_told(trekctl: Shell) -> None:
    diagnosis: Any = Explaining()
    trekctl.host = Administered(diagnosis=diagnosis)
    shown = trekctl("directory", "test", "alice@example.org", status=FAILED)
    assert "NO    domain    refused before the directory is asked" in shown
    assert diagnosis.asked == [("alice@example.org", None)]


def test_the_embedded_directory_has_no_steps(trekctl: Shell) -> None:
    trekctl("directory", "test", "alice@example.com", status=FAILED)
    assert "see trekctl account show" in trekctl.error


def test_flush_of_one_account_and_of_all(trekctl: Shell) -> None:
    flushed: list[Address | None] = []
    trekctl.host = Administered(flush=flushed.append)
    assert trekctl("directory", "flush", "Alice@example.com") == "forgot what was remembered of Alice@example.com\n"
    assert trekctl.json("directory", "flush") == {}
    assert flushed == [Address("Alice", "example.com"), None]
    trekctl("directory", "flush", "alice", status=FAILED)
    assert len(flushed) == 2


def test_flush_needs_the_daemon(trekctl: Shell) -> None:
    trekctl.daemon_runs = False
    trekctl("directory", "flush", status=NO_DAEMON)
