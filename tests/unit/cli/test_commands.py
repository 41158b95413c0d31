"""trekctl's commands, over operations in this process."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from twisted.internet.defer import ensureDeferred

from tests.fakes.administration import Administered
from tests.fakes.configuration import WITHOUT_LISTENERS
from tests.fakes.connections import FakeConnection
from trekd.cli import accounts, main, session
from trekd.cli.control import checked, octets_of
from trekd.cli.failures import FAILED, NO_DAEMON, OK, USAGE, CommandFailure
from trekd.config.schema import Config
from trekd.errors import TooManyConnections
from trekd.web.routes import Call, Reply, perform


def now(work: Any) -> Any:
    """What a coroutine gives that never waits."""
    found: list[Any] = []
    ensureDeferred(work).addBoth(found.append)
    (result,) = found
    if hasattr(result, "raiseException"):
        result.raiseException()
    return result


class DirectControl:
    """A L{Control<trekd.cli.control.Control>} that calls the operations."""

    def __init__(self, host: Administered) -> None:
        self._host = host

    def ask(self, method: str, path: tuple[str, ...], body: object = None, **query: str) -> Any:
        reply = self._perform(method, path, body, query)
        return json.loads(json.dumps(checked(reply.body)))

    def follow(self, method: str, path: tuple[str, ...], body: object = None, **query: str) -> Iterator[Any]:
        reply = self._perform(method, path, body, query)
        if isinstance(reply, Reply):
            checked(reply.body)
        return map(checked, steps(reply.lines))

    def fetch(self, path: tuple[str, ...]) -> BinaryIO:
        return io.BytesIO(b"".join(steps(self._perform("GET", path, None, {}).pieces)))

    def close(self) -> None:
        """Nothing is open."""

    def _perform(self, method: str, path: tuple[str, ...], body: object, query: dict[str, str]) -> Any:
        reply = now(perform(self._host.operations, Call(method, path, query, octets_of(body))))
        if isinstance(reply, Reply):
            checked(reply.body)
        return reply


def steps(items: Any) -> list[Any]:
    async def collect() -> list[Any]:
        return [item async for item in items]

    return now(collect())


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Shell:
    """Runs trekctl and keeps what it printed."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.host = Administered()
        self.config = folder / "trekmail.toml"
        self.config.write_text(WITHOUT_LISTENERS)
        self._capsys = capsys
        self._patch = patch
        self.out = self.error = ""
        patch.setattr(session, "connect", self._connect)
        self.daemon_runs = True

    def _connect(self, config: Config, needs_daemon: bool, is_debugging: bool) -> DirectControl:
        if needs_daemon and not self.daemon_runs:
            raise CommandFailure("the daemon is not running", status=NO_DAEMON)
        return DirectControl(self.host)

    def __call__(self, *arguments: str, stdin: str = "", status: int = OK) -> str:
        self._patch.setattr(sys, "stdin", io.StringIO(stdin))
        found = main.main(["--config", str(self.config), *arguments])
        self.out, self.error = self._capsys.readouterr()
        assert found == status, (found, self.out, self.error)
        assert "Traceback" not in self.error
        return self.out

    def json(self, *arguments: str, **options: Any) -> Any:
        return json.loads(self("--json", *arguments, **options))

    def add(self, address: str, *options: str) -> None:
        self("account", "add", address, "--password-stdin", *options, stdin="secret\n")


@pytest.fixture
def trekctl(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shell]:
    """trekctl with a daemon; the log of the test's process and its umask stay as they are."""
    mask = os.umask(0o022)
    yield Shell(tmp_path, capsys, monkeypatch)
    os.umask(mask)


