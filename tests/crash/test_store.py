"""
Killed at any moment, the SQLite store has every acknowledged message once, and its accounts check clean.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.crash.appender import ALICE, settings
from tests.fakes.mime import PlainReader
from tests.fakes.running import PumpedReactor
from trekd.store.interfaces import Column, IAccountStore, LineTemplate
from trekd.store.sqlite.store import SQLiteStore

ENGINES = ("sqlite3", *(["apsw"] if find_spec("apsw") else []))
ROOT = Path(__file__).parents[2]


def run_until_killed(engine: str, directory: Path, moment: str, count: int) -> list[str]:
    """
    What the appender said before its end.

    @param moment: the failpoint of its end; with C{-} it is killed after it has said C{count} lines.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.appender", engine, str(directory), moment, str(count)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    lines: list[str] = []
    with process.stdout:
        for line in process.stdout:
            lines.append(line.decode().strip())
            if moment == "-" and len(lines) == count:
                process.kill()
    assert process.wait(60) == -signal.SIGKILL
    return lines


def expected(lines: list[str]) -> tuple[set[str], set[str]]:
    """
    Markers of messages that must be there, and of those that may be.

    A line that the kill cut short says nothing, nor does a removal that was not acknowledged.
    """
    there, replaced = said(lines, "there"), said(lines, "swapped")
    must = there - said(lines, "going") - said(lines, "swapping")
    may = there - said(lines, "gone") - replaced
    new = {f"new-{marker}" for marker in said(lines, "swapping")}
    return must | {f"new-{marker}" for marker in replaced}, may | new


def said(lines: list[str], what: str) -> set[str]:
    """The markers of which that was said."""
    return {marker for kind, _, marker in (line.partition(" ") for line in lines) if kind == what}


async def subjects(account: IAccountStore) -> Counter[str]:
    """How often each subject is found in the account."""
    found: Counter[str] = Counter()
    for mailbox in await account.mailboxes():
        view = (await account.open(mailbox.name)).view
        if not view.uids:
            continue
        template = LineTemplate((Column.ENVELOPE, b"|"))
        octets = b"".join(
            [piece.octets async for piece in account.list_messages(view, (range(len(view.uids)),), template)]
        )
        found.update(line.split(b'"')[1].decode() for line in octets.split(b"|")[:-1])
    return found


@pytest.fixture
def reactor() -> PumpedReactor:
    """Runs the store that is opened again."""
    return PumpedReactor()


def verify(engine: str, directory: Path, lines: list[str], reactor: PumpedReactor) -> None:
    """Open the store again and look."""
    store = SQLiteStore(settings(engine, directory), PlainReader(), reactor)
    account = reactor.run(store.open(ALICE))
    found = reactor.run(subjects(account))
    complaints = reactor.run(account.check())
    reactor.run(store.close())
    must, may = expected(lines)
    assert complaints == ()
    assert {marker: times for marker, times in found.items() if times > 1} == {}
    assert must - set(found) == set()
    # Of a message and the one in its place there is one, acknowledged or not (RFC 8508 §3.4).
    for marker in said(lines, "swapping"):
        assert found[marker] + found[f"new-{marker}"] == 1
    # Besides, each stream may have one message that was durable when the end came before the acknowledgement.
    assert len(set(found) - may) <= 8


MOMENTS = ("prepared", "before commit", "COMMIT", "after commit", "delivered", "kept up")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_a_failpoint(engine: str, moment: str, tmp_path: Path, reactor: PumpedReactor) -> None:
    lines = run_until_killed(engine, tmp_path / "store", moment, 40)
    assert lines
    verify(engine, tmp_path / "store", lines, reactor)


@pytest.mark.parametrize("engine", ENGINES)
def test_killed_in_the_first_batch(engine: str, tmp_path: Path, reactor: PumpedReactor) -> None:
    """Before anything was acknowledged."""
    lines = run_until_killed(engine, tmp_path / "store", "before commit", 1)
    verify(engine, tmp_path / "store", lines, reactor)


@pytest.mark.parametrize("engine", ENGINES)
def test_killed_by_somebody(engine: str, tmp_path: Path, reactor: PumpedReactor) -> None:
    """At some moment, which is another each time."""
    lines = run_until_killed(engine, tmp_path / "store", "-", random.randint(50, 600))
    verify(engine, tmp_path / "store", lines, reactor)
