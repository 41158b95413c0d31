"""docs/rfc-index.txt tells the truth about the code, and README repeats it."""

from __future__ import annotations

import pytest

from tests.tools.rfc_index import cited, index, read_index, support_table, with_table
from tests.tools.source import ROOT, words_table

CODE = cited(ROOT / "trekd", (".py", ".sql", ".md"))
TESTS = cited(ROOT / "tests", (".py", ".txt"))


def test_every_rfc_cited_in_code_is_listed() -> None:
    listed = {row.number for row in index()}
    assert {number: files for number, files in CODE.items() if number not in listed} == {}


def test_what_is_called_supported_is_cited_in_its_room_and_in_a_test() -> None:
    missing = []
    for row in index():
        places = tuple(f"trekd/{room}" for room in row.rooms)
        if row.status != "yes":
            continue
        if not any(file.startswith(places) for file in CODE.get(row.number, ())):
            missing.append(f"RFC {row.number}: not cited under {', '.join(places)}")
        if row.number not in TESTS:
            missing.append(f"RFC {row.number}: not cited in a test")
    assert missing == []


def test_rooms_of_the_index_are_rooms_of_the_project() -> None:
    rooms = {name.removeprefix("trekd.").replace(".", "/") for name in words_table("trekd:layers")}
    named = {room.removesuffix(".py") for row in index() for room in row.rooms}
    assert named - rooms == set()


def test_each_rfc_is_listed_once() -> None:
    numbers = [row.number for row in index()]
    assert sorted(numbers) == sorted(set(numbers))


def test_readme_has_the_table_of_the_index() -> None:
    """Run C{python -m tests.tools.rfc_index README.md} when this fails."""
    readme = (ROOT / "README.md").read_text()
    assert readme == with_table(readme, support_table(index()))


def test_a_row_with_an_unknown_status_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown status"):
        read_index("3501 | mostly | imap | IMAP4rev1\n")
