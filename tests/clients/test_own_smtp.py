"""Own-SMTP providers and sending limits, set up with trekctl and used with swaks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.daemon import PASSWORD, Daemon
from tests.clients.hostile import IMAP, wait_until
from tests.clients.programs import require, run

OWN = """\
[relay]
allowed_networks = ["127.0.0.0/8"]
trusted = "{trusted}"
own_smtp_help = "https://help.example.com/own-smtp"
[plans.starter]
messages_per_day = 10
new_recipients_per_day = 3
"""


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A provider is a mail host too: another daemon of ours."""
    daemon = Daemon(tmp_path_factory.mktemp("provider"), "[smtp]\nrequire_own_sender = false\n")
    daemon.start()
    daemon.add_accounts({"customer@example.com": "pro"})
    yield daemon
    daemon.close()


@pytest.fixture
def daemon(tmp_path: Path, provider: Daemon) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path, OWN.format(trusted=provider.certificate))
    daemon.start()
    daemon.add_accounts({"nano@example.com": "nano", "starter@example.com": "starter", "bob@example.com": "pro"})
    yield daemon
    daemon.close()


def add(daemon: Daemon, provider: Daemon, *more: str, password: str = PASSWORD, status: int | None = 0) -> str:
    port = str(provider.ports["submissions"])
    words = ("smtp", "add", "acme", "--host", "localhost", "--port", port, "--user", "customer@example.com")
    return daemon.trekctl(*words, "--password-stdin", *more, input=f"{password}\n", status=status)


def swaks(daemon: Daemon, sender: str, *recipients: str) -> str:
    """What swaks and the daemon said to each other."""
    host = ("--server", daemon.address, "--port", str(daemon.ports["submissions"]), "--tls-on-connect")
    login = ("--auth", "PLAIN", "--auth-user", sender, "--auth-password", PASSWORD)
    said = run(require("swaks"), *host, *login, "--from", sender, "--to", ",".join(recipients), status=None)
    return said.stdout.decode()


def test_nano_without_a_profile_is_told_what_to_do(daemon: Daemon) -> None:
    """Mail to this host goes; mail to others is refused at RCPT, in words (DESIGN §7)."""
    said = swaks(daemon, "nano@example.com", "friend@elsewhere.example")
    assert (
        "550 5.7.1 Your plan sends outside mail only through your own SMTP server, and none is set up for "
        "nano@example.com; see https://help.example.com/own-smtp"
    ) in said
    said = swaks(daemon, "nano@example.com", "bob@example.com")
    assert re.search("<~  250 2.0.0 OK, queued", said)


def test_a_provider_is_tested_and_used(daemon: Daemon, provider: Daemon) -> None:
    """Set up, assigned, used; after a restart as well."""
    said = add(daemon, provider)
    for step in ("resolve", "connect", "tls", "hello", "login"):
        assert re.search(rf"^ok  {step} ", said, re.MULTILINE), said
    daemon.trekctl("smtp", "use", "acme", "--mailbox", "nano@example.com")
    for _ in range(2):
        said = swaks(daemon, "nano@example.com", "friend@elsewhere.example", "bob@example.com")
        assert "<~  250 2.0.0 OK, queued" in said
        assert "nano@example.com" in daemon.trekctl("smtp", "list")
        assert "works" in daemon.trekctl("smtp", "test", "acme")
        daemon.stop()
        daemon.start()
    files = [path for path in (daemon.directory / "data").rglob("*") if path.is_file()]
    secrets = [path for path in files if PASSWORD.encode() in path.read_bytes()]
    assert secrets == []
    assert PASSWORD not in daemon.log


