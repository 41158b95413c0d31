"""L{trekd.logs}: one line per event, with its fields."""

from __future__ import annotations

import io
import json
from pathlib import Path

from twisted.logger import Logger
from twisted.python.failure import Failure

from trekd.logs import LineObserver, json_line, line_observer, text_line


def logged(line: object, **fields: object) -> str:
    output = io.StringIO()
    logger = Logger("trekd.imap", observer=LineObserver(output, line))
    logger.warn("refused {principal}\nfrom {peer}", **fields)
    return output.getvalue()


def test_json_has_the_fields_and_one_line() -> None:
    text = logged(json_line, principal="alice@example.com", peer="203.0.113.7", octets=b"\xff", mailbox=("a", 1))
    assert text.count("\n") == 1
    fields = json.loads(text)
    assert fields["level"] == "warn"
    assert fields["room"] == "trekd.imap"
    assert fields["principal"] == "alice@example.com"
    assert fields["mailbox"] == ["a", 1]
    assert fields["message"] == "refused alice@example.com\nfrom 203.0.113.7"


def test_text_is_one_event_whatever_its_values() -> None:
    text = logged(text_line, principal="alice\n2026 error forged: x", peer="::1")
    assert text.split("\n")[1].startswith("\t")
    assert " warn trekd.imap: refused alice" in text


def test_text_cannot_command_a_terminal() -> None:
    """A carriage return, an escape sequence or a line separator of Unicode is shown, not obeyed."""
    text = logged(text_line, principal="a\r\x1b[2Kforged\u2028\x9b", peer="::1")
    assert r"a\x0d\x1b[2Kforged\u2028\x9b" in text


def test_a_failure_carries_its_traceback() -> None:
    output = io.StringIO()
    logger = Logger("trekd", observer=LineObserver(output, json_line))
    try:
        raise ValueError("inside")
    except ValueError:
        logger.failure("broken", Failure())
    assert "ValueError: inside" in json.loads(output.getvalue())["traceback"]


def test_a_closed_output_stops_nothing() -> None:
    output = io.StringIO()
    observer = LineObserver(output, text_line)
    output.close()
    observer({"log_format": "lost", "log_time": 0.0})


def test_level_and_file_are_obeyed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    logger = Logger("trekd", observer=line_observer("text", "warn", str(path)))
    logger.info("quiet")
    logger.error("loud")
    assert "loud" in path.read_text()
    assert "quiet" not in path.read_text()
