"""Kill the queue's process at any time: what it acknowledged is there once, and nothing else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from trekd.queue.spool import INLINE, SpoolFile

WRITER = """
import sys
from pathlib import Path
from trekd.queue.interfaces import MailTransaction, Recipient, Route, RouteKind
from trekd.queue.spool import SpoolFile
from trekd.values import Address

spool = SpoolFile(Path(sys.argv[1]), 1_000_000)
spool.open()
route = Route(RouteKind.RELAY)
transaction = MailTransaction(None, tuple(Recipient(Address(name, "elsewhere.example"), route) for name in "ab"))
for number in range(1_000_000):
    content = b"%d\\r\\n" % number + b"x" * (int(sys.argv[2]) if number % 2 else 10)
    id = spool.put(transaction, content, 0.0)
    print(id, number, flush=True)
"""


@pytest.mark.parametrize("acknowledged", [1, 7, 30])
def test_acknowledged_messages_survive_a_kill(tmp_path: Path, acknowledged: int) -> None:
    directory = tmp_path / "queue"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(directory), str(INLINE + 1)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert writer.stdout is not None
    told = [writer.stdout.readline().split() for _ in range(acknowledged)]
    writer.send_signal(signal.SIGKILL)
    told += [line.split() for line in writer.stdout.read().splitlines() if len(line.split()) == 2]
    writer.wait()
    writer.stdout.close()

    spool = SpoolFile(directory, 1_000_000)
    spool.open()
    entries = spool.entries(1_000_000)
    queued = [entry.message for entry in entries]
    for id, number in told:
        assert queued.count(id.decode()) == 2
        assert spool.content(id.decode()).startswith(number + b"\r\n")
    assert len(set(queued)) - len(told) in (0, 1)
    files = {path.name for path in (directory / "messages").iterdir()}
    assert files == {entry.message for entry in entries if entry.size > INLINE}
    spool.close()
