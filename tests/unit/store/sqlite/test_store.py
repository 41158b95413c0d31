"""The store's files: who may read them, who may open them, and what a crash left in them."""

from __future__ import annotations

import os
import stat

import pytest

from tests.contract.storecase import ALICE, BOB, fill, message, uids_in
from tests.fakes.mime import PlainReader
from tests.unit.store.sqlite.conftest import Site
from trekd.errors import ConfigFault, StoreCorrupt, StoreFull
from trekd.store.interfaces import NewMessage
from trekd.store.sqlite.store import Settings, SQLiteStore
from trekd.values import INBOX, PrincipalId

LARGE = NewMessage(b"Subject: large\r\n\r\n" + b"x" * 10_000)


def test_files_are_ours_alone(site: Site) -> None:
    """Whatever the umask."""
    old = os.umask(0)
    try:
        site.reactor.run(site.store.open(BOB))
        site.reactor.run(site.alice.append(INBOX, [LARGE, message()]))
        for path, directories, files in os.walk(site.directory):
            for name in directories:
                assert stat.S_IMODE(os.stat(os.path.join(path, name)).st_mode) == 0o700, name
            for name in files:
                assert stat.S_IMODE(os.stat(os.path.join(path, name)).st_mode) == 0o600, name
    finally:
        os.umask(old)


def test_one_process_at_a_time(site: Site) -> None:
    with pytest.raises(ConfigFault, match="another process"):
        SQLiteStore(Settings(site.directory, site.engine), PlainReader(), site.reactor)
    site.stop()
    site.start()


def test_directory_that_cannot_be_made(site: Site) -> None:
    (site.directory / "file").write_bytes(b"")
    with pytest.raises(ConfigFault):
        SQLiteStore(Settings(site.directory / "file", site.engine), PlainReader(), site.reactor)


def test_what_a_crash_left_is_removed(site: Site) -> None:
    """Files of messages that were never committed, and of messages that were arriving."""
    site.reactor.run(site.alice.append(INBOX, [LARGE]))
    site.stop()
    (site.files / "bodies" / "Eneverknown").write_bytes(b"x")
    (site.directory / "incoming" / "12345.incoming").write_bytes(b"x")
    site.start()
    assert len(os.listdir(site.files / "bodies")) == 1
    assert os.listdir(site.directory / "incoming") == []


def test_account_that_was_begun_is_finished(site: Site) -> None:
    """The process died before the first commit, or after the schema's."""
    for script in ((), ("DELETE FROM account", "DELETE FROM mailbox", "DELETE FROM subscription")):
        site.reactor.run(site.store.remove(ALICE))
        site.alice = site.reactor.run(site.store.open(ALICE))
        site.stop()
        if script:
            site.tamper(*script)
        else:
            (site.files / "mail.db").write_bytes(b"")
        site.start()
        assert len(site.reactor.run(site.alice.mailboxes())) == 6


def test_database_under_another_name_is_refused(site: Site) -> None:
    """A directory that was copied or renamed by hand."""
    site.stop()
    site.files.rename(site.files.with_name(BOB))
    site.start()
    with pytest.raises(StoreCorrupt, match="belongs to"):
        site.reactor.run(site.store.open(BOB))


def test_account_directory_that_cannot_be_made(site: Site) -> None:
    (site.directory / "accounts" / BOB).write_bytes(b"")
    with pytest.raises(StoreFull):
        site.reactor.run(site.store.open(BOB))
    (site.directory / "accounts" / BOB).unlink()
    assert site.reactor.run(site.store.open(BOB)).principal == BOB


def test_accounts_with_long_names_are_listed(site: Site) -> None:
    """Their names come from their databases."""
    long = PrincipalId("ü" * 60 + "@" + "x" * 60 + ".example.com")
    site.reactor.run(site.store.open(long))
    assert site.reactor.run(site.store.accounts()) == (ALICE, long)
    site.reactor.run(site.store.remove(long))
    assert site.reactor.run(site.store.accounts()) == (ALICE,)


def test_account_made_again_has_greater_validity(site: Site) -> None:
    """In the same second, too, for clients remember the old messages."""
    old = site.reactor.run(site.alice.mailbox(INBOX)).uid_validity
    site.reactor.run(site.store.remove(ALICE))
    site.alice = site.reactor.run(site.store.open(ALICE))
    assert site.reactor.run(site.alice.mailbox(INBOX)).uid_validity > old


def test_many_accounts_need_few_files(site: Site) -> None:
    """Each with a session that does nothing."""
    site.stop()
    site.start(open_databases=3)
    before = len(os.listdir("/proc/self/fd"))
    accounts = [site.reactor.run(site.store.open(PrincipalId(f"user{number}@example.com"))) for number in range(30)]
    for account in accounts:
        site.reactor.run(fill(account, 1))
        assert site.reactor.run(uids_in(account)) == [1]
    assert len(os.listdir("/proc/self/fd")) - before <= 4 * 3


def test_closed_store_has_no_open_file(site: Site) -> None:
    site.reactor.run(fill(site.alice, 1))
    site.stop()
    links = [os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
    assert not [link for link in links if os.path.islink(link) and str(site.directory) in os.readlink(link)]
    assert sorted(os.listdir(site.files)) == ["bodies", "mail.db"]
