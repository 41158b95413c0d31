"""Kill the queue's process at any time: what it acknowledged is there once, and nothing else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.postoffice import run_here
from tests.unit.queue.support import run
from trekd.queue.contents import INLINE
from trekd.queue.spool import Spool
from trekd.queue.spoolfile import SpoolFile

WRITER = """
import os, signal, sys
from pathlib import Path
from tests.fakes.postoffice import run_here
from tests.unit.queue.support import run
from trekd.queue.interfaces import MailTransaction, Recipient, Route, RouteKind
from trekd.queue.spool import Spool
from trekd.queue.spoolfile import SpoolFile
from trekd.store.contents import InMemory
from trekd.values import Address

countdown = [int(sys.argv[4])]

def failpoint(moment):
    if moment == sys.argv[3]:
        countdown[0] -= 1
        if not countdown[0]:
            os.kill(os.getpid(), signal.SIGKILL)

file = SpoolFile(Path(sys.argv[1]), 1_000_000, failpoint)
file.open()
spool = Spool(file, run_here)
route = Route(RouteKind.RELAY)
transaction = MailTransaction(None, tuple(Recipient(Address(name, "elsewhere.example"), route) for name in "ab"))
for number in range(1_000_000):
    content = b"%d\\r\\n" % number + b"x" * (int(sys.argv[2]) if number % 2 else 10)
    id = run(spool.put(transaction, InMemory(content), b"", 0.0))
    print(id, number, flush=True)
"""


def written_until_killed(directory: Path, moment: str, count: int) -> list[list[bytes]]:
    """
    Identifiers and numbers that were acknowledged.

    @param moment: the failpoint of the end; with C{-} the writer is killed after it said C{count} lines.
    """
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(directory), str(INLINE + 1), moment, str(count)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert writer.stdout is not None
    told: list[list[bytes]] = []
    if moment == "-":
        told = [writer.stdout.readline().split() for _ in range(count)]
        writer.send_signal(signal.SIGKILL)
    told += [line.split() for line in writer.stdout.read().splitlines() if len(line.split()) == 2]
    assert writer.wait() == -signal.SIGKILL
    writer.stdout.close()
    return told


def verify(directory: Path, told: list[list[bytes]]) -> None:
    file = SpoolFile(directory, 1_000_000)
    file.open()
    spool = Spool(file, run_here)
    entries = run(spool.entries(1_000_000))
    queued = {entry.message: entry for entry in entries}
    for id, number in told:
        assert [entry.message for entry in entries].count(id.decode()) == 2
        assert run(spool.content(queued[id.decode()]).octets()).startswith(number + b"\r\n")
    assert len(queued) - len(told) in (0, 1)
    files = {path.name for path in (directory / "messages").iterdir()}
    assert files == {entry.message for entry in entries if entry.size > INLINE}
    run(spool.close())


@pytest.mark.parametrize("acknowledged", [1, 7, 30])
def test_acknowledged_messages_survive_a_kill(tmp_path: Path, acknowledged: int) -> None:
    verify(tmp_path / "queue", written_until_killed(tmp_path / "queue", "-", acknowledged))


@pytest.mark.parametrize("moment", ["before commit", "after commit"])
@pytest.mark.parametrize("times", [1, 2, 9, 10])
def test_a_kill_around_a_commit(tmp_path: Path, moment: str, times: int) -> None:
    told = written_until_killed(tmp_path / "queue", moment, times)
    assert len(told) == times - 1
    verify(tmp_path / "queue", told)
