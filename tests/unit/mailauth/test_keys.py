"""Signing keys in their files."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from trekd.errors import NoSuchKey, NotPermitted, StoreCorrupt, StoreFull, SyntaxFault
from trekd.mailauth.keyrecords import parse_key_record
from trekd.mailauth.keys import KeyFiles


@pytest.fixture
def files(tmp_path: Path) -> KeyFiles:
    return KeyFiles(tmp_path / "dkim")


def test_the_first_key_of_an_algorithm_signs(files: KeyFiles) -> None:
    assert files.create("Example.ORG.", "One", "rsa").is_signing
    assert files.create("example.org", "two", "ed25519").is_signing
    assert not files.create("example.org", "three", "ed25519").is_signing
    assert [(key.selector, key.algorithm) for key in files.signing("example.org")] == [
        ("one", "rsa"),
        ("two", "ed25519"),
    ]
    assert [key.selector for key in files.listed()] == ["one", "three", "two"]


def test_rotation_keeps_the_old_key_until_it_is_removed(files: KeyFiles) -> None:
    files.create("example.org", "old", "ed25519")
    files.create("example.org", "new", "ed25519")
    assert files.use("example.org", "new").is_signing
    assert [key.selector for key in files.signing("example.org")] == ["new"]
    assert [name for name, _ in files.published("example.org")] == [
        "new._domainkey.example.org",
        "old._domainkey.example.org",
    ]
    assert files.remove("example.org", "old").selector == "old"
    assert [name for name, _ in files.published("example.org")] == ["new._domainkey.example.org"]
    files.remove("example.org", "new")
    assert files.signing("example.org") == ()


def test_records_hold_the_public_half(files: KeyFiles) -> None:
    """RFC 6376 §3.6.1, RFC 8463 §4."""
    for algorithm in ("rsa", "ed25519"):
        key = files.create("example.org", algorithm, algorithm)
        record = parse_key_record(key.record.encode())
        assert record.algorithm == algorithm
        assert record.key is not None
    (rsa, _) = files.signing("example.org")
    assert rsa.key.key_size == 2048  # type: ignore[union-attr]


def test_only_the_daemon_can_read_them(files: KeyFiles, tmp_path: Path) -> None:
    files.create("example.org", "s", "ed25519")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "dkim").rglob("*")}
    assert modes == {"example.org": 0o700, "s.pem": 0o600, "signing": 0o600}


@pytest.mark.parametrize("selector", ["", "..", "../x", "a/b", "a b", "-a", "ü", "a\n", ".a", "x" * 64, "a..b", "a\0"])
def test_no_selector_leads_elsewhere(files: KeyFiles, tmp_path: Path, selector: str) -> None:
    with pytest.raises(SyntaxFault):
        files.create("example.org", selector, "ed25519")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("domain", ["", "..", "../x", "a/b", "a b", ".", "a..b", "x" * 64, "\0"])
def test_no_domain_leads_elsewhere(files: KeyFiles, domain: str) -> None:
    with pytest.raises(SyntaxFault):
        files.create(domain, "s", "ed25519")
    with pytest.raises(SyntaxFault):
        files.signing(domain)


def test_what_is_there_is_not_replaced(files: KeyFiles) -> None:
    made = files.create("example.org", "s", "ed25519")
    with pytest.raises(NotPermitted, match="has a key s already"):
        files.create("example.org", "s", "rsa")
    assert files.listed() == (made,)


def test_unknown_keys_and_algorithms_are_told(files: KeyFiles) -> None:
    with pytest.raises(NoSuchKey):
        files.remove("example.org", "s")
    with pytest.raises(NoSuchKey):
        files.use("example.org", "s")
    with pytest.raises(SyntaxFault):
        files.create("example.org", "s", "dsa")
    assert files.listed() == ()


def test_broken_files_are_told(files: KeyFiles, tmp_path: Path) -> None:
    files.create("example.org", "s", "ed25519")
    key = tmp_path / "dkim" / "example.org" / "s.pem"
    key.write_text("nonsense")
    with pytest.raises(StoreCorrupt, match="holds no private key"):
        files.signing("example.org")
    key.unlink()
    with pytest.raises(StoreCorrupt, match="is missing"):
        files.signing("example.org")


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "dkim").write_text("a file")
    with pytest.raises(StoreFull):
        KeyFiles(tmp_path / "dkim").create("example.org", "s", "ed25519")
