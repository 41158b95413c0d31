"""A started daemon's queue: trekctl shows and steers it, a restart keeps it, a damaged one is said at the start."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from tests.clients.daemon import PASSWORD, TWISTD, Daemon
from tests.clients.programs import require, run


def submit(daemon: Daemon, *recipients: str) -> None:
    run(
        *(require("swaks"), "--server", "127.0.0.1", "--port", str(daemon.ports["submissions"]), "--tls-on-connect"),
        *("--auth", "PLAIN", "--auth-user", "alice@example.com", "--auth-password", PASSWORD),
        *("--from", "alice@example.com", "--to", ",".join(recipients), "--header", "Subject: waits"),
    )


def waiting(daemon: Daemon, *filters: str) -> list[dict[str, Any]]:
    found: Any = daemon.trekctl_json("queue", "list", *filters)
    entries: list[dict[str, Any]] = found["entries"]
    return entries


def test_the_queue_is_steered_and_survives_a_restart(own_daemon: Daemon) -> None:
    """The domain has no server, and no test asks the world for one."""
    own_daemon.start()
    submit(own_daemon, "one@elsewhere.invalid", "two@elsewhere.invalid", "three@other.invalid")
    assert "one@elsewhere.invalid" in own_daemon.trekctl("queue", "list", "--sender", "alice@example.com")
    assert own_daemon.trekctl("queue", "hold", "--all", "--why", "not today") == "3 copies held\n"
    own_daemon.kill()
    own_daemon.start()
    assert [one["held"] for one in waiting(own_daemon, "--held")] == ["not today"] * 3
    number = str(waiting(own_daemon, "--recipient", "other.invalid")[0]["number"])
    assert "Subject: waits" in own_daemon.trekctl("queue", "show", number)
    assert own_daemon.trekctl("queue", "drop", "--recipient", "elsewhere.invalid") == "2 copies dropped\n"
    assert [one["recipient"] for one in waiting(own_daemon)] == ["three@other.invalid"]
    own_daemon.trekctl("queue", "drop", "--lane", "mx:nowhere.invalid", status=1)
    own_daemon.stop()
    assert "Traceback" not in own_daemon.log


def test_a_damaged_queue_is_said_and_nothing_is_thrown_away(own_daemon: Daemon) -> None:
    own_daemon.start()
    own_daemon.stop()
    path: Path = own_daemon.directory / "data" / "queue" / "queue.sqlite"
    path.write_bytes(b"damaged" * 4096)
    command = [TWISTD, "--nodaemon", "--pidfile=", "trekmail", "--config", str(own_daemon.config)]
    ended = subprocess.run(
        command, cwd=own_daemon.directory, env=own_daemon.environment, capture_output=True, timeout=60, check=False
    )
    said = (ended.stdout + ended.stderr).decode()
    assert ended.returncode != 0
    assert str(path) in said and "move it away" in said
    assert "Traceback" not in said
    assert path.read_bytes() == b"damaged" * 4096
