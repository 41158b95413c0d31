"""Few connections stay open, and nobody gets one that is unsound or of a removed account."""

from __future__ import annotations

from pathlib import Path

import pytest

from trekd.errors import Broken, NoSuchMailbox
from trekd.store.sqlite.connections import Connections
from trekd.store.sqlite.database import Database, library, value
from trekd.store.sqlite.paths import AccountFiles
from trekd.values import PrincipalId


class Counting:
    """Opens databases and knows which are open."""

    def __init__(self, engine: str) -> None:
        self._open = library(engine)
        self.open: set[int] = set()

    def __call__(self, path: Path) -> Database:
        database = self._open(path)
        self.open.add(id(database))
        close = database.close

        def closed() -> None:
            self.open.discard(id(database))
            close()

        database.close = closed  # type: ignore[method-assign]
        return database


def account(directory: Path, name: str) -> AccountFiles:
    """An account's files."""
    files = AccountFiles(directory, PrincipalId(name))
    files.make()
    return files


def test_idle_connections_are_bounded(engine: str, tmp_path: Path) -> None:
    """The one used longest ago is closed."""
    opener = Counting(engine)
    connections = Connections(opener, 2)
    files = [account(tmp_path, f"user{number}") for number in range(5)]
    seen = []
    for each in files:
        with connections.lent(each) as database:
            seen.append(id(database))
        assert len(opener.open) <= 2
    assert opener.open == set(seen[-2:])
    with connections.lent(files[-1]) as again:
        assert id(again) == seen[-1]
    connections.close()
    assert opener.open == set()


def test_lent_connections_are_apart(engine: str, tmp_path: Path) -> None:
    connections = Connections(library(engine), 2)
    files = account(tmp_path, "user")
    with connections.lent(files) as one, connections.lent(files) as two:
        assert one is not two
    connections.close()


def test_unsound_connection_is_not_lent_again(engine: str, tmp_path: Path) -> None:
    """One that comes back within a transaction, or with an exception that is not ours."""
    opener = Counting(engine)
    connections = Connections(opener, 2)
    files = account(tmp_path, "user")
    with connections.lent(files) as database:
        database.execute("BEGIN IMMEDIATE")
    assert opener.open == set()
    with pytest.raises(ZeroDivisionError), connections.lent(files):
        raise ZeroDivisionError
    assert opener.open == set()
    with pytest.raises(Broken), connections.lent(files) as database:
        database.execute("no SQL")
    with connections.lent(files) as database:
        assert value(database, "SELECT 1") == 1
    connections.close()


def test_removed_account_has_no_connection(engine: str, tmp_path: Path) -> None:
    opener = Counting(engine)
    connections = Connections(opener, 2)
    files = account(tmp_path, "user")
    with connections.lent(files), connections.lent(files):
        pass
    with connections.lent(files):
        connections.forget(files)
    assert opener.open == set()
    with pytest.raises(NoSuchMailbox), connections.lent(files):
        pass
