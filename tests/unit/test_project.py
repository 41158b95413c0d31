"""What the project's own files promise each other."""

from __future__ import annotations

import re
import tomllib

import pytest

import trekd
from tests.tools.source import ROOT, project_settings


def test_versions_agree() -> None:
    changelog = (ROOT / "debian/changelog").read_text()
    packaged = re.match(r"trekmail \(([^)]+)\) ", changelog)
    assert packaged is not None
    assert packaged[1] == trekd.__version__ == project_settings()["metadata"]["version"]


@pytest.mark.parametrize("target", ["run", "test", "check", "fuzz", "bench", "floor", "clean"])
def test_make_has_the_documented_targets(target: str) -> None:
    assert re.search(rf"(?m)^{target}:", (ROOT / "Makefile").read_text())


def test_news_has_a_place_for_the_next_change() -> None:
    assert "## Unreleased" in (ROOT / "NEWS.md").read_text()


def test_only_our_packages_are_installed() -> None:
    """Plain C{find:} would install C{tests} as a top-level package."""
    settings = project_settings()
    assert settings["options"]["packages"] == "find_namespace:"
    assert settings["options.packages.find"]["include"].split() == ["trekd*", "twisted.plugins"]


def test_files_beside_the_modules_are_installed() -> None:
    """Patterns are separated by commas or lines; what is separated by spaces is one pattern that matches nothing."""
    patterns = project_settings()["options.package_data"]
    for file in (ROOT / "trekd").rglob("*"):
        if file.is_file() and file.suffix not in (".py", ".pyc", ".md"):
            package = ".".join(file.relative_to(ROOT).parent.parts)
            listed = re.split(r"\s*[,\n]\s*", patterns.get(package, "").strip())
            assert any(file.match(pattern) for pattern in listed if pattern), file


def test_the_build_needs_nothing_but_setuptools() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert settings["build-system"]["requires"] == ["setuptools>=61"]


def test_floor_pins_every_run_time_dependency() -> None:
    """`make floor` runs with what Debian 12 ships; a dependency without a pin there would be the newest."""
    pinned = {re.split(r"[\[=>]", line)[0].lower() for line in _lines("tests/floor.txt")}
    required = project_settings()["options"]["install_requires"].split()
    needed = {re.split(r"[\[><=]", name)[0].lower().replace("_", "-") for name in required}
    assert needed - {name.replace("_", "-") for name in pinned} == set()


def test_the_unit_runs_the_plugin_with_the_installed_configuration() -> None:
    unit = (ROOT / "debian/trekmail.service").read_text()
    start = re.search(r"(?m)^ExecStart=(.*)$", unit)
    assert start is not None
    assert start[1].startswith("/usr/bin/twistd3 --nodaemon --pidfile= ")
    assert start[1].endswith(" trekmail --config=/etc/trekmail/trekmail.toml")
    assert "MemoryDenyWriteExecute=yes" not in unit
    assert re.search(r"(?m)^Type=notify$", unit) and re.search(r"(?m)^WatchdogSec=\d+$", unit)


def _lines(path: str) -> list[str]:
    text = (ROOT / path).read_text()
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith(("#", "-"))]
