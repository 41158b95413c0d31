"""The daemon with its accounts in a private slapd."""

from __future__ import annotations

import imaplib
import smtplib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.daemon import Daemon
from tests.clients.programs import addresses_to_ban
from tests.fakes.slapd import GROUPS, PEOPLE, SERVICE, Person, Slapd

ALICE = Person("alice", "correct horse", name="Alice Liddell", more={"trekPlan": ["pro"]})
BOB = Person("bob", "battery staple")
CACHE_TIME = 1

SETTINGS = """\
backend = "ldap"

[directory.ldap]
uris = ["{uri}"]
tls_ca_file = "{ca}"
bind_dn = "{service}"
bind_password_file = "{secret}"
base = "{people}"
group_base = "{groups}"
receive_timeout = 1
cache_ttl = {ttl}
cache_negative_ttl = 1
"""


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    """A server with alice, bob and the list team."""
    made = Slapd([ALICE, BOB])
    made.add_group("team", [ALICE.dn, BOB.dn], mail=["team@example.com"])
    yield made
    made.close()


@pytest.fixture(scope="module")
def daemon(slapd: Slapd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that asks it over ldaps."""
    made = Daemon(tmp_path_factory.mktemp("ldap"))
    configure(made, slapd)
    made.start()
    yield made
    made.close()


def configure(daemon: Daemon, slapd: Slapd) -> None:
    settings = SETTINGS.format(
        uri=slapd.tls_uri,
        ca=slapd.authority.file,
        service=SERVICE,
        secret=slapd.secret_file,
        people=PEOPLE,
        groups=GROUPS,
        ttl=CACHE_TIME,
    )
    (daemon.directory / "data").mkdir(exist_ok=True)
    daemon.config.write_text(daemon.config.read_text().replace('backend = "local"\n', settings))


def log_in(daemon: Daemon, name: str, password: str) -> imaplib.IMAP4_SSL:
    client = imaplib.IMAP4_SSL("localhost", daemon.ports["imaps"], ssl_context=daemon.client_tls)
    client.login(name, password)
    return client


def refusal(daemon: Daemon, name: str, password: str) -> str:
    with pytest.raises(imaplib.IMAP4.error) as refused:
        log_in(daemon, name, password)
    return str(refused.value)


def subjects(daemon: Daemon, name: str, password: str, wanted: int) -> list[bytes]:
    """The subjects in somebody's INBOX, once there are so many."""
    client = log_in(daemon, name, password)
    deadline = time.monotonic() + 10
    while True:
        _, found = client.select("INBOX")
        if int(found[0]) >= wanted:
            break
        assert time.monotonic() < deadline, daemon.log
        time.sleep(0.05)
    _, parts = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    client.logout()
    return [part[1].strip() for part in parts if isinstance(part, tuple)]


def test_mail_to_a_list_of_the_directory_reaches_its_members(daemon: Daemon) -> None:
    with smtplib.SMTP_SSL("localhost", daemon.ports["submissions"], context=daemon.client_tls) as client:
        client.login("alice@example.com", "correct horse")
        client.sendmail(
            "alice@example.com", ["team@example.com"], "From: alice@example.com\r\nSubject: to all\r\n\r\nHello\r\n"
        )
    for person, password in (("ALICE@example.com", "correct horse"), ("bob@example.com", "battery staple")):
        assert subjects(daemon, person, password, 1) == [b"Subject: to all"]


def test_wrong_password_and_unknown_name_read_alike(daemon: Daemon) -> None:
    wrong = refusal(daemon, "alice@example.com", "wrong")
    assert "AUTHENTICATIONFAILED" in wrong
    assert refusal(daemon, "nobody@example.com", "wrong") == wrong


def test_trekctl_shows_the_plan_and_the_steps(daemon: Daemon) -> None:
    assert "pro" in daemon.trekctl("account", "show", "alice@example.com")
    shown = daemon.trekctl("directory", "test", "alice@example.com", "--password-stdin", input="correct horse\n")
    assert "uid=alice,ou=people,dc=example,dc=com" in shown and "correct horse" not in shown
    daemon.trekctl("directory", "flush", "alice@example.com")
    change = ("account", "passwd", "bob@example.com", "--password-stdin")
    assert "kept in the ldap directory" in daemon.trekctl(*change, input="x\n", status=1)


@pytest.mark.parametrize("status", ["suspended", "disabled"])
def test_sessions_of_an_account_end_within_the_caches_time(daemon: Daemon, slapd: Slapd, status: str) -> None:
    client = log_in(daemon, "bob@example.com", "battery staple")
    slapd.modify(BOB.dn, trekAccountStatus=[status])
    try:
        with pytest.raises((imaplib.IMAP4.abort, OSError)):
            deadline = time.monotonic() + CACHE_TIME + 5
            while time.monotonic() < deadline:
                client.noop()
                time.sleep(0.05)
        assert "may no longer log in" in daemon.log
        assert "AUTHENTICATIONFAILED" not in refusal(daemon, "bob@example.com", "battery staple")
    finally:
        slapd.modify(BOB.dn, trekAccountStatus=[])
        daemon.trekctl("directory", "flush")
    log_in(daemon, "bob@example.com", "battery staple").logout()


def test_a_new_password_works_at_once_and_the_old_one_no_more(daemon: Daemon, slapd: Slapd) -> None:
    log_in(daemon, "bob@example.com", "battery staple").logout()
    slapd.modify(BOB.dn, userPassword=["staple battery"])
    try:
        log_in(daemon, "bob@example.com", "staple battery").logout()
        assert "AUTHENTICATIONFAILED" in refusal(daemon, "bob@example.com", "battery staple")
    finally:
        slapd.modify(BOB.dn, userPassword=["battery staple"])
        daemon.trekctl("directory", "flush", "bob@example.com")


NAMES = ("*)(uid=*@example.com", "\\2a@example.com", "alice*@example.com", "alice@example.com)(mail=*", "a" * 3000)


@pytest.mark.parametrize("name", NAMES)
def test_names_made_to_change_the_filter_log_nobody_in(daemon: Daemon, name: str) -> None:
    before = len(daemon.log)
    client = imaplib.IMAP4_SSL("localhost", daemon.ports["imaps"], ssl_context=daemon.client_tls)
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        client.authenticate("PLAIN", lambda _: b"\0" + name.encode() + b"\0correct horse")
    assert f"refused login {name[:400]!r} from 127.0.0.1: " in daemon.log[before:]


def test_a_name_of_a_megabyte_is_refused_and_told(daemon: Daemon) -> None:
    before = len(daemon.log)
    plain = daemon.connect(daemon.ports["imaps"])
    with daemon.client_tls.wrap_socket(plain, server_hostname="localhost") as client:
        client.settimeout(10)
        client.sendall(b"a LOGIN {1000000+}\r\n" + b"a" * 1_000_000 + b' "x"\r\n')
        said = b""
        while b"\r\na " not in said:
            said += client.recv(4096)
    assert b"a BAD Too large" in said
    log_in(daemon, "alice@example.com", "correct horse").logout()
    assert "IMAP session of None from 127.0.0.1 ended: 1000" in daemon.log[before:]


def test_variants_of_a_name_are_one_account(daemon: Daemon) -> None:
    clients = [log_in(daemon, name, "correct horse") for name in ("alice@example.com", "ALICE@Example.COM")]
    assert "2 of" in daemon.trekctl("limits", "alice@example.com")
    for name in (" alice@example.com", "alice@example.com ", "ａｌｉｃｅ@example.com", "alice@ｅxample.com"):
        with pytest.raises(imaplib.IMAP4.error):
            client = imaplib.IMAP4_SSL("localhost", daemon.ports["imaps"], ssl_context=daemon.client_tls)
            client.authenticate("PLAIN", lambda _, name=name: b"\0" + name.encode() + b"\0correct horse")
    for each in clients:
        each.logout()


def test_changed_plan_holds_at_the_next_login_after_the_caches_time(daemon: Daemon, slapd: Slapd) -> None:
    with log_in(daemon, "bob@example.com", "battery staple"):
        (before,) = daemon.trekctl_json("sessions", "bob@example.com")
        slapd.modify(BOB.dn, trekPlan=["agency"])
        time.sleep(CACHE_TIME + 0.1)
        with log_in(daemon, "bob@example.com", "battery staple"):
            plans = [each["plan"] for each in daemon.trekctl_json("sessions", "bob@example.com")]
            assert (before["plan"], plans) == ("nano", ["nano", "agency"])
            (usage,) = daemon.trekctl_json("limits", "bob@example.com")["usage"]
            assert (usage["allowed"], usage["allowed_per_ip"]) == (150, 100)


def test_an_outage_is_never_a_wrong_password(daemon: Daemon, slapd: Slapd, tmp_path: Path) -> None:
    seen = len(daemon.log)
    slapd.stop()
    try:
        daemon.trekctl("directory", "flush")
        assert "UNAVAILABLE" in refusal(daemon, "alice@example.com", "correct horse")
        with smtplib.SMTP_SSL("localhost", daemon.ports["submissions"], context=daemon.client_tls) as client:
            with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
                client.login("alice@example.com", "correct horse")
            assert refused.value.smtp_code == 454
        shown = daemon.trekctl("directory", "test", "alice@example.com", status=1)
        assert "Connection refused" in shown
        assert f"{slapd.tls_uri} is down: " in daemon.trekctl("status")
        (tmp_path / "log").write_text(daemon.log[seen:])
        assert (tmp_path / "log").read_text().count("no verdict (DirectoryDown)") == 3  # smtplib tries both mechanisms
        assert addresses_to_ban(tmp_path / "log") == []
    finally:
        slapd.start()
    deadline = time.monotonic() + 10
    while True:
        try:
            log_in(daemon, "alice@example.com", "correct horse").logout()
            assert f"{slapd.tls_uri} is up" in daemon.trekctl("status")
            return
        except imaplib.IMAP4.error as fault:
            assert "UNAVAILABLE" in str(fault)
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_steps_are_shown_without_a_daemon(slapd: Slapd, tmp_path: Path) -> None:
    stopped = Daemon(tmp_path)
    configure(stopped, slapd)
    assert "goes to list team@example.com, 2 members" in stopped.trekctl(
        "directory", "test", "team@example.com", status=1
    )
    slapd.secret_file.write_text("wrong\n")
    try:
        assert "refuses the service account" in stopped.trekctl("directory", "test", "alice@example.com", status=1)
    finally:
        slapd.secret_file.write_text("service secret\n")
