"""
The queue's database of each released schema is opened by today's code.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.fakes.postoffice import run_here
from tests.unit.queue.support import run
from tests.upgrade.dump import FIXTURES
from trekd.queue.interfaces import RouteKind
from trekd.queue.schema import VERSION
from trekd.queue.spool import Spool
from trekd.queue.spoolfile import SpoolFile

LARGE = "c6b7e4cf6b34d7e1ff728d79"


def test_version_1(tmp_path: Path) -> None:
    """Every copy still waits, with its message and its attempts."""
    (tmp_path / "messages").mkdir()
    (tmp_path / "messages" / LARGE).write_bytes(b"Subject: large\r\n\r\n" + b"x" * 70000)
    database = sqlite3.connect(tmp_path / "queue.sqlite")
    database.executescript((FIXTURES / "queue_1.sql").read_text("utf-8"))
    database.close()
    file = SpoolFile(tmp_path, 100)
    file.open()
    spool = Spool(file, run_here)
    first, second, third = run(spool.entries(10))
    assert [one.lane for one in (first, second, third)] == ["local", "profile:mine", "relay"]
    assert [one.recipient.route.kind for one in (first, second, third)] == [
        RouteKind.LOCAL,
        RouteKind.OWN_SMTP,
        RouteKind.RELAY,
    ]
    assert (first.attempts, first.due, first.last.failure) == (1, 1700000450.0, "StoreBusy")
    assert (first.recipient.notify, first.recipient.original) == (("SUCCESS", "DELAY"), "rfc822;b")
    assert first.transaction.principal == "alice@example.com"
    assert (first.transaction.envelope_id, first.transaction.ret) == ("QQ", "HDRS")
    assert [one.priority for one in (first, second, third)] == [0, 0, 1]
    assert run(spool.content(first).octets()) == b"Subject: small\r\n\r\nsmall\r\n"
    assert len(run(spool.content(third).octets())) == third.size == 70018
    assert file.waiting == 2
    for entry in (first, second, third):
        run(spool.finish(entry))
    assert run(spool.count()) == 0
    run(spool.close())
    assert not (tmp_path / "messages" / LARGE).exists()
    database = sqlite3.connect(tmp_path / "queue.sqlite")
    assert database.execute("PRAGMA user_version").fetchone() == (VERSION,)
    assert {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")} == {
        "message",
        "content",
        "recipient",
        "suppressed",
        "sqlite_sequence",
    }
    database.close()
