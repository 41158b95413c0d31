"""trekctl dkim, over key files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.administration import Administered
from tests.fakes.dkim import at_once
from tests.unit.cli.test_commands import Shell
from trekd.cli.failures import FAILED, USAGE
from trekd.mailauth.keyring import Keyring
from trekd.mailauth.keys import KeyFiles


@pytest.fixture
def trekctl(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shell]:
    """trekctl with a daemon that has keys."""
    monkeypatch.setattr("os.umask", lambda mask: mask)
    shell = Shell(tmp_path, capsys, monkeypatch)
    shell.host = Administered(keys=Keyring(KeyFiles(tmp_path / "dkim"), at_once))
    yield shell


def test_create_makes_a_key_of_each_algorithm_and_prints_their_records(trekctl: Shell) -> None:
    out = trekctl("dkim", "create", "example.com", "--selector", "one")
    rsa, ed25519 = [line for line in out.splitlines() if "IN TXT" in line]
    assert rsa.startswith('one-rsa._domainkey.example.com. IN TXT ( "v=DKIM1; k=rsa; p=MII')
    assert ed25519.startswith('one-ed25519._domainkey.example.com. IN TXT ( "v=DKIM1; k=ed25519; p=')
    assert all(len(string) <= 255 for string in rsa.split('"')[1::2])
    assert "trekctl dkim use" not in out
    assert trekctl("dkim", "show", "example.com").splitlines() == sorted([rsa, ed25519])


def test_keys_are_rotated(trekctl: Shell) -> None:
    (old,) = trekctl.json("dkim", "create", "example.com", "--selector", "old", "--algorithm", "ed25519")
    assert (old["selector"], old["signing"]) == ("old", True)
    out = trekctl("dkim", "create", "example.com", "--selector", "new", "--algorithm", "ed25519")
    assert "trekctl dkim use example.com new" in out
    assert trekctl("dkim", "use", "example.com", "new").startswith("new signs for example.com from now on")
    assert {key["selector"]: key["signing"] for key in trekctl.json("dkim", "list")} == {"new": True, "old": False}
    assert trekctl("dkim", "remove", "example.com", "old") == (
        "removed old; its record old._domainkey.example.com can go\n"
    )
    assert "no ed25519 key signs" in trekctl("dkim", "remove", "example.com", "new")
    assert trekctl.json("dkim", "list", "example.com") == []


def test_the_list_is_a_table(trekctl: Shell) -> None:
    trekctl("dkim", "create", "example.com")
    first, *rows = trekctl("dkim", "list", "example.com").splitlines()
    assert first.split() == ["DOMAIN", "SELECTOR", "ALGORITHM", "SIGNS", "MADE"]
    assert [row.split()[2:4] for row in rows] == [["ed25519", "yes"], ["rsa", "yes"]]


def test_what_cannot_be_done_is_told(trekctl: Shell) -> None:
    trekctl("dkim", "show", "example.com", status=FAILED)
    trekctl("dkim", "create", "example.net", status=FAILED)
    assert "example.net is not one of [server] domains" in trekctl.error
    trekctl("dkim", "create", "example.com", "--selector", "../x", "--algorithm", "rsa", status=FAILED)
    assert "expected selector" in trekctl.error
    trekctl("dkim", "create", "example.com", "--selector", "s", "--algorithm", "ed25519")
    trekctl("dkim", "create", "example.com", "--selector", "s", "--algorithm", "ed25519", status=FAILED)
    assert "example.com has a key s already" in trekctl.error
    for verb in ("use", "remove"):
        trekctl("dkim", verb, "example.com", "t", status=FAILED)
        assert "example.com has no key t" in trekctl.error
    with pytest.raises(SystemExit) as ended:
        trekctl("dkim", "create", "example.com", "--algorithm", "dsa")
    assert ended.value.code == USAGE
