"""A file is searched as if it were in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import product

import pytest

from trekd.mime import octets
from trekd.mime.octets import FileOctets

CONTENT = b"abcabcabdabcab" * 3


@pytest.fixture
def descriptor() -> Iterator[int]:
    opened = os.memfd_create("content")
    os.write(opened, CONTENT)
    yield opened
    os.close(opened)


@pytest.mark.parametrize("window", [4, 5, 7, 41, 42, 100])
def test_every_question_has_the_same_answer(
    descriptor: int, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(octets, "WINDOW", window)
    file = FileOctets(descriptor, len(CONTENT))
    assert len(file) == len(CONTENT)
    for start, end in product(range(0, 44, 3), repeat=2):
        assert file[start:end] == CONTENT[start:end]
        assert file.find(b"abd", start, end) == CONTENT.find(b"abd", start, end)
        assert file.find(b"zz", start, end) == -1
        assert file.count(b"b", start, end) == CONTENT.count(b"b", start, end)
        assert file.startswith(b"ab", start, end) == CONTENT.startswith(b"ab", start, end)
    assert file[:] == CONTENT


def test_a_file_cut_short_is_an_error(descriptor: int) -> None:
    with pytest.raises(OSError, match="shorter"):
        FileOctets(descriptor, len(CONTENT) + 1).find(b"z", 0, 100)
