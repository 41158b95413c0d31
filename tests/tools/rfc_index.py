"""
docs/rfc-index.txt: reading it, and README's support table made from it.

C{python -m tests.tools.rfc_index README.md} puts the table between the two markers of the file.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.tools.source import ROOT

_CITED = re.compile(r"\bRFC ([0-9]{3,5})")
BEGIN = "<!-- support table: begin -->"
END = "<!-- support table: end -->"
_WORDS = {"yes": "wholly", "partial": "in part"}


@dataclass(frozen=True)
class Row:
    """
    One standard.

    @ivar status: C{yes}, C{partial} or C{no}.
    @ivar rooms: places under trekd/.
    @ivar area: the heading it stands under.
    """

    number: int
    status: str
    rooms: tuple[str, ...]
    note: str
    area: str


def read_index(text: str) -> list[Row]:
    """
    Read the index.

    @raise ValueError: a line is none of comment, heading and row.
    """
    found, area = [], ""
    for line in text.splitlines():
        if line.startswith("## "):
            area = line[3:]
        elif line and not line.startswith("#"):
            number, status, rooms, note = (part.strip() for part in line.split("|"))
            if status not in ("yes", "partial", "no"):
                raise ValueError(f"unknown status: {line}")
            found.append(Row(int(number), status, tuple(rooms.split()), note, area))
    return found


def index() -> list[Row]:
    """
    Read the project's own index.
    """
    return read_index((ROOT / "docs/rfc-index.txt").read_text())


def cited(directory: Path, suffixes: tuple[str, ...]) -> dict[int, set[str]]:
    """
    Find the RFCs that files below a directory cite.

    @return: number to the files' paths.
    """
    found: dict[int, set[str]] = {}
    for path in sorted(directory.rglob("*")):
        if path.suffix in suffixes and path.is_file():
            for number in _CITED.findall(path.read_text(errors="replace")):
                found.setdefault(int(number), set()).add(str(path.relative_to(ROOT)))
    return found


def support_table(rows: list[Row]) -> str:
    """
    Write README's table: areas, and in each the standards that are followed wholly or in part.
    """
    lines = ["| | RFC | | followed |", "|---|---|---|---|"]
    for area in dict.fromkeys(row.area for row in rows):
        label = area
        for row in sorted((row for row in rows if row.area == area), key=lambda row: row.number):
            if row.status in _WORDS:
                lines.append(f"| {label} | {row.number} | {row.note} | {_WORDS[row.status]} |")
                label = ""
    return "\n".join(lines)


def with_table(text: str, table: str) -> str:
    """
    Replace what stands between the markers.
    """
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError("the text has no markers for the table")
    return f"{head}{BEGIN}\n{table}\n{END}{tail}"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        target = Path(name)
        target.write_text(with_table(target.read_text(), support_table(index())))
