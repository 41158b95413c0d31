"""The embedded directory's file: who may read it, and what it refuses to be."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from trekd.directory.local.schema import MIGRATIONS, open_database
from trekd.errors import ConfigFault


def test_new_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "directory.sqlite"
    old = os.umask(0)
    try:
        open_database(str(path)).close()
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o600


def test_file_that_others_can_read_is_refused_with_the_command_to_type(tmp_path: Path) -> None:
    path = tmp_path / "directory.sqlite"
    open_database(str(path)).close()
    for mode in (0o640, 0o604, 0o620):
        path.chmod(mode)
        with pytest.raises(ConfigFault) as refusal:
            open_database(str(path))
        assert f"mode {mode:04o}" in str(refusal.value)
        assert f"chmod 600 {path}" in str(refusal.value)
    path.chmod(0o600)
    open_database(str(path)).close()


def test_missing_folder_and_foreign_file_are_configuration_faults(tmp_path: Path) -> None:
    with pytest.raises(ConfigFault, match="No such file"):
        open_database(str(tmp_path / "nowhere" / "directory.sqlite"))
    foreign = tmp_path / "foreign"
    foreign.write_text("this is no database, but it is long enough to be looked at as one\n" * 40)
    foreign.chmod(0o600)
    with pytest.raises(ConfigFault, match="not a usable account database"):
        open_database(str(foreign))


def test_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "directory.sqlite")
    database = open_database(path)
    database.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    database.close()
    with pytest.raises(ConfigFault, match="newer TrekMail"):
        open_database(path)


def test_reopening_keeps_what_is_there(tmp_path: Path) -> None:
    path = str(tmp_path / "directory.sqlite")
    database = open_database(path)
    database.execute("INSERT INTO account VALUES ('a@b', NULL, 'nano', '', NULL, 'active', '', NULL)")
    database.close()
    again = open_database(path)
    assert again.execute("SELECT address FROM account").fetchall() == [("a@b",)]
    with pytest.raises(sqlite3.IntegrityError):
        again.execute("INSERT INTO name VALUES ('x@b', 'nobody@b', 0)")
    again.close()
