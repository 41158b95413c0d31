"""
Complaints about a configuration, each with file, line, section, key and value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from trekd.config.kinds import write_text
from trekd.config.lines import Path

_LONGEST_SHOWN = 100


class Complaints:
    """
    What is wrong with one file.

    @ivar found: paths complained of so far, so that a check can leave a value alone that is already bad.
    """

    def __init__(self, filename: str, values: Mapping[str, Any], lines: Mapping[Path, int]) -> None:
        self._filename = filename
        self._values = values
        self._lines = lines
        self._written: list[tuple[int, str]] = []
        self.found: set[Path] = set()

    def add(self, path: Path, reason: str, *, show_value: bool = True) -> None:
        """
        Complain of one key or section.

        @param path: where it stands, or would stand.
        @param reason: completes C{key = value: ...}.
        @param show_value: off for unknown keys, whose value could be a secret written in the wrong place.
        """
        if path in self.found:
            return
        self.found.add(path)
        line = self._line_of(path)
        place = _place(path, self._value_of(path), show_value)
        self._written.append((line, f"{self._filename}:{line}: {place}: {reason}"))

    def is_written(self, path: Path) -> bool:
        """Whether the file itself has this key or section."""
        return path in self._lines

    def in_order(self) -> list[str]:
        """All complaints by line."""
        return [text for _, text in sorted(self._written, key=lambda each: each[0])]

    def _line_of(self, path: Path) -> int:
        """The line of the key, or of the nearest section around it that is written."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def _value_of(self, path: Path) -> object:
        value: Any = self._values
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value


def _place(path: Path, value: object, show_value: bool) -> str:
    """C{[section] key = value} as it would be written; tables are not shown."""
    is_shown = show_value and value is not None and not isinstance(value, dict)
    shown = " = " + write_text(value) if is_shown else ""
    if len(shown) > _LONGEST_SHOWN:
        shown = shown[:_LONGEST_SHOWN] + "..."
    if isinstance(value, dict) or len(path) == 1:
        return _section_of(path) + shown
    return f"{_section_of(path[:-1])} {_written(str(path[-1]))}{shown}"


def _written(name: str) -> str:
    """A key as TOML writes it: quoted unless it is bare, so that no line break gets into a complaint."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else write_text(name)


def _section_of(path: Path) -> str:
    names = ".".join(_written(step) for step in path if isinstance(step, str))
    return f"[[{names}]]" if path and isinstance(path[-1], int) else f"[{names}]"
