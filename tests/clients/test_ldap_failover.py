"""The daemon with two LDAP servers that stop, hang and restart while clients log in over every protocol."""

from __future__ import annotations

import imaplib
import smtplib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients.daemon import Daemon
from tests.clients.test_ldap import configure
from tests.fakes.slapd import Slapd, crowd

PASSWORD = "password"
CLIENTS = 4
RECEIVE_TIMEOUT = 1.0


class Site:
    """Two servers with the same accounts, and the daemon that asks them."""

    def __init__(self, folder: Path) -> None:
        people = crowd(2000, PASSWORD)
        self.first, self.second = Slapd(people), Slapd(people)
        self.daemon = Daemon(folder)
        configure(self.daemon, self.first)
        uris = f'uris = ["{self.first.uri}", "{self.second.uri}"]'
        text = self.daemon.config.read_text().replace(f'uris = ["{self.first.tls_uri}"]', uris)
        text = text.replace("cache_ttl", "retry_down_after = 1\nconnect_timeout = 1\ncache_ttl")
        self.daemon.config.write_text(text)
        self._next = iter(range(1, 2000))
        self.daemon.start()

    def imap(self) -> None:
        """Log in as somebody who did not before."""
        client = imaplib.IMAP4_SSL("localhost", self.daemon.ports["imaps"], ssl_context=self.daemon.client_tls)
        client.login(f"u{next(self._next):05}@example.com", PASSWORD)
        client.logout()

    def smtp(self) -> None:
        """The same for submission."""
        with smtplib.SMTP_SSL("localhost", self.daemon.ports["submissions"], context=self.daemon.client_tls) as client:
            client.ehlo()
            client.user, client.password = f"u{next(self._next):05}@example.com", PASSWORD
            client.auth("PLAIN", client.auth_plain)

    def close(self) -> None:
        self.daemon.close()
        self.first.close()
        self.second.close()


class Load:
    """Clients that log in over and over, over both protocols, until the block ends; what failed is in C{failures}."""

    def __init__(self, site: Site) -> None:
        self.failures: list[str] = []
        self.logins = 0
        self._ended = threading.Event()
        kinds = (site.imap, site.smtp)
        self._threads = [threading.Thread(target=self._run, args=(kinds[each % 2],)) for each in range(CLIENTS)]

    def __enter__(self) -> Load:
        for each in self._threads:
            each.start()
        self.await_logins(8)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for each in self._threads:
            each.join()

    def await_logins(self, count: int) -> None:
        """Wait for so many more."""
        wanted, deadline = self.logins + count, time.monotonic() + 60
        while self.logins < wanted:
            assert time.monotonic() < deadline, self.failures
            time.sleep(0.01)

    def _run(self, log_in: Callable[[], None]) -> None:
        while not self._ended.is_set():
            try:
                log_in()
            except Exception as fault:
                self.failures.append(f"{log_in.__name__}: {fault!r}")
            self.logins += 1


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


def test_no_login_fails_while_one_of_two_servers_is_up(site: Site) -> None:
    with Load(site) as load:
        site.first.stop()
        load.await_logins(12)
        site.first.start()
        await_line(site.daemon, f"{site.first.uri} is up again", 1)
        load.await_logins(12)
        site.first.hang()
        load.await_logins(12)
        site.first.wake()
        await_line(site.daemon, f"{site.first.uri} is up again", 2)
        site.second.stop()
        site.second.start()
        load.await_logins(12)
    assert load.failures == []
    assert f"{site.first.uri} is down: " in site.daemon.log


@pytest.mark.parametrize("how", ["stop", "hang"])
def test_none_up_is_a_temporary_failure_in_time_on_every_protocol(site: Site, how: str) -> None:
    site.imap()
    for server in (site.first, site.second):
        getattr(server, how)()
    with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
        site.imap()  # waits for each server once
    for _ in range(2):
        started = time.monotonic()
        with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
            site.imap()
        assert time.monotonic() - started < 3 * RECEIVE_TIMEOUT
        started = time.monotonic()
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            site.smtp()
        assert refused.value.smtp_code == 454
        assert time.monotonic() - started < 3 * RECEIVE_TIMEOUT
    assert "AUTHENTICATIONFAILED" not in site.daemon.log


def await_line(daemon: Daemon, line: str, count: int) -> None:
    """Wait until the log has a line so often."""
    deadline = time.monotonic() + 30
    while daemon.log.count(line) < count:
        assert time.monotonic() < deadline, daemon.log[-2000:]
        time.sleep(0.05)
