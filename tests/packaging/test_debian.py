"""The Debian package in a fresh system: built, installed, started, driven, upgraded, removed, purged."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.chroot import Chroot, base, require_chroot, require_debian, run
from tests.tools.source import ROOT

pytestmark = pytest.mark.slow

CONFIG = "/etc/trekmail/trekmail.toml"
DAEMON = (
    "setpriv --reuid trekmail --regid trekmail --init-groups --inh-caps +net_bind_service"
    " --ambient-caps +net_bind_service"
)
START = f"install -d -o trekmail /run/trekmail; {DAEMON} twistd --nodaemon --pidfile= trekmail"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built from the checkout's files by Debian's own tools."""
    require_debian("dpkg-buildpackage", "dh", "dh_python3", "lintian")
    source = tmp_path_factory.mktemp("build") / "trekmail"
    ignored = shutil.ignore_patterns(".git", ".venv*", "__pycache__", "*.egg-info", "run", ".*_cache", ".hypothesis")
    shutil.copytree(ROOT, source, ignore=ignored, symlinks=True)
    run("dpkg-buildpackage", "-b", "-us", "-uc", "-d", "-Pnocheck", cwd=source)
    return next(source.parent.glob("trekmail_*_all.deb"))


@pytest.fixture(scope="module")
def system(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chroot]:
    """A fresh system in which the package was installed, with its dependencies, by apt."""
    require_chroot()
    cached = base()
    path = tmp_path_factory.mktemp("system") / "root"
    run("cp", "-a", "--reflink=auto", str(cached), str(path))
    made = Chroot(path)
    shutil.copy(package, path / "root/trekmail.deb")
    shutil.copy(Path(__file__).with_name("drive.py"), path / "root")
    made.shell("apt-get install -q -y /root/trekmail.deb")
    made.keep_packages(cached)
    yield made
    run("rm", "-rf", str(path))


def test_lintian_finds_nothing(package: Path) -> None:
    found = run("lintian", str(next(package.parent.glob("*.changes"))), status=None)
    assert re.findall(r"(?m)^[EW]: .*", found) == []


def test_it_is_the_daemons_user_who_reads_the_key(system: Chroot) -> None:
    modes = system.shell("stat -c '%n %a %U:%G' /etc/trekmail/tls/* /var/lib/trekmail").splitlines()
    assert modes == [
        "/etc/trekmail/tls/fullchain.pem 644 root:trekmail",
        "/etc/trekmail/tls/privkey.pem 640 root:trekmail",
        "/var/lib/trekmail 700 trekmail:trekmail",
    ]


def test_it_starts_as_installed_and_mail_and_dav_go_round(system: Chroot) -> None:
    """No line of the configuration was changed; only an account was added."""
    system.shell("echo correct horse | trekctl account add alice@example.com --plan pro --password-stdin")
    said = system.shell(f"({START}) & daemon=$!; python3 /root/drive.py; kill $daemon; wait || true", network=False)
    assert "all went round" in said
    assert "Traceback" not in said


def test_a_port_that_another_program_holds_is_named(system: Chroot) -> None:
    holding = "import socket, time; s = socket.create_server((\"\", 465)); print(\"held\", flush=True); time.sleep(60)"
    said = system.shell(
        f"mkfifo /root/held; python3 -c '{holding}' > /root/held & read word < /root/held; rm /root/held; {START}",
        status=1,
        network=False,
    )
    assert "port 465 is taken" in said and "a program of user root" in said
    as_root = system.shell(
        f"python3 -c '{holding}' > /root/out & while ! grep -q held /root/out; do sleep 0.1; done;"
        " twistd --nodaemon --pidfile= trekmail",
        status=1,
        network=False,
    )
    assert "python3 (process " in as_root


def test_a_key_that_the_daemon_may_not_read_is_told_with_the_cure(system: Chroot) -> None:
    key = "/etc/trekmail/tls/privkey.pem"
    try:
        said = system.shell(f"chmod 600 {key}; {START}", status=1, network=False)
    finally:
        system.shell(f"chmod 640 {key}")
    assert key in said and "Permission denied" in said and "chgrp trekmail" in said


def test_upgrade_keeps_the_administrators_file_even_a_broken_one(system: Chroot, package: Path, tmp_path: Path) -> None:
    newer = _newer(package, tmp_path)
    shutil.copy(newer, system.path / "root/newer.deb")
    config = system.path / CONFIG[1:]
    before = config.read_text()
    certificate = (system.path / "etc/trekmail/tls/fullchain.pem").read_bytes()
    config.write_text(before.replace("[imap]\n", "[imap]\nidle_timeuot = 1\n", 1))
    system.shell("apt-get install -q -y -o Dpkg::Options::=--force-confdef /root/newer.deb")
    assert "+upgrade" in system.shell("dpkg-query -W -f '${Version} ${Status}' trekmail")
    assert "idle_timeuot" in config.read_text()
    assert "# new in this version" in config.with_name("trekmail.toml.dpkg-dist").read_text()
    assert (system.path / "etc/trekmail/tls/fullchain.pem").read_bytes() == certificate
    said = system.shell(START, status=1, network=False)
    line = config.read_text().splitlines().index("idle_timeuot = 1") + 1
    assert f"{CONFIG}:{line}:" in said and "idle_timeuot" in said and "idle_timeout" in said
    config.write_text(before)


def _newer(package: Path, directory: Path) -> Path:
    """The same package under a higher version, with another configuration file in it."""
    run("dpkg-deb", "-R", str(package), str(directory / "tree"))
    control = directory / "tree/DEBIAN/control"
    control.write_text(re.sub(r"(?m)^(Version: .*)$", r"\1+upgrade", control.read_text()))
    with open(directory / "tree" / CONFIG[1:], "a") as file:
        file.write("# new in this version\n")
    run("dpkg-deb", "--root-owner-group", "-b", str(directory / "tree"), str(directory / "newer.deb"))
    return directory / "newer.deb"


def test_removed_and_purged_the_mail_stays(system: Chroot) -> None:
    before = _files(system.path / "var/lib/trekmail")
    system.shell("apt-get remove -q -y trekmail")
    assert (system.path / CONFIG[1:]).exists()
    assert not os.path.lexists(system.path / "usr/bin/twistd")
    system.shell("apt-get purge -q -y trekmail")
    assert not (system.path / CONFIG[1:]).exists()
    after = _files(system.path / "var/lib/trekmail")
    assert after == before
    assert any(octets.find(b"Subject: by 465") >= 0 for octets in after.values())
    assert system.shell("dpkg --audit") == ""


def _files(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
