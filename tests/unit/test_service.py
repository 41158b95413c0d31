"""L{trekd.service}: the command line of twistd, the start, the reload and the end of the daemon."""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.application.service import Application
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, Logger, LogLevel

from tests.fakes.configuration import WITHOUT_LISTENERS
from tests.fakes.connections import FakeConnection
from tests.fakes.inmemory import InMemoryReactor, ThreadsAtOnce
from trekd import service
from trekd.assembly import mailout
from trekd.errors import ConfigFault
from trekd.service import GOODBYE_TIME, MailHost, Options

CONFIG = f"""\
{WITHOUT_LISTENERS}lmtp = ["tcp:2424:interface=127.0.0.1"]
control = []
[store]
backend = "memory"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "trekmail.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def umask_and_signals() -> Iterator[None]:
    """What a start changes of this process, put back."""
    umask = os.umask(0o022)
    handler = signal.getsignal(signal.SIGHUP)
    yield
    os.umask(umask)
    signal.signal(signal.SIGHUP, handler)


@pytest.fixture
def complaints(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What an ended start says on standard error."""
    output = io.StringIO()
    monkeypatch.setattr(service.sys, "__stderr__", output)
    monkeypatch.setattr(service.os, "devnull", "/dev/zero")
    return output


def options(*arguments: str, **twistd: object) -> Options:
    parsed = Options()
    parsed.parent = twistd  # type: ignore[assignment]
    parsed.parseOptions(list(arguments))
    return parsed


# --- Options ----------------------------------------------------------------------------------------


