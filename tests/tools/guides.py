"""What stands in the documents that a program can read: files, blocks of code, and commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.tools.source import ROOT

GUIDES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_FILE = re.compile(r"(?ms)^`([\w./-]+)`\n\n```\w+\n(.*?)^```$")
_FENCED = re.compile(r"(?ms)^```(\w*)\n(.*?)^```$")
_INDENTED = re.compile(r"(?m)(?:^(?: {4}.*)?\n)*^ {4}.*\n")


def files_of(guide: Path) -> dict[str, str]:
    """The files that a guide spells out: C{`NAME`}, an empty line, and a fenced block."""
    return dict(_FILE.findall(guide.read_text()))


def blocks_of(guide: Path) -> Iterator[tuple[str, str]]:
    """Every block of code: its language (empty for an indented one) and its text."""
    text = guide.read_text()
    yield from _FENCED.findall(text)
    text = _FENCED.sub("", text)
    for match in _INDENTED.finditer(text):
        before = text[: match.start()].rstrip("\n").rpartition("\n")[2]
        if not re.match(r"\s*(?:[-*]|\d+\.) ", before):
            yield "", re.sub(r"(?m)^ {4}", "", match[0]).strip("\n") + "\n"
