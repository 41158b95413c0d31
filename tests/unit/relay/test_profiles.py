"""Own-SMTP profiles: kept, assigned, sealed."""

from __future__ import annotations

import sqlite3
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from zope.interface.verify import verifyObject

from tests.fakes.postoffice import run_here
from tests.unit.queue.support import run
from trekd.directory.interfaces import Account
from trekd.errors import (
    ConfigFault,
    LaneClosed,
    NoSuchProfile,
    NotPermitted,
    ProfileExists,
    SecretSealed,
    StoreFull,
    SyntaxFault,
)
from trekd.queue.interfaces import IProfiles
from trekd.relay.interfaces import EVERYBODY, IProfileAdministration, ProfileSettings, TLSMode
from trekd.relay.profilefile import ProfileFile
from trekd.relay.profiles import Profiles
from trekd.relay.sealing import KeyFile
from trekd.values import Address

ACME = ProfileSettings("acme", "", "smtp.acme.example", 465, TLSMode.IMPLICIT, "apikey", Address.parse("a@example.com"))
ALICE = Account(Address.parse("alice@example.com"), "nano")
BOB = Account(Address.parse("bob@example.com"), "nano")
CAROL = Account(Address.parse("carol@example.org"), "nano")


class Shop:
    """Profiles in a directory, closed and opened again at will."""

    def __init__(self, path: Path) -> None:
        self.path = path / "own-smtp.sqlite"
        self.keys = KeyFile(path / "keys" / "own-smtp.key")
        self.profiles = self.opened()

    def opened(self) -> Profiles:
        file = ProfileFile(self.path)
        file.open()
        return Profiles(file, KeyFile(self.keys.path), run_here)

    def add(self, settings: ProfileSettings = ACME, secret: str = "hunter2") -> None:
        run(self.profiles.add(settings, secret))

    def use(self, subject: str, profile: str | None) -> None:
        run(self.profiles.use(subject, profile))

    def of(self, account: Account) -> str:
        found: str = run(self.profiles.assigned(account))
        return found


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_contracts(shop: Shop) -> None:
    assert verifyObject(IProfiles, shop.profiles)
    assert verifyObject(IProfileAdministration, shop.profiles)


def test_a_profile_survives_a_restart_with_its_secret_sealed(shop: Shop) -> None:
    """The file is for this user alone and holds no password."""
    shop.add()
    shop.use(EVERYBODY, "acme")
    again = shop.opened()
    profile = run(again.open("acme"))
    assert (profile.host, profile.port, profile.tls) == ("smtp.acme.example", 465, TLSMode.IMPLICIT)
    assert (profile.user, profile.secret, profile.sender) == ("apikey", "hunter2", Address.parse("a@example.com"))
    assert "hunter2" not in repr(profile)
    assert run(again.assigned(ALICE)) == "acme"
    assert b"hunter2" not in shop.path.read_bytes()
    assert stat.S_IMODE(shop.path.stat().st_mode) == 0o600


def test_the_mailbox_goes_before_its_domain_before_the_default(shop: Shop) -> None:
    """DESIGN §7."""
    for name in ("acme", "mine", "ours"):
        shop.add(replace(ACME, name=name))
    assert shop.of(ALICE) == ""
    shop.use(EVERYBODY, "acme")
    assert [shop.of(each) for each in (ALICE, BOB, CAROL)] == ["acme", "acme", "acme"]
    shop.use("example.com", "ours")
    assert [shop.of(each) for each in (ALICE, BOB, CAROL)] == ["ours", "ours", "acme"]
    shop.use("alice@example.com", "mine")
    assert [shop.of(each) for each in (ALICE, BOB, CAROL)] == ["mine", "ours", "acme"]
    shop.use("alice@example.com", "")
    assert shop.of(ALICE) == "", "the server's own way, whatever the domain has"
    shop.use("alice@example.com", None)
    assert shop.of(ALICE) == "ours"


def test_a_profile_in_use_cannot_go_away(shop: Shop) -> None:
    """Its users' mail would silently take another route."""
    shop.add()
    shop.use("alice@example.com", "acme")
    with pytest.raises(NotPermitted, match=r"alice@example\.com"):
        run(shop.profiles.remove("acme"))
    assert shop.of(ALICE) == "acme"
    shop.use("alice@example.com", None)
    run(shop.profiles.remove("acme"))
    assert run(shop.opened().profiles()) == ()
    with pytest.raises(LaneClosed):
        run(shop.profiles.open("acme"))
    with pytest.raises(NoSuchProfile):
        run(shop.profiles.remove("acme"))
    with pytest.raises(NoSuchProfile):
        shop.use("alice@example.com", "acme")


def test_an_owners_profile_is_its_own(shop: Shop) -> None:
    """Nobody sends through somebody else's provider."""
    shop.add(replace(ACME, name="of-alice", owner="alice@example.com"))
    shop.add(replace(ACME, name="of-domain", owner="example.com"))
    shop.use("alice@example.com", "of-alice")
    shop.use("bob@example.com", "of-domain")
    shop.use("example.com", "of-domain")
    for subject, name in (
        ("bob@example.com", "of-alice"),
        ("example.com", "of-alice"),
        (EVERYBODY, "of-domain"),
        ("carol@sub.example.com", "of-domain"),
        ("carol@notexample.com", "of-domain"),
        ("example.org", "of-domain"),
    ):
        with pytest.raises(NotPermitted):
            shop.use(subject, name)
    with pytest.raises(NotPermitted):
        run(shop.profiles.change(replace(ACME, name="of-domain", owner="example.org"), None))


