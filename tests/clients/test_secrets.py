"""What a guesser learns and what other users of the host can reach."""

from __future__ import annotations

import os
import pwd
import smtplib
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.clients.daemon import PASSWORD, Daemon

NOBODY = pwd.getpwnam("nobody")

COUNTING = """\
import argon2

verify = argon2.PasswordHasher.verify

def counted(self, *arguments):
    with open({file!r}, "a") as file:
        file.write("x")
    return verify(self, *arguments)

argon2.PasswordHasher.verify = counted
"""
"""Runs at the start of the daemon's interpreter: each comparison of a password with a hash adds a letter to a file."""


class CountingDaemon(Daemon):
    """A daemon that counts the hashes it computes."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._counted = directory / "counted"
        (directory / "start").mkdir()
        (directory / "start" / "sitecustomize.py").write_text(COUNTING.format(file=str(self._counted)))

    @property
    def environment(self) -> dict[str, str]:
        """See L{Daemon}."""
        found = super().environment
        return {**found, "PYTHONPATH": f"{self.directory / 'start'}:{found['PYTHONPATH']}"}

    @property
    def hashes(self) -> int:
        """How many were compared."""
        return len(self._counted.read_text()) if self._counted.exists() else 0


def refusal(daemon: Daemon, login: str, password: str) -> tuple[int, bytes]:
    with smtplib.SMTP_SSL("localhost", daemon.ports["submissions"], context=daemon.client_tls) as client:
        try:
            client.login(login, password)
        except smtplib.SMTPAuthenticationError as error:
            return error.smtp_code, bytes(error.smtp_error)
    raise AssertionError(f"{login} got in")


def test_who_does_not_exist_costs_as_much_and_reads_the_same(tmp_path: Path) -> None:
    """A hash is computed for either; smtplib tries two mechanisms, each an attempt of its own."""
    daemon = CountingDaemon(tmp_path)
    try:
        daemon.add_accounts({"alice@example.com": "pro", "gone@example.com": "pro"})
        daemon.trekctl("account", "suspend", "gone@example.com")
        daemon.start()
        found = {}
        for number, login in enumerate(("alice", "nobody", "gone", "alice+tag", "ALICE")):
            before = daemon.hashes
            answer = refusal(daemon, f"{login}@example.com", f"wrong {number}")
            found[login] = (answer, daemon.hashes - before)
        assert len(set(found.values())) == 1, found
        ((code, text), hashes) = found["nobody"]
        assert code == 535 and text.startswith(b"5.7.8") and hashes > 0
    finally:
        daemon.close()


@pytest.fixture(scope="module")
def public_daemon() -> Iterator[Daemon]:
    """A daemon in a directory that everybody may enter."""
    with TemporaryDirectory(prefix="trekmail-") as name:
        Path(name).chmod(0o755)
        daemon = Daemon(Path(name))
        try:
            daemon.add_accounts({"alice@example.com": "pro"})
            daemon.start()
            with smtplib.SMTP_SSL("localhost", daemon.ports["submissions"], context=daemon.client_tls) as client:
                client.login("alice@example.com", PASSWORD)
                message = "From: alice@example.com\r\nSubject: x\r\n\r\nx\r\n"
                client.sendmail("alice@example.com", ["alice@example.com", "friend@elsewhere.example"], message)
            yield daemon
        finally:
            daemon.close()


def as_nobody(path: Path) -> str:
    """What the system tells another user who wants to read a file or speak to a socket: the error's name."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(NOBODY.pw_gid)
        os.setuid(NOBODY.pw_uid)
        try:
            if path.is_socket():
                socket.socket(socket.AF_UNIX).connect(str(path))
            else:
                os.open(path, os.O_RDONLY)
            os.write(writer, b"nothing")
        except OSError as error:
            os.write(writer, type(error).__name__.encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with open(reader) as told:
        return told.read()


@pytest.mark.parametrize(
    "name", ["lmtp", "control", "data", "data/queue/queue.sqlite", "data/accounts", "mail.example.com.key"]
)
def test_other_users_of_the_host_reach_nothing(public_daemon: Daemon, name: str) -> None:
    """Whoever could open the LMTP socket could hand in mail unseen."""
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: only root can become another user")
    path = public_daemon.directory / name
    assert path.exists()
    if name.endswith(".key"):
        path.chmod(0o600)  # as the guide says
    assert as_nobody(public_daemon.directory / "trekmail.toml") == "nothing"
    assert as_nobody(path) == "PermissionError"
