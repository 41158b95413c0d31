"""Fixtures for tests with real clients."""

from __future__ import annotations

import subprocess
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


@pytest.fixture
def small_disk(own_daemon: Daemon) -> Iterator[Daemon]:
    """A daemon whose directory, with accounts, is a file system of 8 MB."""
    path = own_daemon.directory / "data"
    moved = own_daemon.directory / "accounts"
    path.rename(moved)
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs", str(path)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("NOT TESTED: a file system of limited size can be mounted by root only")
    try:
        subprocess.run(["cp", "-a", f"{moved}/.", str(path)], check=True)
        yield own_daemon
    finally:
        own_daemon.close()
        subprocess.run(["umount", str(path)], check=True)


def _with_accounts(directory: Path) -> Daemon:
    made = Daemon(directory)
    people = {f"{name}@example.com": "pro" for name in ("alice", "bob", "carol")}
    made.add_accounts({**people, "nano@example.com": "nano"})
    return made
