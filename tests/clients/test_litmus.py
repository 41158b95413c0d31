"""litmus, the test suite for WebDAV servers, over the file area of an account."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.daemon import PASSWORD, Daemon
from tests.clients.programs import require, run

SUITES = ("basic", "copymove", "props", "locks", "http")


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What litmus said."""
    require("litmus")
    directory = tmp_path_factory.mktemp("litmus")
    daemon = Daemon(directory)
    daemon.add_accounts({"alice@example.com": "pro"})
    daemon.start()
    (directory / "logs").mkdir()
    try:
        yield _run(daemon, directory / "logs")
    finally:
        daemon.close()


def _run(daemon: Daemon, directory: Path) -> str:
    url = f"https://localhost:{daemon.ports['https']}/dav/files/alice@example.com/"
    said = run("litmus", "--keep-going", url, "alice@example.com", PASSWORD, cwd=directory, status=None)
    return said.stdout.decode()


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_passes_whole(output: str, suite: str) -> None:
    """RFC 4918."""
    match = re.search(rf"summary for `{suite}': of (\d+) tests run: (\d+) passed, (\d+) failed", output)
    assert match is not None, output
    assert (match[2], match[3]) == (match[1], "0"), output


def test_nothing_is_warned_of(output: str) -> None:
    assert "WARNING" not in output
    assert "FAIL" not in output
