"""L{trekd.cli.setup}: a configuration that the daemon takes, and never one that somebody wrote replaced unasked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trekd.cli.main import main
from trekd.config.sample import sample
from trekd.configfile import read_config

HOST = ("--hostname", "mail.example.net", "--domain", "example.net", "--domain", "example.org")


def run(path: Path, *options: str) -> int:
    return main(["--config", str(path), "setup", *options])


def test_what_was_said_is_in_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trekmail.toml"
    assert run(path, *HOST, "--certificate", "/etc/a.pem", "--key", "/etc/b.pem") == 0
    config = read_config(str(path))
    assert config.server.hostname == "mail.example.net"
    assert tuple(config.server.domains) == ("example.net", "example.org")
    assert (config.tls.certificate, config.tls.key) == ("/etc/a.pem", "/etc/b.pem")
    assert "trekctl account add alice@example.net" in capsys.readouterr().out
    assert path.stat().st_mode & 0o777 == 0o644
    assert os.listdir(tmp_path) == ["trekmail.toml"]


def test_accounts_of_a_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, secret = tmp_path / "trekmail.toml", tmp_path / "secret"
    secret.write_text("secret\n")
    ldap = (
        "--ldap",
        "ldaps://a.example.net",
        "--ldap",
        "ldaps://b.example.net",
        "--ldap-base",
        "ou=x,dc=example,dc=net",
    )
    assert (
        run(path, *HOST, *ldap, "--ldap-bind-dn", "cn=trek,dc=example,dc=net", "--ldap-password-file", str(secret)) == 0
    )
    found = read_config(str(path)).directory
    assert found.backend == "ldap"
    assert tuple(found.ldap.uris) == ("ldaps://a.example.net", "ldaps://b.example.net")
    assert (found.ldap.base, found.ldap.bind_dn) == ("ou=x,dc=example,dc=net", "cn=trek,dc=example,dc=net")
    assert "account add" not in capsys.readouterr().out


def test_mistakes_leave_everything_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trekmail.toml"
    path.write_text(sample())
    assert run(path, "--hostname", "no name!", "--domain", "example.net") == 1
    assert "hostname" in capsys.readouterr().err
    assert path.read_text() == sample()
    assert os.listdir(tmp_path) == ["trekmail.toml"]


def test_a_configuration_of_somebodys_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only with --force, kept beside it, with its mode."""
    path = tmp_path / "trekmail.toml"
    path.write_text("# mine\n")
    path.chmod(0o640)
    assert run(path, *HOST) == 1
    assert "--force" in capsys.readouterr().err
    assert path.read_text() == "# mine\n"
    assert run(path, *HOST, "--force") == 0
    assert (tmp_path / "trekmail.toml.old").read_text() == "# mine\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert read_config(str(path)).server.hostname == "mail.example.net"
    assert run(path, *HOST) == 0  # the same again


def test_the_packages_own_is_replaced(tmp_path: Path) -> None:
    """Nobody changed it."""
    path = tmp_path / "trekmail.toml"
    path.write_text(sample())
    assert run(path, *HOST) == 0
    assert os.listdir(tmp_path) == ["trekmail.toml"]


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ((), "--hostname"),
        (("--hostname", "mail.example.net"), "--domain"),
        ((*HOST, "--key", "k.pem"), "--certificate"),
        ((*HOST, "--ldap-base", "dc=x"), "--ldap"),
        ((*HOST, "--ldap", "ldaps://x.example"), "--ldap-base"),
    ],
)
def test_what_is_missing_is_named(
    tmp_path: Path, options: tuple[str, ...], missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trekmail.toml"
    assert run(path, *options) == 1
    assert missing in capsys.readouterr().err
    assert not path.exists()
