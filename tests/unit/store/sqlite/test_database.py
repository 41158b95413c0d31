"""The two libraries behave alike, and their errors become ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from trekd.errors import Broken, ConfigFault, StoreBusy, StoreCorrupt, StoreFull
from trekd.store.sqlite import database as module
from trekd.store.sqlite.database import PRAGMAS, Database, changing, fault, library, reading, value


def test_durability_is_set_on_every_connection(database: Database) -> None:
    """apsw runs several statements lazily: a pragma skipped is a commit that is not synced."""
    assert value(database, "PRAGMA synchronous") == 2
    assert value(database, "PRAGMA journal_mode") == "wal"
    assert value(database, "PRAGMA page_size") == 8192
    assert value(database, "PRAGMA auto_vacuum") == 2
    assert value(database, "PRAGMA wal_autocheckpoint") == 0


def test_pragma_that_does_not_take_is_found(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PRAGMAS", (*PRAGMAS, ("synchronous", "OFF", 2)))
    path = tmp_path / "new.db"
    path.touch()
    with pytest.raises(Broken, match="synchronous"):
        library(engine)(path)


def test_values_survive(database: Database) -> None:
    """NUL, 8-bit octets, large integers."""
    database.execute("CREATE TABLE t (a BLOB, b TEXT, c INTEGER)")
    octets = bytes(range(256))
    database.many("INSERT INTO t VALUES (?, ?, ?)", [(octets, "a\0ü", 2**63 - 1), (b"", "", None)])
    assert database.rows("SELECT a, b, c FROM t") == [(octets, "a\0ü", 2**63 - 1), (b"", "", None)]
    joined = value(database, "SELECT CAST(group_concat('<' || a || '>', '') AS BLOB) FROM t")
    assert joined == b"<" + octets + b"><>"


def test_stream_ends_its_statement_when_it_is_closed(database: Database) -> None:
    """Or the connection would hold a snapshot, and the log could never begin anew."""
    database.execute("CREATE TABLE t (a)")
    database.many("INSERT INTO t VALUES (?)", [(number,) for number in range(10)])
    rows = database.stream("SELECT a FROM t ORDER BY a")
    assert next(rows) == (0,)
    rows.close()  # type: ignore[attr-defined]
    database.execute("DROP TABLE t")


def test_changing_is_undone_by_an_exception(database: Database) -> None:
    database.execute("CREATE TABLE t (a)")
    with pytest.raises(ZeroDivisionError), changing(database):
        database.execute("INSERT INTO t VALUES (1)")
        raise ZeroDivisionError
    assert not database.in_transaction
    assert database.rows("SELECT * FROM t") == []


def test_reading_sees_one_commit(engine: str, database: Database, tmp_path: Path) -> None:
    database.execute("CREATE TABLE t (a)")
    other = library(engine)(tmp_path / "empty.db")
    with reading(database):
        assert value(database, "SELECT count(*) FROM t") == 0
        other.execute("INSERT INTO t VALUES (1)")
        assert value(database, "SELECT count(*) FROM t") == 0
    assert value(database, "SELECT count(*) FROM t") == 1
    other.close()


def test_full_file_system(database: Database) -> None:
    """SQLite's own limit of pages stands for the disk's."""
    database.execute("CREATE TABLE t (a)")
    database.rows(f"PRAGMA max_page_count = {value(database, 'PRAGMA page_count')}")
    with pytest.raises(StoreFull), changing(database):
        database.execute("INSERT INTO t VALUES (zeroblob(1000000))")
    assert not database.in_transaction
    assert database.rows("SELECT * FROM t") == []


def test_locked_database(engine: str, database: Database, tmp_path: Path) -> None:
    other = library(engine)(tmp_path / "empty.db")
    other.rows("PRAGMA busy_timeout = 1")
    with changing(database), pytest.raises(StoreBusy):
        other.execute("BEGIN IMMEDIATE")
    other.close()


def test_file_that_is_no_database(engine: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.db"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreCorrupt):
        library(engine)(path)


def test_missing_file_is_not_made(engine: str, tmp_path: Path) -> None:
    with pytest.raises(StoreBusy):
        library(engine)(tmp_path / "absent.db")
    assert list(tmp_path.iterdir()) == []


def test_mistake_in_sql_is_our_fault(database: Database) -> None:
    with pytest.raises(Broken):
        database.execute("SELEKT")


@pytest.mark.parametrize(
    ("code", "kind"),
    [(13, StoreFull), (10 | 3 << 8, StoreFull), (5 | 2 << 8, StoreBusy), (11, StoreCorrupt), (1, Broken)],
)
def test_codes(code: int, kind: type[Exception]) -> None:
    assert type(fault(code, "text")) is kind


def test_unknown_engine_is_refused() -> None:
    with pytest.raises(ConfigFault, match="oracle"):
        library("oracle")


def test_engine_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert library("auto") is module.open_sqlite3
    with pytest.raises(ConfigFault, match="not installed"):
        library("apsw")