def test_what_does_not_work_is_not_saved(daemon: Daemon, provider: Daemon) -> None:
    """A wrong password, a certificate for another name, a host inside: each says which step failed."""
    said = add(daemon, provider, password="wrong", status=1)
    assert re.search(r"^BAD login .*535", said, re.MULTILINE), said
    assert "nothing was saved" in said
    said = add(daemon, provider, "--host", "127.0.0.1", status=1)
    assert re.search(r"^BAD tls ", said, re.MULTILINE), said
    said = add(daemon, provider, "--host", "10.255.255.1", status=1)
    assert re.search(r"^BAD resolve .*private address", said, re.MULTILINE), said
    said = add(daemon, provider, "--host", "mail.example.com", status=1)
    assert "this host itself" in said
    assert daemon.trekctl_json("smtp", "list") == []
    add(daemon, provider, "--no-test", password="wrong")
    assert "does not work" in daemon.trekctl("smtp", "test", "acme", status=1)
    said = daemon.trekctl("smtp", "set", "acme", "--password-stdin", input=f"{PASSWORD}\n")
    assert "changed acme" in said


def test_a_password_that_the_provider_refuses_holds_the_mail_and_its_owner_is_told(
    daemon: Daemon, provider: Daemon
) -> None:
    """535: no way but the user's own is taken, the login is not tried again and again, and a new password is enough."""
    add(daemon, provider)
    daemon.trekctl("smtp", "use", "acme", "--mailbox", "nano@example.com")
    provider.trekctl("account", "passwd", "customer@example.com", "--password-stdin", input="changed secret\n")
    before = provider.log.count("refused login 'customer@example.com'")
    for _ in range(2):
        assert "<~  250 2.0.0 OK, queued" in swaks(daemon, "nano@example.com", "held@elsewhere.example")
    held: list[Any] = []

    def is_held() -> bool:
        listed: Any = daemon.trekctl_json("queue", "list")
        held[:] = [one for one in listed["entries"] if "535" in f"{one}"]
        return len(held) == 2

    wait_until(is_held)
    assert {one["lane"] for one in held} == {"profile:acme"}
    assert "535" in daemon.trekctl("smtp", "list")
    assert provider.log.count("refused login 'customer@example.com'") - before <= 2
    with IMAP(daemon, "nano") as nano:
        nano.ask(b"s SELECT INBOX")
        letters = b"\n".join(nano.ask(b"f FETCH 1:* BODY.PEEK[]"))
    assert letters.count(b"Your own SMTP server, set up here as acme, cannot be used:") == 1
    assert b"535" in letters
    assert PASSWORD.encode() not in letters
    daemon.trekctl("smtp", "set", "acme", "--password-stdin", input="changed secret\n")

    def is_there() -> bool:
        listed: Any = provider.trekctl_json("queue", "list")
        return len([one for one in listed["entries"] if one["recipient"] == "held@elsewhere.example"]) == 2

    wait_until(is_there)
    assert daemon.trekctl_json("queue", "list")["entries"] == []  # type: ignore[call-overload, index]
    provider.trekctl("account", "passwd", "customer@example.com", "--password-stdin", input=f"{PASSWORD}\n")


def test_a_day_has_its_new_recipients(daemon: Daemon) -> None:
    """The one too many is refused in words that say when; usage says the same, after a kill too."""
    said = swaks(daemon, "starter@example.com", *(f"friend{number}@elsewhere.example" for number in range(3)))
    assert "<~  250 2.0.0 OK, queued" in said
    said = swaks(daemon, "starter@example.com", "one-more@elsewhere.example")
    refusal = r"452 4\.7\.1 You have written to 3 of 3 new recipients in the last 24 hours; the next can go at "
    assert re.search(refusal + r"\d\d:\d\d UTC", said), said
    said = swaks(daemon, "starter@example.com", "friend1@elsewhere.example")
    assert "<~  250 2.0.0 OK, queued" in said
    said = swaks(daemon, "starter@example.com", "friend1@elsewhere.example")
    assert re.search(r"452 4\.7\.1 You have sent 2 of 2 messages to other domains in the last hour", said), said
    said = daemon.trekctl("usage", "starter@example.com")
    assert re.search(r"messages in the last hour +2 of 2", said)
    assert re.search(r"new recipients in 24 hours +3 of 3; the next new recipient may go at ", said)
    assert "starter@example.com" in daemon.trekctl("usage", "--top")
    daemon.kill()
    daemon.start()
    assert daemon.trekctl("usage", "starter@example.com") == said
