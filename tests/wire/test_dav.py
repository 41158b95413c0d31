"""The transcripts of tests/wire/dav."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.davsite import DAVHost
from tests.wire.http import Player

FILES = sorted((Path(__file__).parent / "dav").glob("*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    Player(path, DAVHost()).play()
