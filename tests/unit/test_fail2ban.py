"""etc/fail2ban knows the lines that the daemon writes, and cannot be led to ban somebody else."""

from __future__ import annotations

import configparser
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher

from tests.fakes.connections import FakeConnection
from trekd.config.schema import PLANS, LimitsConfig
from trekd.directory.interfaces import Account
from trekd.errors import BadCredentials, DirectoryDown, TrekError
from trekd.logs import LineObserver, json_line, text_line
from trekd.portal.checkers import FullAddressChecker
from trekd.portal.guessing import Guessing
from trekd.portal.interfaces import PeerPassword
from trekd.portal.limits import ConnectionLedger
from trekd.portal.plans import Plans
from trekd.portal.prefixes import Prefixes
from trekd.values import Address

FILTER = Path(__file__).parents[2] / "etc/fail2ban/filter.d/trekmail.conf"
# What fail2ban puts for <HOST>: an address, or a name.
_IP6 = r"(?:[0-9a-fA-F]{1,4}::?|:){1,7}[0-9a-fA-F]{0,4}"
_IP4 = r"(?:\d{1,3}\.){3}\d{1,3}"
HOST = rf"(?:\[?(?:(?:::f{{4,6}}:)?(?P<ip4>{_IP4})|(?P<ip6>{_IP6}))\]?|(?P<dns>[\w\-.^_]*\w))"
DATE = re.compile(r'^(?:\{"time": ")?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z')
PEER, VICTIM = "203.0.113.7", "192.0.2.66"


def failregexes() -> list[re.Pattern[str]]:
    parser = configparser.ConfigParser()
    parser.read(FILTER)
    lines = parser["Definition"]["failregex"].splitlines()
    return [re.compile(line.replace("<HOST>", HOST)) for line in lines if line]


def banned(line: str) -> str | None:
    """Whom fail2ban finds in a line: it cuts the date out, then looks for the first expression that matches."""
    for form in (line, DATE.sub("", line, count=1)):
        for expression in failregexes():
            if found := expression.search(form.rstrip("\n")):
                return found["ip4"] or found["ip6"] or found["dns"]
    return None


class Directory:
    """Refuses everybody, or is down."""

    is_down = False

    async def authenticate(self, login: Address, password: str) -> Account:
        if self.is_down:
            raise DirectoryDown()
        raise BadCredentials()


def log_of(line: Callable[[LogEvent], str], act: Callable[[], None]) -> list[str]:
    output = io.StringIO()
    observer = LineObserver(output, line)
    globalLogPublisher.addObserver(observer)
    try:
        act()
    finally:
        globalLogPublisher.removeObserver(observer)
    return output.getvalue().splitlines()


def fail(name: str, peer: str = PEER, times: int = 1, is_down: bool = False) -> None:
    clock, limits, prefixes = Clock(), LimitsConfig(failures_per_ip=2), Prefixes()
    directory = Directory()
    directory.is_down = is_down
    checker = FullAddressChecker(directory, ["example.com"], Guessing(limits, prefixes, clock), clock)
    for number in range(times):
        attempt: Deferred[object] = ensureDeferred(
            checker.check(PeerPassword(name, f"wrong{number}", peer, "imap", "s1"))
        )
        attempt.addErrback(lambda failure: failure.trap(TrekError))
        clock.advance(60)


FORMS = pytest.mark.parametrize("form", [text_line, json_line])


@FORMS
@pytest.mark.parametrize("name", ["alice@example.com", "alice", "", "bad name", "o'brien@example.com"])
@pytest.mark.parametrize("peer", [PEER, "2001:db8::7"])
def test_failed_login_is_found(form: Callable[[LogEvent], str], name: str, peer: str) -> None:
    (line,) = log_of(form, lambda: fail(name, peer))
    assert banned(line) == peer
    assert banned(f"Nov 23 19:20:21 mail twistd[812]: {line}"[16:]) == peer


@FORMS
def test_refused_guesses_are_found(form: Callable[[LogEvent], str]) -> None:
    lines = log_of(form, lambda: fail("alice@example.com", times=3))
    assert "too many failed logins" in lines[-1]
    assert [banned(line) for line in lines] == [PEER] * 3


@FORMS
def test_addresses_that_only_connect_are_found(form: Callable[[LogEvent], str]) -> None:
    def connect() -> None:
        ledger = ConnectionLedger(Plans(PLANS), LimitsConfig(unauthenticated_per_ip=1), Prefixes(), Clock())
        ledger.open(FakeConnection(PEER))
        with pytest.raises(TrekError):
            ledger.open(FakeConnection(PEER))

    (line,) = log_of(form, connect)
    assert banned(line) == PEER


@FORMS
def test_outage_and_local_sockets_ban_nobody(form: Callable[[LogEvent], str]) -> None:
    for line in log_of(form, lambda: fail("alice@example.com", is_down=True)) + log_of(form, lambda: fail("alice", "")):
        assert banned(line) is None


@FORMS
@pytest.mark.parametrize(
    "name",
    [
        f"x' from {VICTIM}: wrong name or password",
        f'x" from {VICTIM}: wrong name or password", "',
        f"x from {VICTIM}: wrong name or password\n",
        f"\n2026-11-23T19:20:21.000Z info trekd.portal.checkers.X: refused login 'x' from {VICTIM}: not a full address",
        f'", "message": "refused login x from {VICTIM}: wrong name or password", "',
    ],
)
def test_no_name_can_pass_for_another_address(form: Callable[[LogEvent], str], name: str) -> None:
    lines = log_of(form, lambda: fail(name))
    assert [banned(line) for line in lines] == [PEER]
