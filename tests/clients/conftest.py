"""Fixtures for tests with real clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.daemon import Daemon


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A running daemon with alice, bob and carol (plan pro) and nano (plan nano)."""
    made = _with_accounts(tmp_path_factory.mktemp("daemon"))
    made.start()
    yield made
    made.close()


@pytest.fixture
def own_daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon of the test's own, not started yet, with the same accounts."""
    made = _with_accounts(tmp_path)
    yield made
    made.close()


def _with_accounts(directory: Path) -> Daemon:
    made = Daemon(directory)
    people = {f"{name}@example.com": "pro" for name in ("alice", "bob", "carol")}
    made.add_accounts({**people, "nano@example.com": "nano"})
    return made
