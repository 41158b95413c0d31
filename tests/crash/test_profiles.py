"""Kill whoever changes profiles at any time: what was acknowledged is there, whole, and its secret opens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.postoffice import run_here
from tests.unit.queue.support import run
from trekd.relay.profilefile import ProfileFile
from trekd.relay.profiles import Profiles
from trekd.relay.sealing import KeyFile

WRITER = """
import sys
from pathlib import Path
from tests.fakes.postoffice import run_here
from tests.unit.queue.support import run
from trekd.relay.interfaces import ProfileSettings, TLSMode
from trekd.relay.profilefile import ProfileFile
from trekd.relay.profiles import Profiles
from trekd.relay.sealing import KeyFile

directory = Path(sys.argv[1])
file = ProfileFile(directory / "own-smtp.sqlite")
file.open()
profiles = Profiles(file, KeyFile(directory / "keys" / "own-smtp.key"), run_here)
for number in range(1_000_000):
    name = f"p{number}"
    run(profiles.add(ProfileSettings(name, "", "smtp.example", 465, TLSMode.IMPLICIT, "user"), f"secret {number}"))
    run(profiles.use(f"{name}@example.com", name))
    if number % 3 == 2:
        run(profiles.rekey())
    print(number, flush=True)
"""


@pytest.mark.parametrize("acknowledged", [1, 3, 10, 20])
def test_acknowledged_profiles_survive_a_kill(tmp_path: Path, acknowledged: int) -> None:
    """Also in the middle of a new key for all of them: no secret is ever without its key."""
    root = Path(__file__).parents[2]
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        stdout=subprocess.PIPE,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert writer.stdout is not None
    for _ in range(acknowledged):
        assert writer.stdout.readline()
    writer.send_signal(signal.SIGKILL)
    told = acknowledged + len(writer.stdout.read().splitlines())
    writer.wait()
    writer.stdout.close()

    file = ProfileFile(tmp_path / "own-smtp.sqlite")
    file.open()
    profiles = Profiles(file, KeyFile(tmp_path / "keys" / "own-smtp.key"), run_here)
    records = run(profiles.profiles())
    assert told <= len(records) <= told + 1
    assert [record.problem for record in records] == [""] * len(records)
    for number in range(told):
        assert run(profiles.open(f"p{number}")).secret == f"secret {number}"
        assert (f"p{number}@example.com",) in [record.used_by for record in records if record.name == f"p{number}"]
    run(profiles.close())
