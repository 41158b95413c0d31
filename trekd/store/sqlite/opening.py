"""
Making an account's database ready, once in the life of a process.
"""

from __future__ import annotations

import os

from trekd.errors import StoreCorrupt, StoreFull
from trekd.store.sqlite import hierarchy, upkeep
from trekd.store.sqlite.arrival import remove_bodies
from trekd.store.sqlite.connections import Connections
from trekd.store.sqlite.database import Database, changing
from trekd.store.sqlite.migrations import upgrade
from trekd.store.sqlite.paths import AccountFiles
from trekd.store.sqlite.transactions import Limits, Transaction
from trekd.store.sqlite.views import KnownViews


def make_ready(files: AccountFiles, connections: Connections, views: KnownViews, now: float, validity: int) -> None:
    """
    Make the account, or upgrade it and remove what a crash left; in a writer thread.

    @param validity: a new account's UIDVALIDITY values are greater.
    @raise StoreFull: the files cannot be made.
    @raise StoreCorrupt: the database is another account's.
    @raise ConfigFault: it was written by a later release.
    """
    try:
        files.make()
    except OSError as error:
        raise StoreFull(f"{files.directory}: {error.strerror}") from None
    with connections.lent(files) as database:
        upgrade(database, str(files.database))
        owners = database.rows("SELECT principal FROM account")
        if not owners:
            with changing(database):
                hierarchy.found_account(Transaction(database, files, views, Limits(), now, 0), validity)
        elif owners[0][0] != files.principal:
            raise StoreCorrupt(f"{files.database} belongs to {owners[0][0]!r}")
        _sweep(files, database)
        upkeep.forget_expunged(database)


def _sweep(files: AccountFiles, database: Database) -> None:
    """Remove files of messages and items that were never committed, or that are gone."""
    there = os.listdir(files.bodies)
    if there:
        query = "SELECT objectid FROM email WHERE file = 1 UNION ALL SELECT file FROM item WHERE file IS NOT NULL"
        wanted = {objectid for (objectid,) in database.rows(query)}
        remove_bodies(files, [name for name in there if name not in wanted])
