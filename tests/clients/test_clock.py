"""A started daemon whose time of day is set back and forward while it runs (libfaketime)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from tests.clients.daemon import Daemon
from tests.clients.hostile import IMAP, SMTP, wait_until
from tests.clients.programs import require

YEAR = timedelta(days=365)
HEADER = b"From: alice@example.com\r\nSubject: "


class SetDaemon(Daemon):
    """A daemon that believes what a file says of the time of day; timers of the kernel run on."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        text = self.config.read_text().replace("greet_delay = 0", "greet_delay = 2")
        self.config.write_text(text + '[queue]\nretry_first = "1m"\n')
        self._hands = directory / "faketime"
        require("faketime")
        self._library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
        self.set("+0")

    def set(self, offset: str) -> None:
        """Set the time of day, from now on."""
        new = self._hands.with_suffix(".new")
        new.write_text(offset + "\n")
        os.replace(new, self._hands)

    @property
    def environment(self) -> dict[str, str]:
        """See L{Daemon}; the commands' time is set too."""
        return {
            **super().environment,
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._hands),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[SetDaemon]:
    made = SetDaemon(tmp_path)
    made.add_accounts({f"{name}@example.com": "pro" for name in ("alice", "bob")})
    made.start()
    yield made
    made.close()
    assert "Traceback" not in made.log


def received(daemon: Daemon) -> datetime:
    """When the last message of bob's was received, as its topmost trace field says."""
    with IMAP(daemon, "bob") as bob:
        bob.ask(b"s SELECT INBOX")
        lines = b"\n".join(bob.ask(b"f FETCH * BODY.PEEK[HEADER.FIELDS (RECEIVED)]"))
    found = re.search(rb";\s+(\w{3}, .*\d{4})", lines.replace(b"\r", b""))
    assert found, lines
    return parsedate_to_datetime(found[1].decode())


@pytest.mark.parametrize(("offset", "step"), [("-1d", -timedelta(days=1)), ("+10y", 10 * YEAR)])
def test_sessions_timers_and_mail_go_on(daemon: SetDaemon, offset: str, step: timedelta) -> None:
    with IMAP(daemon, "alice") as reader, SMTP(daemon) as writer:
        assert writer.deliver(HEADER + b"before\r\n\r\nx").startswith(b"250")
        writer.begin(b"friend@elsewhere.example")
        writer.ask(b"DATA")
        writer.send(HEADER + b"outside\r\n\r\nx\r\n.\r\n")
        assert writer.reply().startswith(b"250")
        stranger = Waiting(daemon)
        daemon.set(offset)
        # A timer of before the step: the greeting on port 25 comes when its time is over.
        assert stranger.greeting().startswith(b"220")
        assert reader.works() and writer.works()
        assert writer.deliver(HEADER + b"after\r\n\r\nx").startswith(b"250")
    assert abs(received(daemon) - (datetime.now(UTC) + step)) < timedelta(days=5)
    entry: list[dict[str, Any]] = []

    def is_tried() -> bool:
        daemon.trekctl("queue", "retry", "--all", status=None)
        listed: Any = daemon.trekctl_json("queue", "list")
        entry[:] = listed["entries"]
        return entry[0]["attempts"] >= 4

    wait_until(is_tried, 60)
    assert [one["recipient"] for one in entry] == ["friend@elsewhere.example"]
    daemon.set("+0")
    with SMTP(daemon) as writer:
        assert writer.deliver(HEADER + b"again\r\n\r\nx").startswith(b"250")
    assert abs(received(daemon) - datetime.now(UTC)) < timedelta(minutes=5)
    with IMAP(daemon, "alice") as alice:
        assert alice.ask(b"s STATUS INBOX (MESSAGES)")[0].endswith(b"(MESSAGES 0)")


class Waiting:
    """A stranger on port 25 that waits for its greeting."""

    def __init__(self, daemon: Daemon) -> None:
        self._socket = daemon.connect(daemon.ports["smtp"])
        self._socket.settimeout(20)

    def greeting(self) -> bytes:
        """What it is told at last."""
        with self._socket:
            return self._socket.recv(4096)
