"""khal: events typed in on one device, seen on another, by way of vdirsyncer and a started daemon."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.daemon import Daemon
from tests.clients.programs import require, run
from tests.clients.vdirsyncer import Device

CONFIG = """\
[calendars]
[[remote]]
path = {files}/calendar
[locale]
timeformat = %H:%M
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%d %H:%M
longdatetimeformat = %Y-%m-%d %H:%M
local_timezone = Europe/Berlin
default_timezone = Europe/Berlin
[default]
default_calendar = remote
[sqlite]
path = {directory}/khal.db
"""


class Khal:
    """khal with the calendar of one device."""

    def __init__(self, device: Device, directory: Path) -> None:
        self._config = directory / "khal"
        self._config.write_text(CONFIG.format(files=device.files, directory=directory))
        self._directory = directory

    def run(self, *arguments: str) -> str:
        """One command; what it prints."""
        finished = run(require("khal"), "--config", str(self._config), *arguments, cwd=self._directory)
        return finished.stdout.decode()


def test_an_event_in_a_zone_and_a_series(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    daemon = Daemon(tmp_path_factory.mktemp("khal"))
    daemon.add_accounts({"alice@example.com": "pro"})
    daemon.start()
    try:
        devices = [Device(daemon, tmp_path / str(number)) for number in range(2)]
        for each in devices:
            each.discover()
        first, second = (Khal(each, tmp_path / str(number)) for number, each in enumerate(devices))
        first.run("new", "2026-03-02", "10:00", "11:00", "Dentist :: bring the card", "--location", "High Street")
        first.run("new", "2026-03-03", "09:00", "09:30", "Stand-up", "--repeat", "daily", "--until", "2026-03-06")
        first.run("new", "2026-03-04", "2026-03-06", "Fair")
        for each in devices:
            each.sync()
        wanted = ("list", "--format", "{start-date-long} {start-time} {title}", "2026-03-01", "7d")
        told = second.run(*wanted)
        assert told == first.run(*wanted)
        assert "2026-03-02 10:00 Dentist" in told
        assert told.count("Stand-up") == 3
        assert told.count("Fair") == 3
    finally:
        daemon.close()
