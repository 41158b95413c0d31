"""LDAP servers that stop, hang, come back, or show the wrong certificate."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import DeferredList, ensureDeferred
from twisted.internet.task import deferLater

from tests.contract.test_ldap_entries import ALICE, ServerTestCase
from tests.fakes.slapd import Authority, Person, Slapd, crowd
from trekd.directory.cache import CachedDirectory
from trekd.directory.ldap.directory import LDAPDirectory
from trekd.errors import BadCredentials, DirectoryDown
from trekd.values import Address

PEOPLE = [Person("alice", "correct horse"), *crowd(30, "password")]


class FailoverTests(ServerTestCase):
    """Two servers with the same accounts."""

    def setUp(self) -> None:
        super().setUp()
        self.first, self.second = Slapd(PEOPLE), Slapd(PEOPLE)
        for each in (self.first, self.second):
            self.addCleanup(each.close)
        config = self.first.config(self.second, retry_down_after=1, receive_timeout=1, connect_timeout=1)
        self.directory = self.open(config)

    async def log_in(self, count: int = 24) -> tuple[list[type[Exception] | None], float]:
        """Log in with that many accounts, eight at a time: what each got, and the longest time in seconds."""
        results: list[type[Exception] | None] = []
        longest = 0.0

        async def some(first: int) -> None:
            nonlocal longest
            for number in range(first, count + 1, 8):
                started = time.monotonic()
                try:
                    await self.directory.authenticate(Address(f"u{number:05}", "example.com"), "password")
                    results.append(None)
                except Exception as fault:
                    results.append(type(fault))
                longest = max(longest, time.monotonic() - started)

        await DeferredList([ensureDeferred(some(first)) for first in range(1, 9)], fireOnOneErrback=True)
        self.assertEqual(len(results), count)
        return results, longest

    async def await_up(self, directory: LDAPDirectory, uri: str) -> None:
        """Log in until a server is used again."""
        deadline = time.monotonic() + 15
        while next(each.fault for each in directory.servers() if each.uri == uri):
            self.assertLess(time.monotonic(), deadline, directory.servers())
            results, _ = await self.log_in(8)
            self.assertEqual(set(results), {None})
            await deferLater(reactor, 0.05)

    async def test_no_login_fails_while_one_server_is_up(self) -> None:
        self.assertEqual(set((await self.log_in())[0]), {None})
        self.first.stop()
        self.assertEqual(set((await self.log_in())[0]), {None})
        self.assert_logged(f"{self.first.uri} is down")
        self.first.start()
        await self.await_up(self.directory, self.first.uri)
        self.assert_logged(f"{self.first.uri} is up again")
        self.first.hang()
        results, longest = await self.log_in()
        self.assertEqual(set(results), {None})
        self.assertLess(longest, 2.5)  # one wait for an answer, and some
        _, longest = await self.log_in()
        self.assertLess(longest, 0.9)  # and only one
        self.first.wake()
        await self.await_up(self.directory, self.first.uri)

    async def test_none_up_is_an_outage_within_the_time_to_answer(self) -> None:
        await self.log_in(8)
        self.first.hang()
        self.second.stop()
        results, longest = await self.log_in()
        self.assertEqual(set(results), {DirectoryDown})
        self.assertLess(longest, 4)
        self.second.start()
        deadline = time.monotonic() + 10
        while DirectoryDown in set((await self.log_in(8))[0]):
            self.assertLess(time.monotonic(), deadline)
            await deferLater(reactor, 0.1)

    async def test_a_server_that_speaks_something_else_is_passed_over(self) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listening.accept()
                    client.recv(4096)
                    client.sendall(b"\x30\x03\x02\x01\x01HTTP/1.1 400 Bad Request\r\n\r\n")
                    client.close()

        threading.Thread(target=answer, daemon=True).start()
        uri = f"ldap://127.0.0.1:{listening.getsockname()[1]}"
        directory = self.open(self.first.config(uris=(uri, self.first.uri), receive_timeout=1))
        self.assertEqual((await directory.authenticate(ALICE, "correct horse")).address, ALICE)
        self.assert_logged(f"{uri} is down")
        listening.shutdown(socket.SHUT_RDWR)

    async def test_stale_answers_only_for_passwords_that_were_right(self) -> None:
        cache = CachedDirectory(self.directory, reactor, 0.001, 0.001, find_ttl=0.001, stale=60)
        account = await cache.authenticate(ALICE, "correct horse")
        await self.refused(BadCredentials, cache.authenticate(ALICE, "wrong"))
        self.first.stop()
        self.second.stop()
        await deferLater(reactor, 0.01)
        self.assertEqual(await cache.authenticate(ALICE, "correct horse"), account)
        self.assertEqual(await cache.find(ALICE), account)
        await self.refused(DirectoryDown, cache.authenticate(ALICE, "wrong"))
        await self.refused(DirectoryDown, cache.find(Address("u00001", "example.com")))

    async def test_a_stampede_is_one_bind(self) -> None:
        cache = CachedDirectory(self.directory, reactor)
        waiting = [ensureDeferred(cache.authenticate(ALICE, "correct horse")) for _ in range(50)]
        self.assertLessEqual(self.directory._threads.waiting, 1)
        results = await DeferredList(waiting)
        self.assertTrue(all(good for good, _ in results))

    async def test_a_changed_password_works_at_once(self) -> None:
        cache = CachedDirectory(self.directory, reactor)
        await cache.authenticate(ALICE, "correct horse")
        self.first.modify(PEOPLE[0].dn, userPassword=["new password"])
        await cache.authenticate(ALICE, "new password")
        await self.refused(BadCredentials, cache.authenticate(ALICE, "correct horse"))


class CertificateTests(ServerTestCase):
    """Only a server that proves its name gets a password."""

    async def assert_unsafe(self, slapd: Slapd, reason: str, **changes: Any) -> None:
        for transport in ({"starttls": True}, {"uris": (slapd.tls_uri,)}):
            directory = self.open(slapd.config(**transport, **changes))
            await self.refused(DirectoryDown, directory.authenticate(ALICE, "correct horse"))
            self.assert_logged(reason)
            unverified = self.open(slapd.config(**transport, **{**changes, "tls_verify": False}))
            self.assertEqual((await unverified.find(ALICE)).address, ALICE)

    async def test_another_authority(self) -> None:
        slapd = Slapd(PEOPLE[:1])
        self.addCleanup(slapd.close)
        other = Authority(slapd.authority.file.parent, "other")
        await self.assert_unsafe(slapd, "certificate verify failed", tls_ca_file=str(other.file))
        right = self.open(slapd.config(uris=(slapd.tls_uri,)))
        self.assertEqual((await right.find(ALICE)).address, ALICE)
        by_name = self.open(slapd.config(uris=(slapd.tls_uri.replace("127.0.0.1", "localhost") + "/",)))
        self.assertEqual((await by_name.find(ALICE)).address, ALICE)

    async def test_an_expired_certificate(self) -> None:
        slapd = Slapd(PEOPLE[:1], certificate_days=-1)
        self.addCleanup(slapd.close)
        await self.assert_unsafe(slapd, "certificate has expired")

    async def test_another_name(self) -> None:
        slapd = Slapd(PEOPLE[:1], certificate_names=("ldap.example.com",))
        self.addCleanup(slapd.close)
        await self.assert_unsafe(slapd, "doesn't match")
