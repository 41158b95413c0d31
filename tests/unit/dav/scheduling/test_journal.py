"""What is under way, on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trekd.dav.scheduling.journal import Entry, FileJournal, Message
from trekd.errors import StoreFull

ENTRY = Entry("alice@example.com", "c1", "a.ics", (Message("REQUEST", ("bob@example.com",), b"\xff\0"),), "tag")


async def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def test_entries_outlive_the_process(tmp_path: Path) -> None:
    async def play() -> None:
        first = FileJournal(tmp_path / "scheduling", in_thread)
        assert await first.entries() == ()
        identifier = await first.add(ENTRY)
        again = FileJournal(tmp_path / "scheduling", in_thread)
        assert await again.entries() == ((identifier, ENTRY),)
        await again.remove(identifier)
        await again.remove(identifier)
        assert await first.entries() == ()

    asyncio.run(play())


@pytest.mark.parametrize("octets", [b"", b"{", b"[]", b'{"messages": [1]}', b"null", b"\xff"])
def test_what_was_not_written_to_its_end_is_removed(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "x.json").write_bytes(octets)
    (tmp_path / "y.new").write_bytes(octets)
    assert asyncio.run(FileJournal(tmp_path, in_thread).entries()) == ()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreFull):
        asyncio.run(FileJournal(tmp_path / "file", in_thread).add(ENTRY))
