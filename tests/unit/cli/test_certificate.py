"""L{trekd.cli.certificate}: a self-signed certificate that never replaces another."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography import x509

from trekd.cli.main import main
from trekd.config.schema import TLSConfig
from trekd.tls import ServerTLS


def made(folder: Path, *names: str) -> int:
    return main(["certificate", "self-signed", "--folder", str(folder), *names])


def test_the_daemon_takes_it_and_only_the_group_reads_the_key(tmp_path: Path) -> None:
    assert made(tmp_path, "mail.example.com", "imap.example.com") == 0
    chain, key = tmp_path / "fullchain.pem", tmp_path / "privkey.pem"
    ServerTLS(TLSConfig(certificate=str(chain), key=str(key)))
    assert key.stat().st_mode & 0o777 == 0o640
    assert key.stat().st_gid == tmp_path.stat().st_gid
    names = x509.load_pem_x509_certificate(chain.read_bytes()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == ["mail.example.com", "imap.example.com"]
    assert sorted(os.listdir(tmp_path)) == ["fullchain.pem", "privkey.pem"]


@pytest.mark.parametrize("present", ["fullchain.pem", "privkey.pem"])
def test_what_is_there_stays(tmp_path: Path, present: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / present).write_text("the administrator's")
    assert made(tmp_path) == 1
    assert "is there already" in capsys.readouterr().err
    assert os.listdir(tmp_path) == [present]
    assert (tmp_path / present).read_text() == "the administrator's"


def test_a_link_to_nowhere_stays(tmp_path: Path) -> None:
    """As certbot's links are while the file system they lead to is not mounted."""
    (tmp_path / "privkey.pem").symlink_to("/nonexistent/privkey.pem")
    assert made(tmp_path) == 1
    assert os.listdir(tmp_path) == ["privkey.pem"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert made(tmp_path / "none") == 1
    assert f"{tmp_path}/none: No such file" in capsys.readouterr().err


def test_a_name_that_is_not_ascii_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert made(tmp_path, "пошта.example") == 1
    assert "xn--" in capsys.readouterr().err
    assert os.listdir(tmp_path) == []
