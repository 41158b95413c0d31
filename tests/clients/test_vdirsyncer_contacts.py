"""vdirsyncer and khard: contacts on two devices and a started daemon."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.daemon import Daemon
from tests.clients.programs import require
from tests.clients.vdirsyncer import Device
from tests.unit.calendar.test_vcard import card

USERS = ("two", "group", "conflict", "quiet", "bad", "khard")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    made = Daemon(tmp_path_factory.mktemp("contacts"))
    made.add_accounts({f"{name}@example.com": "pro" for name in USERS})
    made.start()
    yield made
    made.close()


def device(daemon: Daemon, directory: Path, user: str, conflict: str = "null") -> Device:
    """A device that has synchronised once."""
    made = Device(daemon, directory, f"{user}@example.com", "carddav", conflict)
    made.discover()
    made.sync()
    return made


def write(device: Device, name: str, octets: bytes) -> None:
    (device.files / "contacts" / name).write_bytes(octets)


def test_cards_go_both_ways_as_they_are(daemon: Daemon, tmp_path: Path) -> None:
    first, second = (device(daemon, tmp_path / name, "two") for name in ("a", "b"))
    picture = "PHOTO;ENCODING=b;TYPE=JPEG:" + "QUJD" * 20_000
    photo = card(picture, "N:Müller;Ann;;;", uid="photo", name="FN:Ann <&> Müller")
    write(first, "photo.vcf", photo)
    write(first, "four.vcf", card("N:Four;Bea;;;", "BDAY:--0203", "KIND:individual", uid="four", version="4.0"))
    first.sync()
    second.sync()
    found = second.items("contacts")
    assert len(found) == 2
    assert photo.decode().replace("\r\n", "\n") in [text.replace("\r\n", "\n") for text in found.values()]
    assert any("VERSION:4.0" in text and "BDAY:--0203" in text for text in found.values())

    # A change and a deletion go back.
    for path in (second.files / "contacts").glob("*.vcf"):
        if "VERSION:4.0" in path.read_text():
            path.unlink()
        else:
            path.write_text(path.read_text().replace("FN:Ann", "FN:Changed"))
    second.sync()
    first.sync()
    assert ["FN:Changed <&> Müller" in text for text in first.items("contacts").values()] == [True]


def test_a_group_and_its_members(daemon: Daemon, tmp_path: Path) -> None:
    first, second = (device(daemon, tmp_path / name, "group") for name in ("a", "b"))
    lines = ("X-ADDRESSBOOKSERVER-KIND:group", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:one")
    write(first, "one.vcf", card(uid="one"))
    write(first, "group.vcf", card(*lines, uid="team", name="FN:Team"))
    first.sync()
    second.sync()
    assert sum(set(lines) <= set(text.splitlines()) for text in second.items("contacts").values()) == 1


def test_a_second_run_changes_nothing(daemon: Daemon, tmp_path: Path) -> None:
    made = device(daemon, tmp_path, "quiet")
    write(made, "a.vcf", card())
    assert "Copying" in made.sync()
    told = made.sync()
    assert not any(word in told for word in ("Copying", "Deleting", "Updating")), told


def uids(device: Device, collection: str) -> list[str]:
    lines = (line for text in device.items(collection).values() for line in text.splitlines())
    return sorted(line.removeprefix("UID:") for line in lines if line.startswith("UID:"))


def test_the_embedded_directory_is_one_more_book_that_is_only_read(daemon: Daemon, tmp_path: Path) -> None:
    made = device(daemon, tmp_path, "quiet")
    people = sorted(f"{name}@example.com" for name in USERS)
    assert uids(made, "directory") == people
    (made.files / "directory/own.vcf").write_bytes(card(uid="own"))
    made.sync(status=None)
    assert uids(device(daemon, tmp_path / "other", "quiet"), "directory") == people


def test_two_devices_change_one_card(daemon: Daemon, tmp_path: Path) -> None:
    first, second = device(daemon, tmp_path / "a", "conflict"), device(daemon, tmp_path / "b", "conflict", '"a wins"')
    write(first, "a.vcf", card(name="FN:Old"))
    first.sync()
    second.sync()
    (path,) = (second.files / "contacts").glob("*.vcf")
    path.write_bytes(card(name="FN:Second"))
    write(first, "a.vcf", card(name="FN:First"))
    first.sync()
    second.sync()
    first.sync()
    assert ["FN:Second" in text for text in first.items("contacts").values()] == [True]


def test_what_is_no_card_stays_where_it_is(daemon: Daemon, tmp_path: Path) -> None:
    made = device(daemon, tmp_path, "bad")
    write(made, "bad.vcf", b"BEGIN:VCARD\r\nVERSION:2.1\r\nUID:x\r\nFN:X\r\nEND:VCARD\r\n")
    write(made, "good.vcf", card(uid="good"))
    made.sync(status=None)
    other = device(daemon, tmp_path / "other", "bad")
    assert ["UID:good" in text for text in other.items("contacts").values()] == [True]


# --- khard ----------------------------------------------------------------------------------------

KHARD = """\
[addressbooks]
[[contacts]]
path = {path}
[general]
default_action = list
[vcard]
preferred_version = {version}
"""


def khard(directory: Path, device: Device, version: str, *arguments: str, input: str = "") -> str:
    config = directory / "khard.conf"
    config.write_text(KHARD.format(path=device.files / "contacts", version=version))
    finished = subprocess.run(
        (require("khard"), "--config", str(config), *arguments),
        env={**os.environ, "HOME": str(directory), "EDITOR": "true"},
        input=input,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished
    return finished.stdout


@pytest.mark.parametrize("version", ["3.0", "4.0"])
def test_khards_contacts_reach_the_other_device(daemon: Daemon, tmp_path: Path, version: str) -> None:
    first, second = (device(daemon, tmp_path / name, "khard") for name in ("a", "b"))
    new = f"First name: Ann{version[0]}\nLast name: Müller\nEmail:\n    work: ann{version[0]}@example.org\n"
    khard(tmp_path, first, version, "new", "--addressbook", "contacts", input=new)
    assert any(f"VERSION:{version}" in text for text in first.items("contacts").values())
    first.sync()
    second.sync()
    assert f"ann{version[0]}@example.org" in khard(tmp_path, second, version, "email", "--parsable", f"Ann{version[0]}")
