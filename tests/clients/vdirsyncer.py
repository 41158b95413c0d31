"""vdirsyncer as a device that keeps an account's collections as files."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.clients.daemon import PASSWORD, Daemon
from tests.clients.programs import require

CONFIG = """\
[general]
status_path = "{directory}/status/"

[pair all]
a = "local"
b = "remote"
collections = ["from a", "from b"]
conflict_resolution = {conflict}
metadata = ["displayname"{metadata}]

[storage local]
type = "filesystem"
path = "{directory}/files/"
fileext = "{suffix}"

[storage remote]
type = "{kind}"
url = "https://localhost:{port}/"
username = "{user}"
password = "{password}"
verify = "{certificate}"
"""


class Device:
    """One place with copies of an account's calendars, or of its address books."""

    def __init__(
        self,
        daemon: Daemon,
        directory: Path,
        user: str = "alice@example.com",
        kind: str = "caldav",
        conflict: str = "null",
    ) -> None:
        """
        @param kind: C{caldav} or C{carddav}.
        @param conflict: as vdirsyncer's C{conflict_resolution}.
        """
        self._directory = directory
        self.files = directory / "files"
        self.files.mkdir(parents=True)
        is_calendar = kind == "caldav"
        (directory / "config").write_text(
            CONFIG.format(
                directory=directory,
                conflict=conflict,
                metadata=', "color"' if is_calendar else "",
                suffix=".ics" if is_calendar else ".vcf",
                kind=kind,
                port=daemon.ports["https"],
                user=user,
                password=PASSWORD,
                certificate=daemon.certificate,
            )
        )

    def discover(self) -> None:
        """Find the collections of both sides, and make those that one has not."""
        self._run("discover", input="y\n" * 20)

    def sync(self, status: int | None = 0) -> str:
        """Synchronise; what it says."""
        return self._run("sync", status=status)

    def sync_metadata(self) -> str:
        """Synchronise names and colours."""
        return self._run("metasync")

    def items(self, collection: str) -> dict[str, str]:
        """The files of a collection: text by name."""
        return {path.name: path.read_text() for path in (self.files / collection).iterdir() if path.suffix}

    def _run(self, *arguments: str, input: str | None = None, status: int | None = 0) -> str:
        finished = subprocess.run(
            (require("vdirsyncer"), "--config", str(self._directory / "config"), *arguments),
            env={**os.environ, "HOME": str(self._directory)},
            input=input,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        told = finished.stdout + finished.stderr
        assert status in (None, finished.returncode), told
        return told
