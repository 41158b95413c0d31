"""trekctl's operations, asked as over HTTP but without it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.administration import Administered
from tests.fakes.connections import FakeConnection
from trekd.directory.interfaces import Account, Status
from trekd.errors import DirectoryDown
from trekd.values import INBOX, Address, Flag, MailboxName
from trekd.web.messages import END, StoredMessage, message_record, read_record
from trekd.web.routes import Call, LineReply, OctetReply, Reply, perform

DATE = datetime(2024, 2, 29, 23, 59, 58, tzinfo=UTC)


class RoutesCase(SynchronousTestCase):
    """Operations with alice (plan pro) and bob (plan nano) in the directory."""

    def setUp(self) -> None:
        self.host = Administered()
        for name, plan in (("alice", "pro"), ("bob", "nano")):
            self.add(address=f"{name}@example.com", plan=plan, password="secret")

    def perform(self, method: str, path: str, body: object = None, **query: str) -> Any:
        octets = body if isinstance(body, bytes) else json.dumps(body).encode()
        call = Call(method, tuple(path.split("/")), query, octets)
        return self.successResultOf(ensureDeferred(perform(self.host.operations, call)))

    def ask(self, method: str, path: str, body: object = None, **query: str) -> Any:
        reply = self.perform(method, path, body, **query)
        assert isinstance(reply, Reply) and reply.status == 200, reply
        return reply.body

    def refused(self, status: int, code: str, method: str, path: str, body: object = None, **query: str) -> str:
        reply = self.perform(method, path, body, **query)
        assert isinstance(reply, Reply), reply
        self.assertEqual((reply.status, reply.body["error"]["code"]), (status, code))
        return reply.body["error"]["text"]

    def lines(self, method: str, path: str, body: object = None, **query: str) -> list[Any]:
        reply = self.perform(method, path, body, **query)
        assert isinstance(reply, LineReply), reply

        async def collect() -> list[Any]:
            return [line async for line in reply.lines]

        return self.successResultOf(ensureDeferred(collect()))

    def add(self, **account: Any) -> list[Any]:
        return self.lines("POST", "accounts", {"accounts": [account]})

    def log_in(self, name: str) -> FakeConnection:
        connection = FakeConnection()
        lease = self.host.ledger.open(connection)
        connection.on_abort = lease.close
        account = self.host.directory.known[f"{name}@example.com"]
        self.successResultOf(ensureDeferred(lease.log_in(account, True)))
        return connection


class AccountRoutesTests(RoutesCase):
    """Accounts."""

    def test_added_account_is_listed_with_progress_and_defaults(self) -> None:
        self.assertEqual(
            self.add(address="Carol@example.com", quota=1000, name="Carol"),
            [{"done": 1}, {"added": ["carol@example.com"]}],
        )
        carol = self.ask("GET", "accounts")[2]
        self.assertEqual(
            (carol["address"], carol["plan"], carol["quota"], carol["name"], carol["status"]),
            ("carol@example.com", "nano", 1000, "Carol", "active"),
        )

    def test_refused_accounts(self) -> None:
        for account, status, code, word in (
            ({"address": "alice@example.com"}, 409, "account-exists", "alice@example.com"),
            ({"address": "carol"}, 422, "bad-syntax", "full mail address"),
            ({"address": "carol@example.org"}, 409, "not-permitted", "example.org is not one of"),
            ({"address": "carol@example.com", "plan": "gold"}, 422, "no-such-plan", "agency, nano, pro, starter"),
            ({"address": "carol@example.com", "quota": -1}, 422, "bad-syntax", "quota"),
            ({"address": "carol@example.com", "quota": True}, 422, "bad-syntax", "quota"),
            ({"address": "carol@example.com", "quota": "5GB"}, 422, "bad-syntax", "quota"),
            ({"address": "carol@example.com", "name": "a\nb"}, 422, "bad-syntax", "name"),
            ({"address": "carol@example.com", "password": ""}, 422, "bad-syntax", "password"),
            ({"address": "carol@example.com", "colour": "red"}, 422, "bad-syntax", "object"),
            ({"address": 5}, 422, "bad-syntax", "address"),
        ):
            self.assertIn(word, self.refused(status, code, "POST", "accounts", {"accounts": [account]}))
        self.assertEqual(len(self.host.directory.known), 2)

    def test_bodies_that_are_not_as_they_should_be(self) -> None:
        for body in (b"", b"{", b"[" * 100_000, [], "x", {"accounts": 5}, {"accounts": ["x"]}):
            self.refused(422, "bad-syntax", "POST", "accounts", body)

    def test_failure_on_the_way_is_the_last_line(self) -> None:
        accounts = [{"address": "carol@example.com"}, {"address": "bob@example.com"}]
        lines = self.lines("POST", "accounts", {"accounts": accounts})
        self.assertEqual((lines[0], lines[-1]["error"]["code"]), ({"done": 1}, "account-exists"))
        self.assertNotIn("carol@example.com", self.host.directory.known)

    def test_change_keeps_what_is_not_given(self) -> None:
        self.ask("PATCH", "accounts/alice@example.com", {"name": "Alice", "aliases": ["al@example.com"], "quota": 5})
        self.ask("PATCH", "accounts/al@example.com", {"subscription": "acme", "quota": None})
        alice = self.ask("GET", "accounts/ALICE@example.com")
        self.assertEqual(
            (alice["name"], alice["aliases"], alice["subscription"], alice["quota"], alice["plan"]),
            ("Alice", ["al@example.com"], "acme", None, "pro"),
        )
        self.assertEqual(alice["effective_quota"], 50 << 30)

    def test_refused_changes(self) -> None:
        for fields, code in (
            ({"plan": "gold"}, "no-such-plan"),
            ({"status": "asleep"}, "bad-syntax"),
            ({"aliases": ["x@example.org"]}, "not-permitted"),
            ({"aliases": "x@example.com"}, "bad-syntax"),
            ({"aliases": ["x"]}, "bad-syntax"),
            ({"password": "x"}, "bad-syntax"),
        ):
            reply = self.perform("PATCH", "accounts/alice@example.com", fields)
            self.assertEqual(reply.body["error"]["code"], code)
        self.refused(404, "no-such-account", "PATCH", "accounts/zoe@example.com", {"plan": "pro"})

    def test_suspension_ends_the_accounts_sessions_only(self) -> None:
        alice, bob = self.log_in("alice"), self.log_in("bob")
        answer = self.ask("PATCH", "accounts/alice@example.com", {"status": "suspended"})
        self.assertEqual((answer["sessions_ended"], alice.aborted, bob.aborted), (1, 1, 0))
        self.assertIs(self.host.directory.known["alice@example.com"].status, Status.SUSPENDED)

    def test_new_quota_holds_for_an_open_store(self) -> None:
        store = self.successResultOf(ensureDeferred(self.host.store.open("alice@example.com", 0)))
        self.ask("PATCH", "accounts/alice@example.com", {"quota": 10})
        message = message_record(StoredMessage(b"x" * 100, frozenset(), DATE)) + END
        self.refused(409, "over-quota", "POST", "mail/alice@example.com/messages", message)
        self.assertEqual(self.successResultOf(ensureDeferred(store.usage())), (0, 0))

    def test_password_is_changed(self) -> None:
        self.ask("PUT", "accounts/bob@example.com/password", {"password": "new"})
        self.assertEqual(self.host.directory.passwords["bob@example.com"], "new")
        self.refused(422, "bad-syntax", "PUT", "accounts/bob@example.com/password", {})
        self.refused(404, "no-such-account", "PUT", "accounts/zoe@example.com/password", {"password": "new"})

    def test_removed_account_keeps_its_mail_unless_told_otherwise(self) -> None:
        for name in ("alice", "bob"):
            self.successResultOf(ensureDeferred(self.host.store.open(f"{name}@example.com")))
        connection = self.log_in("alice")
        self.ask("DELETE", "accounts/alice@example.com")
        self.ask("DELETE", "accounts/bob@example.com", with_mail="1")
        self.assertEqual(connection.aborted, 1)
        self.assertEqual(self.successResultOf(ensureDeferred(self.host.store.accounts())), ("alice@example.com",))
        self.refused(404, "no-such-account", "DELETE", "accounts/bob@example.com")

    def test_directory_of_others_is_not_changed(self) -> None:
        self.host = Administered(administration=None)
        self.assertIn("change them there", self.refused(409, "not-permitted", "GET", "accounts"))

    def test_outage_and_fault_inside_show_nothing_of_the_inside(self) -> None:
        for error, status, code in (
            (DirectoryDown("ldap://secret"), 503, "directory-down"),
            (KeyError("secret"), 500, "broken"),
        ):
            self.host.directory.find = lambda address, error=error: failing(error)
            self.assertNotIn("secret", self.refused(status, code, "GET", "accounts/alice@example.com"))
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)


async def failing(error: Exception) -> Account:
    raise error


class DaemonRoutesTests(RoutesCase):
    """The daemon."""

    def test_status_counts_sessions(self) -> None:
        self.log_in("alice")
        self.host.ledger.open(FakeConnection(service="submission"))
        self.assertEqual(
            self.ask("GET", "status"),
            {
                "version": "1.2.3",
                "listeners": [["imaps", "tcp:993"]],
                "started": 0.0,
                "sessions": {"total": 2, "logged_in": 1, "services": {"imap": 1, "submission": 1}},
            },
        )

    def test_sessions_of_one_account_and_of_all(self) -> None:
        connection = self.log_in("alice")
        self.log_in("bob")
        accounts = [each["account"] for each in self.ask("GET", "sessions")]
        self.assertEqual(accounts, ["alice@example.com", "bob@example.com"])
        (alice,) = self.ask("GET", "sessions", address="ALICE@example.com")
        self.assertEqual(
            (alice["session"], alice["peer"], alice["plan"], alice["mailbox"]),
            (connection.session, "203.0.113.7", "pro", "INBOX"),
        )
        self.refused(404, "no-such-account", "GET", "sessions", address="zoe@example.com")

    def test_limits_of_one_account_and_of_all(self) -> None:
        self.log_in("alice")
        self.log_in("bob")
        found = self.ask("GET", "limits")
        self.assertEqual([row["owner"] for row in found["usage"]], ["alice@example.com", "bob@example.com"])
        (row,) = self.ask("GET", "limits", address="alice@example.com")["usage"]
        self.assertEqual((row["used"], row["allowed"], row["by_prefix"]), (1, 80, {"203.0.113.7": 1}))
        self.refused(404, "no-such-account", "GET", "limits", address="zoe@example.com")

    def test_kick_by_session_or_address(self) -> None:
        first, second = self.log_in("alice"), self.log_in("alice")
        self.assertEqual(self.ask("POST", "kick", {"session": first.session}), {"kicked": 1})
        self.assertEqual(self.ask("POST", "kick", {"address": "alice@example.com"}), {"kicked": 1})
        self.assertEqual((first.aborted, second.aborted), (1, 1))
        for body in ({}, {"session": "x", "address": "alice@example.com"}, {"session": 5}):
            self.refused(422, "bad-syntax", "POST", "kick", body)

    def test_kick_by_alias_and_while_the_directory_is_down(self) -> None:
        self.ask("PATCH", "accounts/alice@example.com", {"aliases": ["al@example.com"]})
        self.log_in("alice")
        self.assertEqual(self.ask("POST", "kick", {"address": "al@example.com"}), {"kicked": 1})
        second = self.log_in("alice")

        async def fail(address: Address) -> None:
            raise DirectoryDown()

        self.host.directory.find = fail
        self.assertEqual(self.ask("POST", "kick", {"address": "Alice@example.com"}), {"kicked": 1})
        self.assertEqual(second.aborted, 1)

    def test_reload_and_failures(self) -> None:
        self.assertEqual(self.ask("POST", "reload"), {"taken": ("tls", "plans"), "restart": ("listen",)})
        self.assertEqual(self.ask("GET", "failures"), {"203.0.113.7": 3})
        self.ask("DELETE", "failures", of="203.0.113.7")
        self.ask("DELETE", "failures")
        self.assertEqual((self.host.reloads, self.host.forgiven), (1, ["203.0.113.7", None]))

    def test_without_a_daemon_there_are_no_sessions(self) -> None:
        self.host = Administered(ledger=None)
        for method, path in (("GET", "status"), ("GET", "sessions"), ("POST", "reload")):
            self.refused(409, "not-permitted", method, path)

    def test_other_operations_do_not_exist(self) -> None:
        for path in ("", "nothing", "kick", "accounts/a/b", "mail/a"):
            self.refused(404, "no-such-operation", "GET", path)


class MailRoutesTests(RoutesCase):
    """Stored mail."""

    def test_imported_mail_is_exported_again(self) -> None:
        message = StoredMessage(b"Subject: x\r\n\r\ny\r\n", frozenset({Flag("\\Seen")}), DATE)
        octets = message_record(message) * 2 + END
        answer = self.ask("POST", "mail/alice@example.com/messages", octets, mailbox="Work/2024")
        self.assertEqual(answer, {"appended": 2})
        reply = self.perform("GET", "mail/alice@example.com/messages")
        assert isinstance(reply, OctetReply)

        async def collect() -> bytes:
            return b"".join([piece async for piece in reply.pieces])

        stream, found = BytesIO(self.successResultOf(ensureDeferred(collect()))), []
        while (record := read_record(stream)) is not None:
            found.append(record)
        self.assertEqual(found[0], INBOX)
        self.assertEqual(found[-3:], [MailboxName("Work/2024"), message, message])
        account = self.ask("GET", "accounts/alice@example.com")
        self.assertEqual((account["octets"], account["messages"]), (2 * len(message.octets), 2))

    def test_made_mailbox_is_subscribed(self) -> None:
        self.ask("POST", "mail/alice@example.com/messages", END, mailbox="New")
        store = self.successResultOf(ensureDeferred(self.host.store.open("alice@example.com")))
        self.assertTrue(self.successResultOf(ensureDeferred(store.mailbox(MailboxName("New")))).subscribed)

    def test_refused_mail(self) -> None:
        for octets, mailbox, code in (
            (b"", "INBOX", "bad-syntax"),
            (b"= {1}\r\nx\r\n" + END, "INBOX", "bad-syntax"),
            (END, "..", "bad-mailbox-name"),
        ):
            self.refused(422, code, "POST", "mail/alice@example.com/messages", octets, mailbox=mailbox)
        self.refused(404, "no-such-account", "POST", "mail/zoe@example.com/messages", END)
        self.refused(404, "no-such-account", "GET", "mail/zoe@example.com/messages")

    def test_mail_of_an_account_that_left_the_directory_can_be_exported_and_checked(self) -> None:
        self.ask("POST", "mail/bob@example.com/messages", END)
        self.ask("DELETE", "accounts/bob@example.com")
        self.assertIsInstance(self.perform("GET", "mail/bob@example.com/messages"), OctetReply)
        self.assertEqual(self.lines("POST", "check"), [{"account": "bob@example.com", "complaints": []}])

    def test_check_one_or_all(self) -> None:
        for name in ("alice", "bob"):
            self.ask("POST", f"mail/{name}@example.com/messages", END)
        self.assertEqual(
            [each["account"] for each in self.lines("POST", "check")], ["alice@example.com", "bob@example.com"]
        )
        checked = self.lines("POST", "check", address="alice@example.com")
        self.assertEqual(checked, [{"account": "alice@example.com", "complaints": []}])
        self.refused(404, "no-such-account", "POST", "check", address="zoe@example.com")

    def test_repair_one_or_all(self) -> None:
        self.ask("POST", "mail/alice@example.com/messages", END)
        expected = [{"account": "alice@example.com", "complaints": []}]
        self.assertEqual(self.lines("POST", "repair"), expected)
        self.assertEqual(self.lines("POST", "repair", address="alice@example.com"), expected)
        self.refused(404, "no-such-account", "POST", "repair", address="zoe@example.com")

    def test_text_is_indexed_anew_of_one_or_all(self) -> None:
        for name in ("alice", "bob"):
            self.ask("POST", f"mail/{name}@example.com/messages", END)
        done = {"account": "bob@example.com", "indexed": 0, "messages": 0}
        self.assertEqual(self.lines("POST", "reindex", address="bob@example.com"), [done])
        self.assertEqual(len(self.lines("POST", "reindex")), 2)
        self.refused(404, "no-such-account", "POST", "reindex", address="zoe@example.com")

    def test_opening_an_account_here_never_lifts_its_quota(self) -> None:
        """The quota given last counts for all who have the account open."""
        self.ask("PATCH", "accounts/alice@example.com", {"quota": 1000})
        self.ask("POST", "mail/alice@example.com/messages", END)
        self.lines("POST", "check")
        self.perform("GET", "mail/alice@example.com/messages")
        self.ask("GET", "accounts/alice@example.com")
        message = message_record(StoredMessage(b"x" * 2000, frozenset(), DATE)) + END
        self.refused(409, "over-quota", "POST", "mail/alice@example.com/messages", message)


class PatienceTests(RoutesCase):
    """Operations that take time."""

    def test_nothing_is_answered_before_the_directory_did(self) -> None:
        verdict: Deferred[Account] = Deferred()
        self.host.directory.find = lambda address: verdict
        call = Call("GET", ("accounts", "alice@example.com"), {})
        reply = ensureDeferred(perform(self.host.operations, call))
        self.assertNoResult(reply)
        verdict.callback(self.host.directory.known["alice@example.com"])
        self.assertEqual(self.successResultOf(reply).status, 200)
