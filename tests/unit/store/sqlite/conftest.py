"""Fixtures of the SQLite store's tests: every one runs with each library that is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.contract.storecase import ALICE
from tests.fakes.mime import PlainReader
from tests.fakes.running import PumpedReactor
from trekd.store.sqlite.account import SQLiteAccount
from trekd.store.sqlite.database import Database, library
from trekd.store.sqlite.migrations import upgrade
from trekd.store.sqlite.store import Settings, SQLiteStore


@pytest.fixture(params=["sqlite3", *(["apsw"] if find_spec("apsw") else [])])
def engine(request: pytest.FixtureRequest) -> str:
    """The library."""
    name: str = request.param
    return name


@pytest.fixture
def reactor() -> PumpedReactor:
    """Runs the store."""
    return PumpedReactor()


@pytest.fixture
def database(engine: str, tmp_path: Path) -> Iterator[Database]:
    """A database with the schema and no account."""
    path = tmp_path / "empty.db"
    path.touch()
    database = library(engine)(path)
    upgrade(database, "test")
    yield database
    database.close()


@dataclass
class Site:
    """
    A store and one account in it.

    @ivar moments: failpoints passed; C{trap} may raise at one.
    """

    reactor: PumpedReactor
    directory: Path
    engine: str
    moments: list[str] = field(default_factory=list)
    trap: Callable[[str], None] = lambda moment: None

    def start(self, **settings: int) -> None:
        """Open the store, again after L{stop}."""

        def failpoint(moment: str) -> None:
            self.moments.append(moment)
            self.trap(moment)

        chosen = Settings(self.directory, self.engine, **{"body_file_threshold": 4096, **settings})  # type: ignore[arg-type]
        self.store = SQLiteStore(chosen, PlainReader(), self.reactor, failpoint)
        self.alice: SQLiteAccount = self.reactor.run(self.store.open(ALICE))

    def stop(self) -> None:
        """Close the store."""
        self.reactor.run(self.store.close())

    @property
    def files(self) -> Path:
        """The account's directory."""
        return self.directory / "accounts" / ALICE

    def tamper(self, *statements: str) -> None:
        """Change the database behind the store's back."""
        database = library(self.engine)(self.files / "mail.db")
        for statement in statements:
            database.execute(statement)
        database.close()


@pytest.fixture
def site(reactor: PumpedReactor, tmp_path: Path, engine: str) -> Iterator[Site]:
    """A running store with a new account; it must check clean in the end unless the test stopped it."""
    site = Site(reactor, tmp_path / "store", engine)
    site.start()
    yield site
    site.trap = lambda moment: None
    if not site.store.is_closed:
        assert reactor.run(site.alice.check()) == ()
        site.stop()
