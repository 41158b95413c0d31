"""docs/troubleshooting.md has every text that an operator can read, and no other."""

from __future__ import annotations

import re

from tests.tools.complaints import literals, texts
from tests.tools.source import ROOT

_TO_USERS = ("trekd/imap/responses.py", "trekd/smtp/replies.py")
GUIDE = ROOT / "docs/troubleshooting.md"


def _rows(text: str) -> set[str]:
    """What stands in the first column of the tables, in backticks."""
    cells = re.findall(r"(?m)^\| (`.*?) \| ", text)
    return {each for cell in cells for each in re.findall(r"`([^`]+)`", cell)}


def _parts() -> tuple[str, str]:
    operators, _, users = GUIDE.read_text().partition("## What users see")
    return operators, users


def test_every_text_that_an_operator_can_read_is_explained() -> None:
    """Add a row with the text, and what to do, when this fails."""
    missing = {text: room for text, room in texts().items() if text not in _rows(_parts()[0])}
    assert not missing


def test_no_other_text_is_explained() -> None:
    assert not _rows(_parts()[0]) - set(texts())


def test_what_users_see_is_in_the_code() -> None:
    code = "\n".join(text for path in _TO_USERS for text in literals(path))
    for text in _rows(_parts()[1]):
        pieces = [piece.strip() for piece in re.split(r"[…()]", text) if len(piece.strip()) > 3]
        assert pieces and all(piece in code for piece in pieces), text
