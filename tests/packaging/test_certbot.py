"""The hook that certbot runs after a renewal, with a renewed certificate and without certbot."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.fakes.certificates import make_certificate
from tests.tools.source import ROOT
from trekd.config.schema import TLSConfig
from trekd.tls import ServerTLS

HOOK = ROOT / "etc/certbot/trekmail"


def lineage(directory: Path) -> Path:
    """What certbot leaves in /etc/letsencrypt/live/NAME: links to files that only root reads."""
    archive, live = directory / "archive", directory / "live"
    archive.mkdir()
    live.mkdir()
    pair = make_certificate(archive, "mail.example.com")
    for name, path in zip(("fullchain.pem", "privkey.pem"), pair, strict=True):
        (live / name).symlink_to(path)
    return live


def renew(renewed: Path, target: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "RENEWED_LINEAGE": str(renewed), "TREKMAIL_TLS": str(target), **more}
    without_systemd = HOOK.read_text().replace("/run/systemd/system", "/nonexistent")
    return subprocess.run(
        ["sh", "-c", without_systemd], env=environment, capture_output=True, text=True, timeout=30, check=False
    )


def test_a_renewed_pair_is_the_daemons_to_read(tmp_path: Path) -> None:
    target = tmp_path / "tls"
    target.mkdir()
    (target / "privkey.pem").write_text("the old one")
    live = lineage(tmp_path)
    finished = renew(live, target)
    assert finished.returncode == 0, finished.stderr
    assert sorted(path.name for path in target.iterdir()) == ["fullchain.pem", "privkey.pem"]
    key = target / "privkey.pem"
    assert key.read_bytes() == (live / "privkey.pem").read_bytes()
    assert not key.is_symlink() and key.stat().st_mode & 0o777 == 0o640
    ServerTLS(TLSConfig(certificate=str(target / "fullchain.pem"), key=str(key)))


def test_another_lineage_is_passed_by(tmp_path: Path) -> None:
    target = tmp_path / "tls"
    target.mkdir()
    assert renew(lineage(tmp_path), target, TREKMAIL_LINEAGE="/etc/letsencrypt/live/other.example").returncode == 0
    assert list(target.iterdir()) == []


def test_a_lineage_without_a_key_changes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "tls"
    target.mkdir()
    (target / "privkey.pem").write_text("the old one")
    live = lineage(tmp_path)
    (live / "privkey.pem").unlink()
    assert renew(live, target).returncode != 0
    assert (target / "privkey.pem").read_text() == "the old one"