def test_a_change_keeps_the_secret_or_takes_a_new_one_and_is_told(shop: Shop) -> None:
    """The revision rises: what was learnt with the old one is void; the lane may open again."""
    shop.add()
    told: list[str] = []
    shop.profiles.watch(told.append)
    run(shop.profiles.change(replace(ACME, host="other.example"), None))
    profile = run(shop.opened().open("acme"))
    assert (profile.host, profile.secret, profile.revision) == ("other.example", "hunter2", 2)
    run(shop.profiles.change(ACME, "new"))
    assert run(shop.profiles.open("acme")).secret == "new"
    assert told == ["acme", "acme"]
    with pytest.raises(NoSuchProfile):
        run(shop.profiles.change(replace(ACME, name="none"), "x"))
    with pytest.raises(ProfileExists):
        shop.add()


def test_who_edits_the_database_does_not_get_the_password_elsewhere(shop: Shop) -> None:
    """A secret is sealed for its host and user."""
    shop.add()
    database = sqlite3.connect(shop.path)
    database.execute("UPDATE profile SET host = 'evil.example'")
    database.commit()
    database.close()
    with pytest.raises(LaneClosed):
        run(shop.opened().open("acme"))


def test_without_its_key_a_profile_waits_and_says_why(shop: Shop) -> None:
    """Never another route, never a new key unasked; with the key back all is well."""
    shop.add()
    kept = shop.keys.path.read_bytes()
    shop.keys.path.unlink()
    again = shop.opened()
    with pytest.raises(LaneClosed) as error:
        run(again.open("acme"))
    assert str(shop.keys.path) not in str(error.value), "the owner of a mailbox need not know our paths"
    (record,) = run(again.profiles())
    assert str(shop.keys.path) in record.problem
    with pytest.raises(SecretSealed):
        run(again.add(replace(ACME, name="second"), "x"))
    shop.keys.path.touch(0o600)
    shop.keys.path.write_bytes(kept)
    assert run(again.open("acme")).secret == "hunter2"


def test_a_new_key_seals_everything_anew(shop: Shop) -> None:
    """The old key is gone from the file afterwards."""
    shop.add()
    shop.add(replace(ACME, name="open", user=""), "")
    old = shop.keys.path.read_bytes()
    assert run(shop.profiles.rekey()) == ()
    assert old.strip() not in shop.keys.path.read_bytes()
    assert run(shop.opened().open("acme")).secret == "hunter2"


def test_a_new_key_after_a_loss_names_what_is_lost(shop: Shop) -> None:
    """Those passwords are set again, one by one."""
    shop.add()
    shop.keys.path.unlink()
    again = shop.opened()
    assert run(again.rekey()) == ("acme",)
    run(again.change(ACME, "again"))
    assert run(again.open("acme")).secret == "again"


@pytest.mark.parametrize(
    ("settings", "secret"),
    [
        (replace(ACME, name="Acme"), "x"),
        (replace(ACME, name="a b"), "x"),
        (replace(ACME, name="server"), "x"),
        (replace(ACME, name="inherit"), "x"),
        (replace(ACME, name=""), "x"),
        (replace(ACME, port=0), "x"),
        (replace(ACME, port=65536), "x"),
        (replace(ACME, user="a\r\nb"), "x"),
        (replace(ACME, user="a\0b"), "x"),
        (ACME, ""),
        (ACME, "a\nb"),
        (ACME, "a\0b"),
        (ACME, "\ud800"),
        (ACME, "x" * 1025),
        (replace(ACME, user=""), "x"),
    ],
)
def test_what_cannot_be_a_profile_is_refused(shop: Shop, settings: ProfileSettings, secret: str) -> None:
    """Nothing is stored."""
    with pytest.raises(SyntaxFault):
        shop.add(settings, secret)
    assert run(shop.profiles.profiles()) == ()


def test_what_cannot_be_written_is_not_in_force(shop: Shop) -> None:
    """Disk first, memory second."""
    shop.add()
    run(shop.profiles.close())
    with pytest.raises(StoreFull):
        shop.use("alice@example.com", "acme")
    with pytest.raises(StoreFull):
        shop.add(replace(ACME, name="second"))
    assert shop.of(ALICE) == ""
    assert [each.name for each in run(shop.profiles.profiles())] == ["acme"]


def test_a_file_that_is_none_is_a_mistake_with_a_name(tmp_path: Path) -> None:
    path = tmp_path / "own-smtp.sqlite"
    path.touch(0o600)
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(ConfigFault, match=r"own-smtp\.sqlite: not a usable database"):
        ProfileFile(path).open()
    path.chmod(0o644)
    with pytest.raises(ConfigFault, match="chmod 600"):
        ProfileFile(path).open()
