"""curl over imaps and https."""

from __future__ import annotations

from pathlib import Path

from tests.clients.daemon import PASSWORD, Daemon
from tests.clients.programs import require, run

MESSAGE = b"From: alice@example.com\r\nSubject: by curl\r\n\r\nbody of curl\r\n"


def curl(daemon: Daemon, path: str, *options: str, input: bytes | None = None) -> bytes:
    return run(
        *(require("curl"), "--silent", "--show-error", "--cacert", daemon.certificate),
        *("--user", f"alice@example.com:{PASSWORD}", *options),
        f"imaps://localhost:{daemon.ports['imaps']}/{path}",
        input=input,
    ).stdout


def test_lists_appends_fetches_and_searches(daemon: Daemon, tmp_path: Path) -> None:
    assert b'"/" INBOX' in curl(daemon, "").replace(b'"INBOX"', b"INBOX")
    curl(daemon, "", "--request", "CREATE Curl")
    file = tmp_path / "message"
    file.write_bytes(MESSAGE)
    curl(daemon, "Curl", "--upload-file", str(file))
    assert curl(daemon, "Curl;MAILINDEX=1") == MESSAGE
    assert b"* SEARCH 1" in curl(daemon, "Curl?SUBJECT%20curl")
    assert curl(daemon, "Curl;UID=1;SECTION=TEXT") == b"body of curl\r\n"
    assert b"FLAGS (\\Seen)" in curl(daemon, "Curl", "--request", "FETCH 1 (FLAGS)")


def web(daemon: Daemon, path: str, *options: str) -> bytes:
    return run(
        *(require("curl"), "--silent", "--include", "--cacert", daemon.certificate, *options),
        f"https://localhost:{daemon.ports['https']}{path}",
    ).stdout


def test_well_known_leads_to_dav(daemon: Daemon) -> None:
    """RFC 6764 §5."""
    for name in ("caldav", "carddav"):
        answer = web(daemon, f"/.well-known/{name}", "--request", "PROPFIND")
        assert answer.startswith(b"HTTP/1.1 307")
        assert b"location: /dav/" in answer.lower()


def test_status_page_and_errors_show_nothing_of_the_inside(daemon: Daemon) -> None:
    assert b"mail.example.com" in web(daemon, "/")
    missing = web(daemon, "/missing")
    assert missing.startswith(b"HTTP/1.1 404")
    assert b"Traceback" not in missing and b"Twisted" not in missing


def test_plain_http_only_redirects(daemon: Daemon) -> None:
    answer = run(
        require("curl"), "--silent", "--include", f"http://localhost:{daemon.ports['http']}/dav/"
    ).stdout
    assert answer.startswith(b"HTTP/1.1 301")
    assert b"location: https://mail.example.com/dav/" in answer.lower()
