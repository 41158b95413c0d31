"""
Where each key of a TOML text stands.

C{tomllib} gives values without positions, so this walks the same text again, only as deep as finding keys
needs.  It is meant for text that C{tomllib} has accepted; on anything else it stops early and knows less.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right

Path = tuple[str | int, ...]
"""Keys from the root; an integer is a 0-based place in a list."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_SIMPLE = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_KEYS = re.compile(rf"{_SIMPLE}(?:[ \t]*\.[ \t]*{_SIMPLE})*")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\[\s\S]|"(?!""))*"""(?:"{0,2})'
    r"|'''(?:[^']|'(?!''))*'''(?:'{0,2})"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
)
_SCALAR = re.compile(r"[^,\]}#\n]+")


def locate(text: str) -> dict[Path, int]:
    """
    Find the line of every table, key and list item.

    @param text: a TOML document.
    @return: path to 1-based line.
    """
    walk = _Walk(text)
    try:
        walk.document()
    except (_Lost, RecursionError):
        pass
    return walk.found


class _Lost(Exception):
    """The text is not what C{tomllib} accepts."""


class _Walk:
    """One pass over a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Path, int] = {}
        self._newlines = [match.start() for match in re.finditer("\n", text)]
        self._rows: dict[Path, int] = {}

    def document(self) -> None:
        """Walk the whole text."""
        here: Path = ()
        self._take(_BLANK)
        while self.at < len(self.text):
            if self.text.startswith("[", self.at):
                here = self._header()
            else:
                self._pair(here)
            self._take(_BLANK)

    def _header(self) -> Path:
        is_row = self.text.startswith("[[", self.at)
        start = self.at
        self.at += 2 if is_row else 1
        keys = self._keys()
        self._expect("]]" if is_row else "]")
        path = self._resolve(keys[:-1])
        if is_row:
            path = (*path, keys[-1])
            self._note(path, start)
            self._rows[path] = self._rows.get(path, -1) + 1
            path = (*path, self._rows[path])
        else:
            path = self._resolve(keys)
        self._note(path, start)
        return path

    def _resolve(self, keys: tuple[str, ...]) -> Path:
        """A header's keys as a path: a list of tables stands for its newest row (TOML 1.0)."""
        path: Path = ()
        for name in keys:
            path = (*path, name)
            if path in self._rows:
                path = (*path, self._rows[path])
        return path

    def _pair(self, base: Path) -> None:
        start = self.at
        path = base
        for name in self._keys():
            path = (*path, name)
            self._note(path, start)
        self._expect("=")
        self._take(_SPACE)
        self._value(path)

    def _keys(self) -> tuple[str, ...]:
        self._take(_SPACE)
        raw = self._take(_KEYS)
        keys: list[str] = []
        try:
            table: object = tomllib.loads(f"{raw} = 0")
        except tomllib.TOMLDecodeError:
            raise _Lost from None
        while isinstance(table, dict):
            keys.append(next(iter(table)))
            table = table[keys[-1]]
        return tuple(keys)

    def _value(self, path: Path) -> None:
        first = self.text[self.at : self.at + 1]
        if first == "[":
            self._list(path)
        elif first == "{":
            self._inline(path)
        else:
            self._take(_STRING if first in ('"', "'") else _SCALAR)

    def _list(self, path: Path) -> None:
        self.at += 1
        place = 0
        while not self._ends_with("]"):
            self._note((*path, place), self.at)
            self._value((*path, place))
            place += 1

    def _inline(self, path: Path) -> None:
        self.at += 1
        while not self._ends_with("}"):
            self._pair(path)

    def _ends_with(self, bracket: str) -> bool:
        """Step over blanks and commas; whether C{bracket} closed the list or table."""
        self._take(_BLANK)
        while self.text.startswith(",", self.at):
            self.at += 1
            self._take(_BLANK)
        if self.at >= len(self.text):
            raise _Lost
        if self.text.startswith(bracket, self.at):
            self.at += 1
            return True
        return False

    def _expect(self, token: str) -> None:
        self._take(_SPACE)
        if not self.text.startswith(token, self.at):
            raise _Lost
        self.at += len(token)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise _Lost
        self.at = match.end()
        return match[0]

    def _note(self, path: Path, offset: int) -> None:
        self.found.setdefault(path, bisect_right(self._newlines, offset - 1) + 1)
