"""WebDAV by curl against a started daemon, over TLS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.daemon import PASSWORD, Daemon
from tests.clients.programs import require, run

FILES = "/dav/files/alice@example.com/"
PRINCIPAL = b'<propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>'


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with alice and bob."""
    made = Daemon(tmp_path_factory.mktemp("dav"), '[dav]\nmax_file = "64MB"\n')
    made.add_accounts({"alice@example.com": "pro", "bob@example.com": "pro"})
    made.start()
    yield made
    made.close()


def curl(daemon: Daemon, path: str, *options: str, user: str = "alice", input: bytes | None = None) -> bytes:
    """What the server said, header included."""
    command = (require("curl"), "--silent", "--show-error", "--include", "--cacert", daemon.certificate)
    login = ("--user", f"{user}@example.com:{PASSWORD}") if user else ()
    url = path if path.startswith("https:") else f"https://localhost:{daemon.ports['https']}{path}"
    return run(*command, *login, *options, url, input=input).stdout


def status(answer: bytes) -> int:
    """The last status of an answer."""
    heads = [line for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    return int(heads[-1].split()[1])


def test_a_file_goes_up_and_comes_back(daemon: Daemon, tmp_path: Path) -> None:
    file, back = tmp_path / "up", tmp_path / "back"
    file.write_bytes(os.urandom(8 * 1024 * 1024))
    # curl asks with Expect: 100-continue before so much.
    assert status(curl(daemon, FILES + "large", "--upload-file", str(file))) == 201
    run(
        *(require("curl"), "--silent", "--cacert", daemon.certificate, "--user", f"alice@example.com:{PASSWORD}"),
        *("--output", str(back), f"https://localhost:{daemon.ports['https']}{FILES}large"),
    )
    assert back.read_bytes() == file.read_bytes()
    assert status(curl(daemon, FILES + "large", "--range", "0-9")) == 206


def test_a_file_of_unknown_length(daemon: Daemon) -> None:
    octets = b"x" * 300_000
    assert status(curl(daemon, FILES + "piped", "--upload-file", "-", input=octets)) == 201
    assert curl(daemon, FILES + "piped").endswith(octets)


def test_a_file_that_is_too_large(daemon: Daemon, tmp_path: Path) -> None:
    file = tmp_path / "up"
    with file.open("wb") as sparse:
        sparse.truncate(64 * 1024 * 1024 + 1000)
    assert status(curl(daemon, FILES + "x", "--upload-file", str(file))) == 413


def test_strangers_are_asked_for_a_password_before_much_is_read(daemon: Daemon, tmp_path: Path) -> None:
    file = tmp_path / "up"
    file.write_bytes(b"x" * 500_000)
    answer = curl(daemon, FILES + "x", "--upload-file", str(file), user="")
    assert status(answer) == 401
    assert b"www-authenticate: basic" in answer.lower()


def test_discovery_from_the_well_known_address(daemon: Daemon) -> None:
    """RFC 6764 §5, RFC 5397 §3."""
    for name in ("caldav", "carddav"):
        answer = curl(
            daemon,
            f"/.well-known/{name}",
            *("--location", "--request", "PROPFIND", "--header", "Depth: 0"),
            *("--data-binary", PRINCIPAL.decode()),
        )
        assert status(answer) == 207
        assert b"<D:href>/dav/principals/alice@example.com/</D:href>" in answer


def test_others_see_nothing(daemon: Daemon) -> None:
    curl(daemon, FILES + "secret", "--upload-file", "-", input=b"secret words")
    for path in (FILES + "secret", FILES + "none", "/dav/files/nobody@example.com/"):
        answer = curl(daemon, path, user="bob")
        assert status(answer) == 403
        assert b"secret" not in answer.partition(b"\r\n\r\n")[2]


def test_one_connection_logs_in_once(daemon: Daemon) -> None:
    base = f"https://localhost:{daemon.ports['https']}"
    before = daemon.log.count("login alice@example.com")
    curl(daemon, f"{base}/dav/[1-5]")
    assert daemon.log.count("login alice@example.com") == before + 1


def test_plain_http_only_redirects(daemon: Daemon) -> None:
    answer = run(
        *(require("curl"), "--silent", "--include", "--user", f"alice@example.com:{PASSWORD}"),
        f"http://localhost:{daemon.ports['http']}{FILES}",
    ).stdout
    assert status(answer) == 301
    assert b"location: https://" in answer.lower()