def test_account_from_add_to_remove(trekctl: Shell) -> None:
    trekctl.add("Alice@example.com", "--plan", "pro", "--quota", "5GB", "--name", "Alice L")
    assert trekctl.out == "added alice@example.com\n"
    assert trekctl.host.directory.passwords == {"alice@example.com": "secret"}
    assert trekctl("account", "list") == (
        "ADDRESS            PLAN  STATUS  QUOTA   NAME\nalice@example.com  pro   active  5.0 GB  Alice L\n"
    )
    aliases = ("--alias", "a@example.com", "--alias", "b@example.com")
    trekctl("account", "set", "alice@example.com", "--quota", "plan", *aliases)
    shown = trekctl("account", "show", "b@example.com")
    assert "quota         50.0 GB (plan)" in shown and "aliases       a@example.com, b@example.com" in shown
    trekctl("account", "passwd", "a@example.com", "--password-stdin", stdin="new one \r\n")
    assert trekctl.host.directory.passwords == {"alice@example.com": "new one "}
    assert trekctl("account", "suspend", "alice@example.com") == "suspended alice@example.com\n"
    assert trekctl.json("account", "show", "alice@example.com")["status"] == "suspended"
    assert trekctl("account", "resume", "alice@example.com") == "resumed alice@example.com\n"
    trekctl("account", "set", "alice@example.com", "--alias", "", "--quota", "0")
    facts = trekctl.json("account", "show", "alice@example.com")
    assert (facts["status"], facts["aliases"], facts["quota"]) == ("active", [], 0)
    assert trekctl("account", "remove", "alice@example.com") == "removed alice@example.com\n"
    assert trekctl.json("account", "list") == []


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("account", "add", "bob", "--password-stdin"), "full mail address"),
        (("account", "add", "bob@example.org", "--password-stdin"), "not one of [server] domains"),
        (("account", "add", "bob@example.com", "--plan", "gold", "--password-stdin"), "plans: agency, nano"),
        (("account", "add", "bob@example.com", "--quota", "lots", "--password-stdin"), "neither a number"),
        (("account", "add", "alice@example.com", "--password-stdin"), "already taken"),
        (("account", "show", "zoe@example.com"), "there is no account zoe@example.com"),
        (("account", "import", "/nonexistent"), "/nonexistent: No such file"),
        (("kick", "zoe@example.com"), "no session of zoe@example.com"),
        (("import", "alice@example.com", "/nonexistent"), "/nonexistent: No such file"),
    ],
)
def test_refusal_is_one_line_and_status_1(trekctl: Shell, arguments: tuple[str, ...], word: str) -> None:
    trekctl.add("alice@example.com")
    assert trekctl(*arguments, stdin="secret\n", status=FAILED) == ""
    assert trekctl.error.startswith("trekctl: ") and trekctl.error.count("\n") == 1 and word in trekctl.error


def test_refusal_for_programs_has_a_code(trekctl: Shell) -> None:
    refusal = trekctl.json("account", "show", "zoe@example.com", status=FAILED)
    assert refusal["error"]["code"] == "no-such-account"


def test_password_that_nobody_can_have_is_refused(trekctl: Shell) -> None:
    for password in ("\n", "", "a\0b\n", "x" * 1025 + "\n"):
        trekctl("account", "add", "bob@example.com", "--password-stdin", stdin=password, status=FAILED)
    assert trekctl.host.directory.known == {}


