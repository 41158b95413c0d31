"""A fresh Debian to install the package in: made once, kept in a cache outside the checkout, copied for each run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
"""Debian's own programs, and its own Python, first."""
FRESH = 14 * 86400
"""Seconds that a cached system is used before it is made anew, with the package lists of that day."""
_APT = Path("/etc/apt")
_NOT_STARTING = "#!/bin/sh\nexit 101\n"
_KEEPING = """\
#clear DPkg::Post-Invoke;
#clear APT::Update::Post-Invoke;
Binary::apt::APT::Keep-Downloaded-Packages "true";
APT::Install-Recommends "false";
"""


def environment() -> dict[str, str]:
    """For commands of Debian: nothing of the test run's own Python."""
    return {
        "PATH": SYSTEM_PATH,
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
        **{name: text for name, text in os.environ.items() if name.lower().endswith("_proxy")},
    }


def run(*command: str, cwd: Path | None = None, input: str | None = None, status: int | None = 0) -> str:
    """Run a command to its end; both its outputs."""
    finished = subprocess.run(
        command,
        cwd=cwd,
        input=input,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    assert status is None or finished.returncode == status, (command, finished.returncode, finished.stdout[-6000:])
    return finished.stdout


def require_debian(*programs: str) -> None:
    """Skip, saying why, where packages cannot be built and tried."""
    for program in programs:
        if shutil.which(program, path=SYSTEM_PATH) is None:
            if os.environ.get("CI") == "true" and os.geteuid() == 0:
                pytest.fail(f"{program} is not installed; the test run should have installed it")
            pytest.skip(f"NOT TESTED: {program} is not installed")


def require_chroot() -> None:
    """Skip, saying why, where no chroot can be made."""
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: only root can make a chroot")
    require_debian("debootstrap", "unshare", "ip")
    if subprocess.run(["unshare", "-m", "-n", "-p", "--fork", "true"], capture_output=True, check=False).returncode:
        pytest.skip("NOT TESTED: namespaces cannot be made here")
    if _source() is None:
        pytest.skip("NOT TESTED: this machine's apt sources name no mirror of Debian")


def _source() -> tuple[str, str] | None:
    """Mirror and suite of this machine's first apt source."""
    files = [_APT / "sources.list", *sorted((_APT / "sources.list.d").glob("*"))]
    for text in (file.read_text() for file in files if file.is_file()):
        uri, suite = (re.search(rf"(?m)^{key}:\s*(\S+)", text) for key in ("URIs", "Suites"))
        if uri and suite:
            return uri[1], suite[1]
        if line := re.search(r"(?m)^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+([\w-]+)\s", text):
            return line[1], line[2]
    return None


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return Path(home) / "trekmail-tests" if home else Path("/var/cache/trekmail-tests")


def base() -> Path:
    """The cached system, made when there is none or it is old; with this machine's apt sources."""
    found = _source()
    assert found is not None
    mirror, suite = found
    path = _cache() / suite
    if path.exists() and time.time() - path.stat().st_mtime < FRESH:
        return path
    draft = path.with_suffix(".new")
    for old in (draft, path):
        shutil.rmtree(old, ignore_errors=True)
    draft.mkdir(parents=True)
    run("debootstrap", "--variant=minbase", suite, str(draft), mirror)
    for file in ("sources.list", "sources.list.d", "apt.conf.d"):
        if (_APT / file).exists():
            run("cp", "-a", str(_APT / file), str(draft / "etc/apt"))
    (draft / "etc/apt/apt.conf.d/zz-trekmail-tests").write_text(_KEEPING)
    shutil.copy("/etc/resolv.conf", draft / "etc/resolv.conf")
    started = draft / "usr/sbin/policy-rc.d"
    started.write_text(_NOT_STARTING)
    started.chmod(0o755)
    (draft / "etc/hostname").write_text("fresh\n")
    Chroot(draft).shell("apt-get update -q")
    os.utime(draft)
    draft.rename(path)
    return path


class Chroot:
    """One system in a directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def shell(self, script: str, status: int | None = 0, network: bool = True) -> str:
        """
        Run a shell script as root of that system, in a process namespace that ends with it.

        @param network: the machine's; else the system has nothing but its own loopback.
        @return: both its outputs.
        """
        inside = f"mount -t proc proc {self.path}/proc && exec chroot {self.path} /bin/sh -euc \"$0\""
        spaces = ["--mount", "--pid", "--fork", "--kill-child", *([] if network else ["--net"])]
        loopback = "" if network else "ip link set lo up && "
        return run("unshare", *spaces, "sh", "-c", loopback + inside, script, status=status)

    def keep_packages(self, cached: Path) -> None:
        """Put what was downloaded into the cached system, for the next run."""
        for file in (self.path / "var/cache/apt/archives").glob("*.deb"):
            target = cached / "var/cache/apt/archives" / file.name
            if not target.exists():
                shutil.copy2(file, target)
