"""todoman: tasks made on one device and done on another, by way of vdirsyncer and a started daemon."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.clients.daemon import Daemon
from tests.clients.programs import require, run
from tests.clients.vdirsyncer import Device

CONFIG = """\
path = "{files}/tasks*"
date_format = "%Y-%m-%d"
time_format = "%H:%M"
default_list = "tasks"
cache_path = "{directory}/todoman.db"
"""


class Todoman:
    """todoman with the tasks of one device."""

    def __init__(self, device: Device, directory: Path) -> None:
        self._config = directory / "todoman.py"
        self._config.write_text(CONFIG.format(files=device.files, directory=directory))

    def run(self, *arguments: str) -> str:
        """One command; what it prints."""
        command = (require("todo"), "--config", str(self._config), "--color", "never", *arguments)
        return run("env", f"PATH={os.environ['PATH']}", *command).stdout.decode()


def test_a_task_is_done_elsewhere(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    daemon = Daemon(tmp_path_factory.mktemp("todoman"))
    daemon.add_accounts({"alice@example.com": "pro"})
    daemon.start()
    try:
        devices = [Device(daemon, tmp_path / str(number)) for number in range(2)]
        for each in devices:
            each.discover()
        first, second = (Todoman(each, tmp_path / str(number)) for number, each in enumerate(devices))
        first.run("new", "--due", "2026-03-05", "Buy milk")
        first.run("new", "Call the dentist")
        for each in devices:
            each.sync()
        told = second.run("list")
        assert "2026-03-05 Buy milk" in told
        assert "Call the dentist" in told
        number = next(line.split()[2] for line in told.splitlines() if "Buy milk" in line)
        second.run("done", number)
        for each in reversed(devices):
            each.sync()
        left = first.run("list")
        assert "Buy milk" not in left
        assert "Call the dentist" in left
    finally:
        daemon.close()
