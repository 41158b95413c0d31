"""
Killed at any moment between taking a message and being done with it: what was acknowledged arrives, and at most what
was on its way arrives twice.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.crash.postman import RECIPIENTS, Postman
from tests.unit.queue.support import run

ROOT = Path(__file__).parents[2]


def killed(directory: Path, moment: str, times: int) -> set[int]:
    """Numbers of the messages that were acknowledged."""
    process = subprocess.run(
        [sys.executable, "-m", "tests.crash.postman", str(directory), moment, str(times)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL
    return {int(line.split()[1]) for line in process.stdout.splitlines()}


def arrived(directory: Path) -> Counter[tuple[int, str]]:
    lines = (directory / "got").read_text().splitlines()
    return Counter((int(number), recipient) for number, recipient in map(str.split, lines))


@pytest.mark.parametrize("times", [1, 2, 10, 23])
@pytest.mark.parametrize("moment", ["before commit", "after commit", "attempt", "sent", "delivery", "delivered"])
def test_killed_on_the_way(tmp_path: Path, moment: str, times: int) -> None:
    acknowledged = killed(tmp_path, moment, times)
    assert acknowledged or times < 10
    before = arrived(tmp_path)
    office = Postman(tmp_path)
    for _ in range(100):
        office.clock.advance(60)
    assert office.pending() == 0
    run(office.dispatcher.stop())
    run(office.spool.close())
    assert list((tmp_path / "queue" / "messages").iterdir()) == []
    after = arrived(tmp_path)
    wanted = {(number, recipient) for number in acknowledged for recipient in RECIPIENTS}
    assert wanted - set(after) == set()
    assert sum(count - 1 for count in after.values()) <= 1
    # One message may have been taken without being acknowledged.
    assert len({number for number, _ in after} - acknowledged) <= 1
    assert set(before) <= set(after)


def test_a_kill_after_a_kill(tmp_path: Path) -> None:
    """Over and over: nothing is lost on the way to the end either."""
    acknowledged = killed(tmp_path, "sent", 5)
    for moment in ("after commit", "attempt", "before commit"):
        acknowledged |= killed(tmp_path, moment, 6)
    office = Postman(tmp_path)
    for _ in range(100):
        office.clock.advance(60)
    assert office.pending() == 0
    after = arrived(tmp_path)
    assert {(number, recipient) for number in acknowledged for recipient in RECIPIENTS} - set(after) == set()
