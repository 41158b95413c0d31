"""The plugin of docs/plugins.md, as it stands there, in a started daemon."""

from __future__ import annotations

import imaplib
import json
import os
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from tests.clients.daemon import NO_NAMES, PASSWORD, ROOT, Daemon
from tests.tools.guides import blocks_of, files_of

GUIDE = ROOT / "docs/plugins.md"


class PluginDaemon(Daemon):
    """A daemon that finds the package of the guide."""

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": f"{ROOT}:{self.directory / 'trekmail-people'}"}

    def write_package(self) -> None:
        """Put the files of the guide where they belong."""
        for name, text in files_of(GUIDE).items():
            file = self.directory / "trekmail-people" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    def write_config(self) -> None:
        """Merge the settings of the guide into the test's own."""
        (settings,) = [text for language, text in blocks_of(GUIDE) if language == "toml" and "[directory]" in text]
        people = self.directory / "people.json"
        settings = settings.replace("/etc/trekmail/people.json", str(people))
        text = self.config.read_text().replace('[directory]\nbackend = "local"\n', "")
        self.config.write_text(text.replace("[reception]\n", "", 1).replace("greet_delay = 0\n", "") + settings)
        hashed = PasswordHasher(1, 8192, 1).hash(PASSWORD)
        alice = {"password": hashed, "plan": "pro", "name": "Alice", "aliases": ["info@example.com"]}
        people.write_text(json.dumps({"alice@example.com": alice}))

    def imap(self) -> imaplib.IMAP4_SSL:
        """A client, not logged in."""
        return imaplib.IMAP4_SSL("localhost", self.ports["imaps"], ssl_context=self.client_tls)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[PluginDaemon]:
    made = PluginDaemon(tmp_path, more=NO_NAMES)
    made.write_package()
    made.write_config()
    yield made
    made.close()


def test_the_directory_of_the_guide_logs_in(daemon: PluginDaemon) -> None:
    daemon.start()
    with daemon.imap() as client:
        assert client.login("Info@Example.com", PASSWORD)[0] == "OK"
    for login, password in (("alice@example.com", "wrong"), ("bob@example.com", PASSWORD)):
        with daemon.imap() as client, pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            client.login(login, password)
    (daemon.directory / "people.json").write_text("{")
    daemon.trekctl("directory", "flush")
    with daemon.imap() as client, pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
        client.login("alice@example.com", PASSWORD)
    assert "Traceback" not in daemon.log


def test_the_scanner_of_the_guide_makes_junk(daemon: PluginDaemon) -> None:
    daemon.start()
    for word in ("lottery", "lunch"):
        with smtplib.SMTP("127.0.0.1", daemon.ports["smtp"]) as client:
            text = f"From: x@elsewhere.example\r\nSubject: {word}\r\nX-Words: 9\r\n\r\nCome.\r\n"
            client.sendmail("x@elsewhere.example", ["info@example.com"], text)
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                client.sendmail("x@elsewhere.example", ["nobody@example.com"], text)
    with daemon.imap() as client:
        client.login("alice@example.com", PASSWORD)
        for mailbox, word, marked in (("Junk", b"lottery", b"1"), ("INBOX", b"lunch", b"0")):
            assert client.select(mailbox) == ("OK", [b"1"])
            _, ((_, message), *_) = client.fetch("1", "(BODY[HEADER])")  # type: ignore[misc, assignment]
            assert b"Subject: " + word in message
            assert b"X-Words: " + marked in message and b"X-Words: 9" not in message


def test_what_the_plugins_complain_of_ends_the_start(daemon: PluginDaemon) -> None:
    text = daemon.config.read_text()
    for old, new, complaint in (
        ("file =", "flie =", '[plugins.people] file: is missing, [directory] backend = "people" needs it'),
        ("[\"lottery\",", "[7,", "[plugins.words] junk: must be a list of words"),
        ('backend = "people"', 'backend = "poeple"', "no such provider; known are ldap, local, people"),
    ):
        daemon.config.write_text(text.replace(old, new))
        with pytest.raises(AssertionError):
            daemon.start()
        assert daemon.process is not None and daemon.process.wait() == 1
        assert complaint in daemon.log.splitlines()[-1]


def test_the_package_of_the_guide_can_be_installed(daemon: PluginDaemon, tmp_path: Path) -> None:
    target = tmp_path / "installed"
    package = str(daemon.directory / "trekmail-people")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target", str(target)]
    command = [sys.executable, "-m", "pip", "install", *options, package]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    found = {str(file.relative_to(target)) for file in target.rglob("*.py")}
    assert found == {name for name in files_of(GUIDE) if name.endswith(".py")}
