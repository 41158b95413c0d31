"""
An account's database of each released schema is opened by today's code.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.fakes.mime import PlainReader
from tests.fakes.running import PumpedReactor
from tests.upgrade.dump import ALICE, FIXTURES, LARGE, THRESHOLD, dumped, fill
from trekd.errors import ConfigFault
from trekd.store.collections import CollectionKind, ICollections, Match, NewCollection, NewItem, Right, Window
from trekd.store.interfaces import (
    Column,
    IAccountStore,
    LineTemplate,
    NewMessage,
)
from trekd.store.sqlite.migrations import VERSION
from trekd.store.sqlite.store import Settings, SQLiteStore
from trekd.store.terms import (
    BodyText,
)
from trekd.values import INBOX, MailboxName, ModSeq, PrincipalId

LINE = (Column.UID, b" ", Column.FLAGS, b" ", Column.INTERNALDATE, b" ", Column.OCTETS, b"\n")


@pytest.fixture
def reactor() -> PumpedReactor:
    """Runs the store."""
    return PumpedReactor()


def restore(version: int, directory: Path) -> Path:
    """Lay out the account of a fixture as its release had it; returns the database."""
    account = directory / "accounts" / ALICE
    (account / "bodies").mkdir(parents=True)
    connection = sqlite3.connect(account / "mail.db")
    connection.executescript((FIXTURES / f"schema_{version}.sql").read_text("utf-8"))
    for (objectid,) in connection.execute("SELECT objectid FROM email WHERE file = 1"):
        (account / "bodies" / objectid).write_bytes(LARGE)
    connection.close()
    return account / "mail.db"


def opened(directory: Path, reactor: PumpedReactor) -> SQLiteStore:
    """The store of today."""
    return SQLiteStore(Settings(directory, body_file_threshold=THRESHOLD), PlainReader(), reactor)


async def content(account: IAccountStore, name: MailboxName) -> bytes:
    """All messages of a mailbox."""
    view = (await account.open(name)).view
    listing = account.list_messages(view, (range(len(view.uids)),), LineTemplate(LINE))
    return b"".join([piece.octets async for piece in listing])


async def see_collections(shelf: ICollections) -> None:
    """What the fixtures since version 2 hold beside mail."""
    (work,) = await shelf.collections()
    assert (work.name, work.components, dict(work.properties)) == ("work", ("VEVENT",), {"{DAV:}displayname": "<n/>"})
    ((state, octets),) = await shelf.contents(work.id, ["one.ics", "gone.ics"])
    assert octets == b"BEGIN:VCALENDAR\r\n\0\xff" and dict(state.properties) == {"{x}p": "<v/>"}
    assert await shelf.identified(work.id, "one") == state
    assert [one.state for one in await shelf.overlapping(work.id, Window(0, 10_000), "VEVENT")] == [state]
    assert await shelf.containing(work.id, ["SUMMARY"], "meet", Match.STARTS_WITH) == (state,)
    assert (await shelf.item_changes(work.id, ModSeq(work.modseq - 2))).removed == ("gone.ics",)
    assert await shelf.grants(work.id) == {PrincipalId("bob@example.com"): Right.READ}
    assert [mount.name for mount in await shelf.mounts()] == ["bob's"]


async def see_previews(account: IAccountStore, version: int) -> None:
    """Since version 4 they come with the messages; those of before are made when they are asked for, and kept."""
    view = (await account.open(INBOX)).view
    made = b'"first ""first ""0123456789abcde01234"'

    async def shown(column: Column) -> bytes:
        listing = account.list_messages(view, (range(len(view.uids)),), LineTemplate((column,)))
        return b"".join([piece.octets async for piece in listing])

    assert await shown(Column.PREVIEW_LAZY) == (made if version >= 4 else b"NILNILNIL")
    assert await shown(Column.PREVIEW) == made
    assert await shown(Column.PREVIEW_LAZY) == made


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_old_account_is_opened(version: int, tmp_path: Path, reactor: PumpedReactor) -> None:
    """With its mailboxes, messages, flags and dates; it is sound and takes new mail."""
    restore(version, tmp_path)
    store = opened(tmp_path, reactor)
    alice = reactor.run(store.open(ALICE))
    small = b"Subject: one\r\nDate: Wed, 17 Jul 1996 02:23:25 -0700\r\n\r\nfirst\0 \xff\r\n"
    date = b'"17-Jul-1996 02:44:25 -0700"'
    assert reactor.run(content(alice, INBOX)) == (
        b"1 (todo) %b {65}\r\n%b\n2 (\\Seen $Forwarded) %b {65}\r\n%b\n4 (\\Seen) %b {%d}\r\n%b\n"
        % (date, small, date, small, date, len(LARGE), LARGE)
    )
    names = [(state.name.text, state.special_use, state.total) for state in reactor.run(alice.mailboxes())]
    assert ("INBOX", (), 3) in names
    assert ("Archive", ("\\Archive",), 3) in names
    assert ("Projects/Überblick", ("\\Important",), 0) in names
    assert MailboxName("Junk") not in reactor.run(alice.subscriptions())
    reactor.run(see_previews(alice, version))
    shelf = ICollections(alice)
    if version >= 2:
        reactor.run(see_collections(shelf))
    kept = {"/private/comment": b"\0one"} if version >= 3 else {}
    assert reactor.run(alice.annotations()).get(reactor.run(alice.mailbox(INBOX)).id, {}) == kept
    new = reactor.run(shelf.create_collection(NewCollection("new", CollectionKind.ADDRESS_BOOK)))
    assert reactor.run(shelf.put(new.id, NewItem("card", b"x"))).state.size == 1
    view = reactor.run(alice.open(INBOX)).view
    assert list(reactor.run(alice.search(view, BodyText("789abcde")))) == [4]
    assert list(reactor.run(alice.append(INBOX, [NewMessage(small)])).uids) == [5]
    assert reactor.run(alice.check()) == ()
    reactor.run(store.close())


def test_later_version_is_refused_and_left_alone(tmp_path: Path, reactor: PumpedReactor) -> None:
    """A downgrade says what is wrong instead of writing what the later release would not understand."""
    database = restore(VERSION, tmp_path)
    connection = sqlite3.connect(database)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = list(dumped(database))
    connection.close()
    store = opened(tmp_path, reactor)
    with pytest.raises(ConfigFault, match=f"schema version {VERSION + 1}"):
        reactor.run(store.open(ALICE))
    reactor.run(store.close())
    assert list(dumped(database)) == before


def test_fixture_of_today_is_todays_schema(tmp_path: Path, reactor: PumpedReactor) -> None:
    """A change of the schema without a step and a fixture of its own is found here."""
    kept = restore(VERSION, tmp_path / "kept")
    store = opened(tmp_path / "new", reactor)
    reactor.run(fill(reactor.run(store.open(ALICE))))
    reactor.run(store.close())
    made = tmp_path / "new" / "accounts" / ALICE / "mail.db"
    query = "SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
    schemas = [sqlite3.connect(path).execute(query).fetchall() for path in (kept, made)]
    assert schemas[0] == schemas[1]