def test_password_is_asked_twice_on_a_terminal(trekctl: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def answering(*answers: str) -> Callable[[str], str]:
        left = list(answers)
        return lambda prompt: left.pop(0)

    trekctl("account", "add", "bob@example.com", status=USAGE)
    assert "--password-stdin" in trekctl.error
    monkeypatch.setattr(accounts.sys, "stdin", Terminal())
    monkeypatch.setattr(accounts, "getpass", answering("one", "other"))
    with pytest.raises(CommandFailure, match="differ"):
        accounts._new_password(False)
    monkeypatch.setattr(accounts, "getpass", answering("one", "one"))
    assert accounts._new_password(False) == "one"


def test_csv_import_is_all_or_nothing_with_every_fault_told(trekctl: Shell, tmp_path: Path) -> None:
    file = tmp_path / "accounts.csv"
    file.write_text("address,password,plan\na@example.com,x,pro\nb,x,\nc@example.com,x,gold\n")
    trekctl("account", "import", str(file), status=FAILED)
    assert [line.split(": ")[1] for line in trekctl.error.splitlines()] == [
        f"{file}:3",
        f"{file}:4",
        "nothing was added",
    ]
    file.write_text("address,password,plan,quota,name\na@example.com,x,pro,1GB,A\nb@example.com,,,,\n")
    assert trekctl("account", "import", str(file)) == "added 2 accounts\n"
    assert trekctl.host.directory.passwords == {"a@example.com": "x", "b@example.com": None}
    trekctl("account", "import", str(file), status=FAILED)
    file.write_bytes(b"address\n\xff@example.com\n")
    trekctl("account", "import", str(file), status=FAILED)
    assert "not UTF-8" in trekctl.error


def test_usage_errors_have_status_2(trekctl: Shell) -> None:
    trekctl.add("alice@example.com")
    trekctl("account", "set", "alice@example.com", status=USAGE)
    for arguments in ((), ("account",), ("nonsense",), ("export", "alice@example.com", "--format", "zip", "x")):
        with pytest.raises(SystemExit) as end:
            trekctl(*arguments)
        assert end.value.code == USAGE


def test_commands_of_the_daemon_without_one_have_status_3(trekctl: Shell) -> None:
    trekctl.daemon_runs = False
    for arguments in (("status",), ("sessions",), ("limits",), ("kick", "x"), ("reload",), ("failures",)):
        trekctl(*arguments, status=NO_DAEMON)
        assert trekctl.error == "trekctl: the daemon is not running\n"
    trekctl.add("alice@example.com")


def test_status_sessions_and_kick(trekctl: Shell) -> None:
    trekctl.add("alice@example.com")
    connection = FakeConnection()
    connection.describe = lambda: {"client": "Mail\x1b[31m", "idle": 3720, "octets_in": 2048, "mailbox": "INBOX"}
    lease: Any = trekctl.host.ledger.open(connection)
    now(lease.log_in(trekctl.host.directory.known["alice@example.com"], True))
    status = trekctl("status")
    assert "version    1.2.3\n" in status and "sessions   1, 1 logged in (imap 1)\n" in status
    assert "imaps on tcp:993" in status
    titles, row = trekctl("sessions", "alice@example.com").splitlines()
    assert titles.startswith("SESSION") and titles.endswith("CLIENT")
    for word in (connection.session, "alice@example.com", "203.0.113.7", "1h02m", "INBOX", "2.0 KB", "Mail?[31m"):
        assert word in row
    assert trekctl.json("sessions")[0]["account"] == "alice@example.com"
    assert trekctl("kick", connection.session) == "ended 1 session\n"
    assert connection.aborted == 1


def test_limits_show_who_holds_the_slots(trekctl: Shell) -> None:
    trekctl.add("alice@example.com")
    account = trekctl.host.directory.known["alice@example.com"]
    for peer in ["203.0.113.7"] * 10 + ["198.51.100.1"]:
        lease: Any = trekctl.host.ledger.open(FakeConnection(peer))
        now(lease.log_in(account, True))
    with pytest.raises(TooManyConnections):
        now(trekctl.host.ledger.open(FakeConnection("203.0.113.7")).log_in(account, True))
    used, blank, titles, refusal = trekctl("limits").splitlines()[1:]
    assert used.split() == ["alice@example.com", "nano", "11", "of", "15", "10", "of", "10", "203.0.113.7"]
    assert blank == "" and titles.startswith("REFUSED AT")
    assert refusal.endswith("  alice@example.com  203.0.113.7  10 of 10 connections from one address on plan nano")
    assert "also 1 of 10 from 198.51.100.1\n" in trekctl("limits", "alice@example.com")
    assert trekctl.json("limits")["usage"][0]["used"] == 11


def test_reload_and_failures(trekctl: Shell) -> None:
    assert trekctl("reload") == "now in force: tls, plans\nchanged, but needs a restart: listen\n"
    assert trekctl("failures").splitlines()[1].split() == ["3", "203.0.113.7"]
    trekctl("failures", "--forgive", "203.0.113.7")
    trekctl("failures", "--forgive", "all")
    assert trekctl.host.forgiven == ["203.0.113.7", None]


def test_check_config_tells_every_mistake(trekctl: Shell) -> None:
    assert "no mistakes" in trekctl("check-config")
    trekctl.config.write_text(WITHOUT_LISTENERS.replace("hostname", "hostnam") + "[limits]\nipv6_prefix = 5\n")
    trekctl("check-config", status=FAILED)
    assert "hostnam" in trekctl.error and "ipv6_prefix" in trekctl.error and trekctl.error.count("\n") >= 2
    trekctl.config.unlink()
    trekctl("check-config", status=FAILED)
    assert trekctl.error == f"trekctl: {trekctl.config}: No such file or directory\n"


MBOX = b"From x Wed Jul 17 02:44:25 1996\nSubject: one\nStatus: RO\n\nHello\n\nFrom x\nSubject: two\n\n"


@pytest.mark.parametrize("form", ["mbox", "maildir"])
def test_mail_goes_in_and_out_and_in_again(trekctl: Shell, tmp_path: Path, form: str) -> None:
    for name in ("alice", "bob"):
        trekctl.add(f"{name}@example.com")
    (tmp_path / "in").write_bytes(MBOX)
    assert trekctl("import", "alice@example.com", str(tmp_path / "in")) == (
        "2 messages added to 1 mailboxes of alice@example.com\n"
    )
    trekctl("import", "alice@example.com", str(tmp_path / "in"), "--mailbox", "Work/2024")
    first, second = tmp_path / "first", tmp_path / "second"
    assert trekctl.json("export", "alice@example.com", "--format", form, str(first))["mailboxes"]["Work/2024"] == 2
    trekctl("import", "bob@example.com", str(first))
    trekctl("export", "bob@example.com", "--format", form, str(second))
    if form == "mbox":
        assert contents(first) == contents(second)
        assert b"Status: RO" in contents(first)["Work/2024.mbox"]
    else:
        assert sorted(contents(first).values()) == sorted(contents(second).values())
    assert trekctl("check") == "2 accounts checked, none with faults\n"


def test_text_is_indexed_anew(trekctl: Shell, tmp_path: Path) -> None:
    trekctl.add("alice@example.com")
    (tmp_path / "in.mbox").write_bytes(b"From x\nSubject: a\n\ntext\n\nFrom x\nSubject: b\n\ntext\n")
    trekctl("import", "alice@example.com", str(tmp_path / "in.mbox"))
    assert trekctl("reindex") == "2 messages of 1 accounts indexed\n"
    assert trekctl.json("reindex", "alice@example.com") == {"alice@example.com": 2}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_export_goes_to_a_new_folder_only(trekctl: Shell, tmp_path: Path) -> None:
    trekctl.add("alice@example.com")
    (tmp_path / "x").mkdir()
    trekctl("export", "alice@example.com", str(tmp_path / "x"))
    trekctl("export", "alice@example.com", str(tmp_path / "x"), status=FAILED)
    assert "is not empty" in trekctl.error
    assert (tmp_path / "x" / "INBOX.mbox").stat().st_mode & 0o077 == 0


def test_large_import_goes_in_batches(trekctl: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trekctl.add("alice@example.com")
    sent: list[int] = []
    append = trekctl.host.operations.mail.append

    async def counted(address: str, mailbox: str, octets: bytes) -> Any:
        sent.append(octets.count(b"\r\nSubject"))
        return await append(address, mailbox, octets)

    trekctl.host.operations.mail.append = counted
    (tmp_path / "in").write_bytes(b"From x\nSubject: x\n\n" * 450)
    trekctl("import", "alice@example.com", str(tmp_path / "in"))
    assert sent == [200, 200, 50]


def test_folder_that_is_no_mail_is_refused(trekctl: Shell, tmp_path: Path) -> None:
    trekctl.add("alice@example.com")
    trekctl("import", "alice@example.com", str(tmp_path), status=FAILED)
    assert "neither a Maildir nor" in trekctl.error
    trekctl("import", "alice@example.com", str(tmp_path), "--mailbox", "x", status=USAGE)
    trekctl("import", "alice@example.com", str(trekctl.config), "--mailbox", "..", status=FAILED)


def test_faults_of_the_store_have_status_1(trekctl: Shell) -> None:
    trekctl.add("alice@example.com")
    store = now(trekctl.host.store.open("alice@example.com"))

    async def complaining() -> tuple[str, ...]:
        return ("INBOX: total is 5, counted 4",)

    store.check = complaining
    trekctl.host.store.open = lambda principal, quota=0: given(store)
    trekctl("check", status=FAILED)
    assert trekctl.out == "alice@example.com: INBOX: total is 5, counted 4\n1 accounts checked, 1 with faults\n"


@pytest.mark.parametrize(("line", "status"), [("mended: x", OK), ("lost: x", FAILED), ("left: x", FAILED)])
def test_a_repair_fails_where_something_is_lost_or_left(trekctl: Shell, line: str, status: int) -> None:
    trekctl.add("alice@example.com")
    store = now(trekctl.host.store.open("alice@example.com"))

    async def mending() -> tuple[str, ...]:
        return ("mended: y", line)

    store.repair = mending
    trekctl.host.store.open = lambda principal, quota=0: given(store)
    trekctl("check", "--repair", status=status)
    assert trekctl.out == (
        f"alice@example.com: mended: y\nalice@example.com: {line}\n1 accounts checked, 1 with faults\n"
    )


async def given(value: Any) -> Any:
    return value


def test_commands_to_the_daemon_start_without_twisted() -> None:
    """Twisted and what stands behind the plugins take most of a second to load."""
    look = "import sys, trekd.cli.main; print({'twisted', 'ldap3', 'asyncio'} & set(sys.modules))"
    finished = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert finished.stdout == "set()\n"
