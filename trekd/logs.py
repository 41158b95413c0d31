"""
Where log events go: as text or as JSON, one line each (STYLE §7).

Every event has named fields; text shows the message that is made of them, JSON the fields themselves.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    eventAsText,
    formatEvent,
)
from zope.interface import implementer

_CONTROLS = {
    point: f"\\x{point:02x}" if point < 256 else f"\\u{point:04x}"
    for point in (*range(32), *range(127, 160), 0x2028, 0x2029)
    if chr(point) not in "\t\n"
}
"""What could forge a line or command a terminal is shown as an escape."""


def _plain(value: Any) -> Any:
    """A JSON value; anything without a JSON form becomes text, never its C{repr}."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, (tuple, list, set, frozenset)):
        return [_plain(one) for one in value]
    return str(value)


def json_line(event: LogEvent) -> str:
    """One event as a JSON object, with its line end."""
    fields: dict[str, Any] = {
        "time": _time(event),
        "level": event["log_level"].name if "log_level" in event else "info",
        "room": event.get("log_namespace", ""),
        "message": formatEvent(event),
    }
    fields.update((key, _plain(value)) for key, value in event.items() if _is_field(key))
    if "log_failure" in event:
        fields["traceback"] = event["log_failure"].getTraceback()
    return json.dumps(fields, ensure_ascii=False) + "\n"


def text_line(event: LogEvent) -> str:
    """One event as text, with its line end; a message's own line ends are indented, other controls escaped."""
    text = eventAsText(event, includeTimestamp=False, includeSystem=False)
    level = event["log_level"].name if "log_level" in event else "info"
    line = f"{_time(event)} {level} {event.get('log_namespace', '-')}: {text}"
    return line.translate(_CONTROLS).replace("\n", "\n\t") + "\n"


def _time(event: LogEvent) -> str:
    moment = datetime.fromtimestamp(event.get("log_time", 0), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


_LEGACY = frozenset(("time", "isError", "message", "system", "format", "failure", "why"))
"""What twisted.python.log adds to each event of its own."""


def _is_field(key: str) -> bool:
    return not key.startswith("log_") and key not in _LEGACY


@implementer(ILogObserver)
class LineObserver:
    """Writes each event as one line, at once."""

    def __init__(self, output: TextIO, line: Callable[[LogEvent], str]) -> None:
        self._output = output
        self._line = line

    def __call__(self, event: LogEvent) -> None:
        """Write one event; a broken output must not stop the daemon."""
        try:
            self._output.write(self._line(event))
            self._output.flush()
        except (OSError, ValueError):
            pass


def line_observer(form: str, level: str, path: str | None) -> ILogObserver:
    """
    The daemon's log observer.

    @param form: C{text} or C{json}.
    @param level: least level shown.
    @param path: file to append to; C{None} or C{-} is standard output.
    """
    output = open(path, "a", encoding="utf-8") if path and path != "-" else sys.stdout  # noqa: SIM115
    observer = LineObserver(output, json_line if form == "json" else text_line)
    least = LogLevelFilterPredicate(LogLevel.levelWithName(level))
    # twistd's own lines about factories and ports; the service says what listens.
    least.setLogLevelForNamespace("log_legacy", LogLevel.warn)
    return FilteringLogObserver(observer, [least])