def test_the_path_of_the_configuration_is_absolute(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For twistd leaves the directory that it was started in."""
    monkeypatch.chdir(config.parent)
    parsed = options("--config", "trekmail.toml")
    assert parsed["config"] == str(config)
    assert parsed.loaded.server.data_dir == str(config.parent / "data")


def test_every_mistake_is_a_line_and_the_status_is_1(config: Path, complaints: io.StringIO) -> None:
    config.write_text(CONFIG + "nonsense = 1\n[imap]\nmax_nesting = 1\n")
    with pytest.raises(SystemExit) as ended:
        options("--config", str(config))
    assert ended.value.code == 1
    lines = complaints.getvalue().splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"trekmail: {config}:") for line in lines)


def test_a_daemon_without_standard_error_complains_in_the_log(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Any] = []
    monkeypatch.setattr(service.sys, "__stderr__", None)
    monkeypatch.setattr(service, "_log", Logger(observer=events.append))
    with pytest.raises(SystemExit):
        options("--config", str(config.with_name("missing.toml")))
    (event,) = events
    assert event["log_level"] is LogLevel.critical
    assert event["complaint"] == f"{config.with_name('missing.toml')}: No such file or directory"


# --- The log ----------------------------------------------------------------------------------------


def test_log_json_writes_objects(config: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    observer = options("--config", str(config), "--log-json", logfile=str(log)).observer
    assert observer is not None
    Logger("trekd.test", observer=observer).info("hello {name}", name="Alice")
    fields = json.loads(log.read_text())
    assert (fields["message"], fields["name"]) == ("hello Alice", "Alice")


def test_the_configured_level_holds(config: Path, tmp_path: Path) -> None:
    config.write_text(CONFIG + '[log]\nlevel = "warn"\nformat = "json"\n')
    log = tmp_path / "log"
    observer = options("--config", str(config), logfile=str(log)).observer
    logger = Logger("trekd.test", observer=observer)
    logger.info("not this")
    logger.warn("this")
    assert [json.loads(line)["message"] for line in log.read_text().splitlines()] == ["this"]


def test_standard_output_has_the_log_in_the_foreground_and_a_file_behind(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Logger("trekd.test", observer=options("--config", str(config), nodaemon=1).observer).info("in front")
    assert "in front" in capsys.readouterr().out
    Logger("trekd.test", observer=options("--config", str(config)).observer).info("behind")
    assert "behind" in (tmp_path / "twistd.log").read_text()


@pytest.mark.parametrize("twistd", [{"logger": "some.observer"}, {"syslog": 1}])
def test_a_log_that_twistd_was_told_of_comes_first(config: Path, twistd: dict[str, object]) -> None:
    assert options("--config", str(config), **twistd).observer is None


def test_the_service_brings_its_observer_to_the_application(config: Path, tmp_path: Path) -> None:
    parsed = options("--config", str(config), logfile=str(tmp_path / "log"))
    made = service.makeService(parsed)
    application = Application("twistd")
    made.setServiceParent(application)
    assert application.getComponent(ILogObserver) is not None  # type: ignore[attr-defined]


# --- The start --------------------------------------------------------------------------------------


def started(config: Path, reactor: Any) -> MailHost:
    parsed = options("--config", str(config))
    host = MailHost(parsed.loaded, str(config), reactor)
    host.privilegedStartService()
    host.startService()
    return host


@pytest.fixture(autouse=True)
def queue_without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue's threads would call the reactor in memory whenever they please."""
    monkeypatch.setattr(mailout, "Threads", ThreadsAtOnce)


def now(work: Deferred[Any]) -> Any:
    found: list[Any] = []
    work.addBoth(found.append)
    return found[0] if found else None


def test_a_fault_of_the_start_is_a_line_and_status_1(
    config: Path, complaints: io.StringIO, umask_and_signals: None
) -> None:
    config.write_text(CONFIG.replace("imaps = []", 'imaps = ["tcp:993"]') + '[tls]\ncertificate="c"\nkey="k"\n')
    with pytest.raises(SystemExit) as ended:
        started(config, InMemoryReactor())
    assert ended.value.code == 1
    assert complaints.getvalue().startswith("trekmail: ") and complaints.getvalue().count("\n") == 1


def test_files_are_for_the_daemon_alone(config: Path, umask_and_signals: None) -> None:
    host = started(config, InMemoryReactor())
    assert os.umask(0o077) == 0o077
    assert (config.parent / "data").stat().st_mode & 0o777 == 0o700
    now(host.stopService())


def test_readiness_is_told_when_the_reactor_runs(config: Path, umask_and_signals: None) -> None:
    reactor = InMemoryReactor()
    host = started(config, reactor)
    told: list[str] = []
    host._notifier = SimpleNamespace(notify=told.append)
    for function, arguments, keywords in reactor.whenRunningHooks:
        function(*arguments, **keywords)
    assert told == ["READY=1"]
    now(host.stopService())
    assert told == ["READY=1", "STOPPING=1"]


# --- The reload -------------------------------------------------------------------------------------


def test_a_reload_takes_the_file_as_it_is_now(config: Path, umask_and_signals: None) -> None:
    host = started(config, InMemoryReactor())
    config.write_text(CONFIG.replace("mail.", "post.") + "[plans.nano]\nconnections_total = 99\n")
    assert host.reload() == (("plans", "tls"), ("server",))
    now(host.stopService())


def test_a_hangup_with_mistakes_is_logged_and_changes_nothing(
    config: Path, umask_and_signals: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And systemd hears that the reload is over."""
    events: list[Any] = []
    monkeypatch.setattr(service, "_log", Logger(observer=events.append))
    host = started(config, InMemoryReactor())
    told: list[str] = []
    host._notifier = SimpleNamespace(notify=told.append)
    config.write_text(CONFIG + "nonsense = 1\nrubbish = 2\n")
    signal.raise_signal(signal.SIGHUP)
    refused = [event["complaint"] for event in events if event["log_level"] is LogLevel.error]
    assert len(refused) == 2
    assert told == ["RELOADING=1", "READY=1"]
    with pytest.raises(ConfigFault):
        host.reload()
    now(host.stopService())


# --- The end ----------------------------------------------------------------------------------------


class Staying(FakeConnection):
    """A session that says when it is gone, or never."""

    def __init__(self) -> None:
        super().__init__()
        self.gone: Deferred[None] = Deferred()

    def say_goodbye(self) -> Deferred[None]:  # type: ignore[override]
        super().say_goodbye()
        return self.gone


def test_a_session_that_never_ends_is_aborted_in_the_end(config: Path, umask_and_signals: None) -> None:
    reactor = InMemoryReactor()
    host = started(config, reactor)
    assert host._host is not None
    leaving, staying = Staying(), Staying()
    lease = host._host.accounts.ledger.open(leaving)
    host._host.accounts.ledger.open(staying)
    ended: list[object] = []
    host.stopService().addBoth(ended.append)
    assert (leaving.goodbyes, staying.goodbyes) == (1, 1)
    lease.close()
    leaving.gone.callback(None)
    reactor.advance(GOODBYE_TIME - 1)
    assert not ended and not staying.aborted
    reactor.advance(1)
    assert (leaving.aborted, staying.aborted) == (0, 1)
    assert ended == [None]


def test_the_end_waits_for_nobody_when_all_went(config: Path, umask_and_signals: None) -> None:
    reactor = InMemoryReactor()
    host = started(config, reactor)
    assert host._host is not None
    connection = FakeConnection()
    host._host.accounts.ledger.open(connection)
    assert now(host.stopService()) is None
    assert connection.goodbyes == 1
    assert reactor.getDelayedCalls() == []
