"""Sealed secrets and the file of their keys."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from trekd.errors import SecretSealed
from trekd.relay.sealing import KeyFile


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "keys" / "own-smtp.key")


def test_what_is_sealed_comes_back_and_is_not_readable(keys: KeyFile) -> None:
    """The key is made at first use, for this user alone."""
    sealed = keys.seal("hunter2 ü", b"acme", may_make=True)
    assert b"hunter2" not in sealed
    assert sealed != keys.seal("hunter2 ü", b"acme", may_make=False)
    assert KeyFile(keys.path).unseal(sealed, b"acme") == "hunter2 ü"
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.path.parent.stat().st_mode) == 0o700


def test_a_secret_belongs_to_what_it_was_sealed_for(keys: KeyFile) -> None:
    """Moved to another row it is worthless."""
    sealed = keys.seal("hunter2", b"acme", may_make=True)
    with pytest.raises(SecretSealed):
        keys.unseal(sealed, b"other")


def test_a_damaged_secret_is_a_clear_error_wherever_it_is_damaged(keys: KeyFile) -> None:
    """No octet can be changed or cut off, and nothing else is raised."""
    sealed = keys.seal("hunter2", b"acme", may_make=True)
    for place in range(1, len(sealed)):
        with pytest.raises(SecretSealed):
            keys.unseal(sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :], b"acme")
        with pytest.raises(SecretSealed):
            keys.unseal(sealed[:place], b"acme")


def test_a_lost_key_is_never_replaced_unasked(keys: KeyFile) -> None:
    """Secrets wait for the key to come back; the error says what to do."""
    sealed = keys.seal("hunter2", b"acme", may_make=True)
    kept = keys.path.read_bytes()
    keys.path.unlink()
    fresh = KeyFile(keys.path)
    with pytest.raises(SecretSealed, match="put the key back"):
        fresh.unseal(sealed, b"acme")
    with pytest.raises(SecretSealed, match="put the key back"):
        fresh.seal("x", b"acme", may_make=False)
    keys.path.touch(0o600)
    keys.path.write_bytes(kept)
    assert fresh.unseal(sealed, b"acme") == "hunter2"


def test_another_key_is_told_from_a_lost_one(keys: KeyFile) -> None:
    """The error names the key that is missing."""
    sealed = keys.seal("hunter2", b"acme", may_make=True)
    keys.path.unlink()
    keys.add_key()
    with pytest.raises(SecretSealed, match=f"key {sealed[1:9].hex()}"):
        keys.unseal(sealed, b"acme")


def test_an_open_key_file_is_refused(keys: KeyFile) -> None:
    """Others must not read it."""
    sealed = keys.seal("hunter2", b"acme", may_make=True)
    keys.path.chmod(0o640)
    with pytest.raises(SecretSealed, match="chmod 600"):
        KeyFile(keys.path).unseal(sealed, b"acme")


@pytest.mark.parametrize("content", [b"", b"short\n", b"!!!\n", b"\xff\xfe\n", b"A" * 44])
def test_a_file_without_keys_is_refused(keys: KeyFile, content: bytes) -> None:
    """Whatever stands in it."""
    keys.path.parent.mkdir(0o700)
    keys.path.touch(0o600)
    keys.path.write_bytes(content)
    with pytest.raises(SecretSealed):
        keys.seal("x", b"acme", may_make=True)


def test_old_keys_unseal_until_they_are_dropped(keys: KeyFile) -> None:
    """A key can be replaced without losing a secret on the way."""
    old = keys.seal("one", b"acme", may_make=True)
    keys.add_key()
    new = keys.seal("two", b"acme", may_make=False)
    assert [keys.unseal(each, b"acme") for each in (old, new)] == ["one", "two"]
    keys.drop_old_keys()
    assert keys.unseal(new, b"acme") == "two"
    with pytest.raises(SecretSealed):
        keys.unseal(old, b"acme")
