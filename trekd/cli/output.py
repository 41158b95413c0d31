"""
What C{trekctl} prints: aligned tables and fields for people, JSON for programs, a progress bar on a terminal.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TextIO

_BAR_INTERVAL = 0.1
"""Seconds between two looks of a progress bar."""


def print_json(value: object) -> None:
    """Print one JSON document."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a title line and aligned rows; what is not there is C{-}."""
    lines = [tuple(titles), *(tuple(map(_cell, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_fields(fields: Mapping[str, object]) -> None:
    """Print names and values, one to a line, aligned."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        print(f"{name.ljust(width)}  {_cell(value)}")


def _cell(value: object) -> str:
    """A value as text without control characters: some of it comes from mail clients."""
    if value is None or value == "":
        return "-"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_cell, value)) or "-"
    return "".join(character if character.isprintable() else "?" for character in str(value))


def size_text(octets: object) -> str | None:
    """Octets for people, such as C{1.5 GB}; C{None} for what is no number."""
    if not isinstance(octets, int):
        return None
    if octets < 1024:
        return f"{octets} B"
    amount = float(octets)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 1024:
            return f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TB"


def time_text(seconds: float) -> str:
    """Unix seconds as date and time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def span_text(seconds: object) -> str | None:
    """Seconds for people, such as C{1h02m}; C{None} for what is no number."""
    if not isinstance(seconds, (int, float)):
        return None
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24}d{hours % 24:02}h"
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


class ProgressBar:
    """
    A bar on standard error when that is a terminal, nothing otherwise.

    Used as a context manager; in the end its line is empty again.
    """

    def __init__(self, label: str, total: int, stream: TextIO | None = None) -> None:
        """
        @param total: units of work; 0 when it is not known.
        """
        self._label = label
        self._total = total
        self._stream = sys.stderr if stream is None else stream
        self._is_shown = self._stream.isatty()
        self._done = 0
        self._next = 0.0

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._next:
            self._write("")

    def reach(self, done: int) -> None:
        """So much is done in all."""
        self._done = done
        now = time.monotonic()
        if self._is_shown and now >= self._next:
            self._next = now + _BAR_INTERVAL
            self._write(self.text(shutil.get_terminal_size().columns))

    def advance(self, more: int) -> None:
        """So much more is done."""
        self.reach(self._done + more)

    def text(self, columns: int) -> str:
        """The bar as it is now, in less than that many columns."""
        if not self._total:
            return f"{self._label} {self._done}"[: columns - 1]
        part = min(self._done / self._total, 1.0)
        width = columns - len(self._label) - 9
        filled = int(width * part)
        bar = f" [{'#' * filled}{'.' * (width - filled)}]" if width >= 10 else ""
        return f"{self._label}{bar} {int(100 * part):3}%"[: columns - 1]

    def _write(self, text: str) -> None:
        self._stream.write(f"\r{text}\x1b[K")
        self._stream.flush()
