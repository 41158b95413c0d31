"""
The embedded directory's accounts: what is asked of the file and what is written to it.

Everything here blocks; L{trekd.directory.local.directory.LocalDirectory} calls it in its own thread.  Letter case
is ignored by writing and asking in lower case only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from trekd.directory.interfaces import Account, DirectoryEntry, Status
from trekd.directory.local.schema import open_database
from trekd.errors import AccountExists, DirectoryDown, NoSuchAccount
from trekd.values import Address

_COLUMNS = "account.address, plan, display_name, quota, status, subscription"


@dataclass(frozen=True, slots=True)
class Credentials:
    """
    An account with what is kept of its password.

    @ivar encoded: a PHC string; C{None} when the account cannot log in.
    @ivar scram: SCRAM keys of the same password as text; C{None} for none.
    """

    account: Account
    encoded: str | None
    scram: str | None = None

    def __repr__(self) -> str:
        return f"<Credentials of {self.account.address}>"


class LocalAccounts:
    """
    The file of accounts.  May be used by several threads: one at a time goes in.

    Each change is one durable transaction.  C{DirectoryDown} is raised when the file does not answer: full or
    failing disk, locked by another program for seconds.
    """

    def __init__(self, path: str) -> None:
        self._database = open_database(path)
        self._lock = Lock()

    def close(self) -> None:
        """Close the file; what is asked later raises C{DirectoryDown}."""
        with self._lock:
            self._database.close()

    # Asking

    def find(self, address: Address) -> Account | None:
        """The account that has the address, as its own or as an alias."""
        found = self.credentials(address)
        return found.account if found else None

    def credentials(self, login: Address) -> Credentials | None:
        """The account that logs in with the address, and what is kept of its password."""
        owner = "name JOIN account ON account.address = name.account"
        query = f"SELECT {_COLUMNS}, password, scram FROM {owner} WHERE name.address = ?"
        with self._asking() as database:
            row = database.execute(query, (_key(login),)).fetchone()
            return Credentials(_account(database, row[:-2]), *row[-2:]) if row else None

    def secret(self) -> bytes:
        """Octets that only this file holds, for keys of names that nobody has."""
        with self._asking() as database:
            (octets,) = database.execute("SELECT octets FROM secret WHERE name = 'scram'").fetchone()
            return bytes(octets)

    def accounts(self) -> tuple[Account, ...]:
        """All accounts by address."""
        with self._asking() as database:
            rows = database.execute(f"SELECT {_COLUMNS} FROM account ORDER BY address").fetchall()
            return tuple(_account(database, row) for row in rows)

    def search(self, text: str, limit: int) -> tuple[DirectoryEntry, ...]:
        """See L{IDirectory.search}; disabled accounts are left out."""
        folded = text.casefold()
        with self._asking() as database:
            rows = database.execute(
                "SELECT address, display_name FROM account WHERE status != ?", (Status.DISABLED.value,)
            ).fetchall()
        hits = [(name, address) for address, name in rows if folded in address or folded in name.casefold()]
        hits.sort(key=lambda hit: (hit[0] or hit[1]).casefold())
        return tuple(DirectoryEntry(Address.parse(address), name) for name, address in hits[:limit])

    def check_free(self, addresses: Iterable[Address]) -> None:
        """
        Refuse addresses that an account has, or that come twice.

        @raise AccountExists: with the first such address.
        """
        with self._asking() as database:
            _check_free(database, addresses)

    # Changing

    def add(self, accounts: Sequence[Credentials]) -> None:
        """
        Add accounts, all or none.

        @raise AccountExists: an address is taken; nothing was added.
        """
        with self._changing() as database:
            _check_free(database, (each.account.address for each in accounts))
            for each in accounts:
                _insert(database, each.account, each.encoded, each.scram)

    def set_password(self, address: Address, encoded: str, scram: str | None) -> None:
        """
        Replace an account's hash and keys.

        @raise NoSuchAccount: nothing changed.
        """
        with self._changing() as database:
            changed = database.execute(
                "UPDATE account SET password = ?, scram = ? WHERE address = ?", (encoded, scram, _key(address))
            )
            if not changed.rowcount:
                raise NoSuchAccount(str(address))

    def renew(self, address: Address, old: str, new: str, scram: str | None) -> None:
        """Replace hash and keys by better ones of the same password, unless the password was changed meanwhile."""
        with self._changing() as database:
            database.execute(
                "UPDATE account SET password = ?, scram = ? WHERE address = ? AND password = ?",
                (new, scram, _key(address), old),
            )

    def change(self, account: Account) -> None:
        """
        Replace everything but the password.

        @raise NoSuchAccount: nothing changed.
        @raise AccountExists: a new alias is taken; nothing changed.
        """
        key = _key(account.address)
        with self._changing() as database:
            row = database.execute("SELECT password, scram FROM account WHERE address = ?", (key,)).fetchone()
            if row is None:
                raise NoSuchAccount(str(account.address))
            database.execute("DELETE FROM account WHERE address = ?", (key,))
            _insert(database, account, *row)

    def remove(self, address: Address) -> None:
        """
        Remove an account with its aliases.

        @raise NoSuchAccount: nothing changed.
        """
        with self._changing() as database:
            if not database.execute("DELETE FROM account WHERE address = ?", (_key(address),)).rowcount:
                raise NoSuchAccount(str(address))

    @contextmanager
    def _asking(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._database
            except sqlite3.Error as fault:
                raise DirectoryDown(str(fault)) from fault

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._asking() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise


def _key(address: Address) -> str:
    return str(address).lower()


def _account(database: sqlite3.Connection, row: Sequence[str]) -> Account:
    """Build an account from C{_COLUMNS} and its other addresses."""
    address, plan, name, quota, status, subscription = row
    aliases = database.execute("SELECT address FROM name WHERE account = ? AND rank > 0 ORDER BY rank", (address,))
    senders = database.execute("SELECT address FROM sender WHERE account = ? ORDER BY address", (address,))
    return Account(
        Address.parse(address),
        plan,
        name,
        tuple(Address.parse(alias) for (alias,) in aliases),
        tuple(Address.parse(sender) for (sender,) in senders),
        quota if quota is None else int(quota),
        Status(status),
        subscription,
    )


def _check_free(database: sqlite3.Connection, addresses: Iterable[Address]) -> None:
    seen: set[str] = set()
    for address in addresses:
        key = _key(address)
        if key in seen or database.execute("SELECT 1 FROM name WHERE address = ?", (key,)).fetchone():
            raise AccountExists(str(address))
        seen.add(key)


def _insert(database: sqlite3.Connection, account: Account, encoded: str | None, scram: str | None) -> None:
    """Write an account whose own address is free."""
    key = _key(account.address)
    row = (key, encoded, account.plan, account.display_name, account.quota)
    database.execute(
        "INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (*row, account.status.value, account.subscription, scram),
    )
    add_name = "INSERT INTO name VALUES (?, ?, ?)"
    database.execute(add_name, (key, key, 0))
    _check_free(database, account.aliases)
    database.executemany(add_name, [(_key(each), key, rank) for rank, each in enumerate(account.aliases, 1)])
    senders = sorted(set(map(_key, account.senders)))
    database.executemany("INSERT INTO sender VALUES (?, ?)", [(key, sender) for sender in senders])
