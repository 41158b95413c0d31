"""
Making and upgrading an account's database (C{PRAGMA user_version}).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from importlib.resources import files

from trekd.errors import ConfigFault
from trekd.store.sqlite.database import Database, changing, value

STEPS = ("schema_1.sql", "schema_2.sql", "schema_3.sql", "schema_4.sql")
"""Step n, counted from 1, turns version n-1 into version n."""

VERSION = len(STEPS)


def upgrade(database: Database, where: str) -> None:
    """
    Bring a database, which may be empty, to L{VERSION}: all missing steps in one transaction, or none.

    @param where: the database's name, for the complaint.
    @raise ConfigFault: it was written by a later release; nothing changed.
    """
    if value(database, "PRAGMA user_version") == VERSION:
        return
    with changing(database):
        found = value(database, "PRAGMA user_version")
        if found > VERSION:
            raise ConfigFault(f"{where}: schema version {found}; this release knows versions up to {VERSION}")
        for step in STEPS[found:]:
            for statement in statements((files(__package__) / step).read_text("utf-8")):
                database.execute(statement)
        database.execute(f"PRAGMA user_version = {VERSION}")


def statements(script: str) -> Iterator[str]:
    """The statements of a script one by one."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
