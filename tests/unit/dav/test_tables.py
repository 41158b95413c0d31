"""What the tables of DAV promise."""

from __future__ import annotations

import re

import pytest

from tests.tools.source import ROOT
from trekd.dav.quirks import QUIRKS, Quirk
from trekd.dav.tree import tables


@pytest.mark.parametrize("name", QUIRKS)
def test_a_quirk_is_named_where_it_is_obeyed_and_tested(name: str) -> None:
    quirk = QUIRKS[name]
    assert isinstance(quirk, Quirk)
    assert (ROOT / quirk.test).exists()
    sources = (path for path in (ROOT / "trekd" / "dav").rglob("*.py") if path.name != "quirks.py")
    assert any(f"Quirk {name}" in path.read_text() for path in sources)


def test_rows_are_found_by_their_names() -> None:
    found = tables()
    for table in (found.methods, found.properties, found.reports):
        assert all(name == row.name for name, row in table.items())  # type: ignore[attr-defined]
    assert all(re.fullmatch(r"\{[^}]+\}[A-Za-z-]+", name) for name in (*found.properties, *found.reports))
    assert all(name.isupper() for name in found.methods)


def test_every_kind_has_a_branch() -> None:
    found = tables()
    assert {row.home for row in found.kinds.values()} <= set(found.branches)
