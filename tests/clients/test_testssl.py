"""
testssl.sh looks at a port with STARTTLS and one without: protocols, ciphers, forward secrecy, renegotiation,
compression (RFC 9325).
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients.daemon import Daemon
from tests.clients.programs import require

pytestmark = pytest.mark.slow

PORTS = {"smtp": "smtp", "submissions": ""}
"""Port to what STARTTLS belongs to there; the others have the same contexts, see L{tests.clients.test_exchange}."""

PATIENCE = 600

GOOD = {"OK", "INFO", "DEBUG"}
ABOUT_ITSELF = {"scanTime", "engine_problem", "old_openssl"}
LOOKED_AT = {
    "SSLv2": "not offered",
    "SSLv3": "not offered",
    "TLS1": "not offered",
    "TLS1_1": "not offered",
    "TLS1_2": "offered",
    "TLS1_3": "offered with final",
    "cipherlist_NULL": "not offered",
    "cipherlist_aNULL": "not offered",
    "cipherlist_EXPORT": "not offered",
    "cipherlist_STRONG": "offered",
    "FS": "offered",
    "secure_client_renego": "not vulnerable",
    "CRIME_TLS": "not vulnerable",
}


@pytest.mark.parametrize("service", PORTS)
def test_nothing_is_wrong_with_tls(daemon: Daemon, tmp_path: Path, service: str) -> None:
    starttls = ("--starttls", PORTS[service]) if PORTS[service] else ()
    report = tmp_path / "report.json"
    subprocess.run(
        [
            *(require("testssl"), "--quiet", "--color", "0", "--warnings", "batch", "--jsonfile", str(report)),
            *("-p", "-s", "-f", "-R", "-C", *starttls, f"127.0.0.1:{daemon.ports[service]}"),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    found: dict[str, Any] = {one["id"]: one for one in json.loads(report.read_text())}
    for name, finding in LOOKED_AT.items():
        one = found[_of_debian(name, found)]
        assert one["finding"].startswith(finding), one
    bad = [one for one in found.values() if one["severity"] not in GOOD and one["id"] not in ABOUT_ITSELF]
    assert not bad


def _of_debian(name: str, found: dict[str, Any]) -> str:
    """Releases of testssl.sh call forward secrecy differently."""
    return name if name in found else {"FS": "PFS"}.get(name, name)
