"""The stream of mailboxes and messages between trekctl and the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.mime import PlainReader
from tests.fakes.running import PumpedReactor
from trekd.errors import BadMailboxName, SyntaxFault
from trekd.store.interfaces import NewMessage
from trekd.store.memory.boxes import Limits
from trekd.store.memory.provider import MemoryStore
from trekd.values import INBOX, Flag, MailboxName, PrincipalId
from trekd.web.messages import (
    END,
    StoredMessage,
    export,
    mailbox_record,
    message_record,
    read_date,
    read_record,
    write_date,
)

PACIFIC = timezone(timedelta(hours=-7))
MESSAGE = StoredMessage(
    b"Subject: x\r\n\r\n.\r\n* \0\xff\n",
    frozenset({Flag("\\Seen"), Flag("$Forwarded")}),
    datetime(1996, 7, 7, 2, 44, 25, tzinfo=PACIFIC),
)


def records(octets: bytes) -> list[MailboxName | StoredMessage]:
    stream, found = BytesIO(octets), []
    while (record := read_record(stream)) is not None:
        found.append(record)
    return found


def test_what_is_written_is_read_again() -> None:
    name = MailboxName("Entwürfe/{3}")
    assert records(mailbox_record(name) + message_record(MESSAGE) + END) == [name, MESSAGE]


def test_export_of_a_store_is_read_with_flags_dates_and_octets() -> None:
    reactor = PumpedReactor()
    store = reactor.run(MemoryStore(PlainReader(), reactor, Limits(100, 100)).open(PrincipalId("alice@example.com")))
    other = StoredMessage(b"\r\n" * 100_000, frozenset(), datetime(2024, 2, 29, 23, 59, 58, tzinfo=UTC))
    for name, message in ((INBOX, MESSAGE), (INBOX, other), (MailboxName("Sent"), MESSAGE)):
        reactor.run(
            store.append(name, [NewMessage(message.octets, b"", message.flags, message.internal_date)])
        )

    async def whole() -> bytes:
        return b"".join([piece async for piece in export(store)])

    found = records(reactor.run(whole()))
    assert found[:4] == [INBOX, MESSAGE, other, MailboxName("Archive")]
    assert [each for each in found if isinstance(each, StoredMessage)] == [MESSAGE, other, MESSAGE]
    assert len(found) == 9


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"* \r\n",
        b'* "07-Jul-1996 02:44:25 -0700" () {5}\r\nabc',
        b'* "07-Jul-1996 02:44:25 -0700" () {3}\r\nabcd\r\n',
        b'* "07-Jul-1996 02:44:25 -0700" () {99999999999999}\r\n',
        b'* "31-Feb-1996 02:44:25 -0700" () {0}\r\n\r\n',
        b'* "07-Foo-1996 02:44:25 -0700" () {0}\r\n\r\n',
        b'* "07-Jul-1996 02:44:25 -0700" (\\Nonsense) {0}\r\n\r\n',
        b"= {3}\r\nabcdef\r\n",
        b"x" * 100_000,
    ],
)
def test_what_is_no_record_is_refused(octets: bytes) -> None:
    with pytest.raises(SyntaxFault):
        records(octets)


def test_impossible_mailbox_is_refused() -> None:
    with pytest.raises(BadMailboxName):
        records(b"= {2}\r\n..\r\n")


def test_recent_is_left_behind() -> None:
    found = records(b'* " 7-Jul-1996 02:44:25 -0700" (\\Recent \\Seen) {1}\r\nx\r\n' + END)
    assert found[0].flags == {Flag("\\Seen")}


@given(st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 28)), st.integers(-23 * 60, 23 * 60))
def test_dates_survive(naive: datetime, minutes: int) -> None:
    """RFC 3501 §9, date-time."""
    date = naive.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    assert read_date(write_date(date)) == date
    assert read_date(write_date(date)).utcoffset() == date.utcoffset()


@given(st.binary(max_size=200))
def test_no_octets_are_a_surprise(octets: bytes) -> None:
    try:
        records(octets)
    except (SyntaxFault, BadMailboxName):
        pass
