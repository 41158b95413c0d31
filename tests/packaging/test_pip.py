"""A wheel and an sdist, installed where nothing of the checkout is seen: C{twistd trekmail} is there and starts."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.fakes.certificates import make_certificate
from tests.tools.source import ROOT

pytestmark = pytest.mark.slow

TWISTD = "from twisted.scripts.twistd import run; run()"
CONFIG = """\
[server]
hostname = "localhost"
domains = ["example.com"]
data_dir = "data"
[tls]
certificate = "localhost.pem"
key = "localhost.key"
[listen]
imaps = ["tcp:0:interface=127.0.0.1"]
submissions = []
submission = []
https = []
lmtp = ["unix:lmtp"]
control = ["unix:control:mode=600"]
"""


def run(*command: str, cwd: Path) -> str:
    """Run a command without the checkout in sight; both its outputs."""
    finished = subprocess.run(
        command, cwd=cwd, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False,
    )
    assert finished.returncode == 0, (command, finished.stdout[-4000:])
    return finished.stdout


def built(kind: str, directory: Path) -> Path:
    """The archive, built in a copy of the checkout by setuptools as it is here; no index is asked."""
    pytest.importorskip("wheel", reason="NOT TESTED: the package wheel is not installed")
    source = directory / "source"
    ignored = shutil.ignore_patterns(".git", ".venv*", "__pycache__", "*.egg-info", "run", ".*_cache", "build")
    shutil.copytree(ROOT, source, ignore=ignored)
    build = f"import setuptools.build_meta as build; build.build_{kind}({str(directory)!r})"
    run(sys.executable, "-c", build, cwd=source)
    shutil.rmtree(source)
    return next(directory.glob("*.whl" if kind == "wheel" else "*.tar.gz"))


def installed(archive: Path, directory: Path) -> str:
    """Install an archive into a virtualenv that sees the dependencies of this one, and nothing else; its Python."""
    run(sys.executable, "-m", "venv", str(directory / "venv"), cwd=directory)
    python = str(directory / "venv/bin/python")
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=directory).strip()
    Path(site, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    command = ("install", "--no-deps", "--no-index", "--no-build-isolation", str(archive))
    run(python, "-m", "pip", *command, cwd=directory)
    assert run(python, "-c", "import trekd; print(trekd.__file__)", cwd=directory).startswith(site)
    return python


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_the_plugin_is_found_and_starts(kind: str, tmp_path: Path) -> None:
    python = installed(built(kind, tmp_path), tmp_path)
    assert "--log-json" in run(python, "-c", TWISTD, "trekmail", "--help", cwd=tmp_path)
    assert "account" in run(str(tmp_path / "venv/bin/trekctl"), "--help", cwd=tmp_path)
    make_certificate(tmp_path, "localhost")
    (tmp_path / "trekmail.toml").write_text(CONFIG)
    command = [python, "-c", TWISTD, "--nodaemon", "--pidfile=", "trekmail", "--config", "trekmail.toml"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as daemon:
        assert daemon.stdout is not None
        try:
            said = []
            for line in daemon.stdout:
                said.append(line)
                if "is ready" in line:
                    break
            assert "is ready" in said[-1], said
        finally:
            daemon.terminate()
