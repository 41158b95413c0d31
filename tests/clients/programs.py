"""Programs that tests drive: found, or a loud skip, which in CI is a failure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def require(program: str) -> str:
    """The program's path, beside Python's own programs first; without it the test is skipped, in CI failed."""
    path = shutil.which(program, path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
    if path is not None:
        return path
    if os.environ.get("CI") == "true":
        pytest.fail(f"{program} is not installed; the test run should have installed it")
    pytest.skip(f"NOT TESTED: {program} is not installed")


FAIL2BAN_FILTER = Path(__file__).parents[2] / "etc/fail2ban/filter.d/trekmail.conf"


def addresses_to_ban(log: Path) -> list[str]:
    """The addresses that fail2ban finds in a log, one for each line that counts."""
    found = run(require("fail2ban-regex"), "--out", "id", str(log), str(FAIL2BAN_FILTER))
    return found.stdout.decode().split()


def run(
    *command: str, cwd: Path | None = None, input: bytes | None = None, status: int | None = 0
) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end; C{status} C{None} accepts any exit status."""
    finished = subprocess.run(
        command, cwd=cwd, input=input, capture_output=True, timeout=120, check=False
    )
    assert status is None or finished.returncode == status, (command, finished)
    return finished
