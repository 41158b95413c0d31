"""
Writes the fixture of the schema of today: C{python -m tests.upgrade.dump}, once for each schema that is released.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from tests.fakes.mime import PlainReader
from tests.fakes.running import PumpedReactor
from trekd.store.collections import (
    CollectionId,
    CollectionKind,
    ICollections,
    Mount,
    NewCollection,
    NewItem,
    PlainFacts,
    Right,
)
from trekd.store.interfaces import FlagOperation, IAccountStore, NewMessage
from trekd.store.sqlite.migrations import VERSION
from trekd.store.sqlite.store import Settings, SQLiteStore
from trekd.values import DELETED, INBOX, SEEN, Flag, MailboxName, PrincipalId

ALICE = PrincipalId("alice@example.com")
FIXTURES = Path(__file__).parent
LARGE = b"Subject: large\r\n\r\n" + b"0123456789abcde\n" * 256
"""A message that is in a file of its own, which the fixture does not hold."""
THRESHOLD = 1024


async def fill_collections(shelf: ICollections) -> None:
    """Collections of each kind of row: items, one that is gone, indexed times and texts, a grant, a mount."""
    work = await shelf.create_collection(
        NewCollection("work", CollectionKind.CALENDAR, None, ("VEVENT",), {"{DAV:}displayname": "<n/>"})
    )
    facts = PlainFacts("VEVENT", "one", ((3600, 7200, "B"),), 7200, True, (("SUMMARY", "meeting"),))
    await shelf.put(work.id, NewItem("one.ics", b"BEGIN:VCALENDAR\r\n\0\xff", facts, "text/calendar"))
    await shelf.put(work.id, NewItem("gone.ics", b"gone"))
    await shelf.remove_item(work.id, "gone.ics")
    await shelf.change_item_properties(work.id, "one.ics", {"{x}p": "<v/>"})
    await shelf.grant(work.id, {PrincipalId("bob@example.com"): Right.READ})
    await shelf.mount(
        Mount("bob's", PrincipalId("bob@example.com"), CollectionId("C" + "0" * 24), CollectionKind.CALENDAR)
    )


async def fill(account: IAccountStore) -> None:
    """An account in which every table has rows: mailboxes, copies, keywords, expunged messages."""
    await fill_collections(ICollections(account))
    await account.create(MailboxName("Projects/Überblick"), ("\\Important",))
    await account.subscribe(MailboxName("Projects/Überblick"))
    await account.unsubscribe(MailboxName("Junk"))
    await account.annotate((await account.mailbox(INBOX)).id, {"/private/comment": b"\0one"})
    date = datetime(1996, 7, 17, 2, 44, 25, tzinfo=timezone(timedelta(hours=-7)))
    small = [
        NewMessage(b"Subject: one\r\nDate: Wed, 17 Jul 1996 02:23:25 -0700\r\n\r\nfirst\0 \xff\r\n", b"", flags, date)
        for flags in (frozenset[Flag](), frozenset((SEEN, Flag("$Forwarded"))), frozenset((DELETED,)))
    ]
    await account.append(INBOX, [*small, NewMessage(LARGE, b"", frozenset((SEEN,)), date)])
    view = (await account.open(INBOX)).view
    await account.copy(view, (range(2), range(3, 4)), MailboxName("Archive"))
    await account.expunge(view.mailbox)
    await account.change_flags(view, (range(1),), FlagOperation.ADD, frozenset((Flag("todo"),)))


def dumped(database: Path) -> Iterator[str]:
    """The database as SQL."""
    connection = sqlite3.connect(database)
    yield from connection.iterdump()
    yield f"PRAGMA user_version = {VERSION};"
    connection.close()


def main() -> None:
    """Write C{schema_N.sql} beside this file."""
    with tempfile.TemporaryDirectory() as directory:
        reactor = PumpedReactor()
        settings = Settings(Path(directory), "sqlite3", body_file_threshold=THRESHOLD)
        store = SQLiteStore(settings, PlainReader(), reactor)
        reactor.run(fill(reactor.run(store.open(ALICE))))
        reactor.run(store.close())
        database = Path(directory) / "accounts" / ALICE / "mail.db"
        (FIXTURES / f"schema_{VERSION}.sql").write_text("\n".join(dumped(database)) + "\n", "utf-8")


if __name__ == "__main__":
    main()
