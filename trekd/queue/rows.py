"""
Entries as rows of the queue's database, there and back.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from trekd.queue.interfaces import Entry, LastAttempt, MailTransaction, Recipient, Route, RouteKind, Selection
from trekd.values import Address, PrincipalId

ENTRY = """
SELECT recipient.number, address, kind, profile, notify, original, lane, recipient.priority, due, since, attempts,
    noted, held_by, held, failure, host, status, tried,
    id, reverse_path, principal, smtputf8, eight_bit, require_tls, tls_optional, junk, envelope_id, ret,
    hold_until, size, arrived
FROM recipient JOIN message ON message.number = recipient.message
"""
"""The columns that L{entries} takes."""

NOTICE_PRIORITY = 1
"""Mail from the null path waits behind everything else."""


def entries(rows: Iterable[tuple[Any, ...]]) -> tuple[Entry, ...]:
    """Rows of L{ENTRY} as entries."""
    return tuple([_entry(row) for row in rows])


def _entry(row: tuple[Any, ...]) -> Entry:
    (number, address, kind, profile, notify, original, lane, priority, due, since, attempts) = row[:11]
    (noted, held_by, held, failure, host, status, tried) = row[11:18]
    (id, reverse_path, principal, smtputf8, eight_bit, require_tls, tls_optional, junk) = row[18:26]
    (envelope_id, ret, hold_until, size, arrived) = row[26:]
    words = tuple(notify.split(",")) if notify else ()
    transaction = MailTransaction(
        reverse_path=_address(reverse_path) if reverse_path is not None else None,
        recipients=(Recipient(_address(address), Route(RouteKind(kind), profile), words, original),),
        principal=PrincipalId(principal) if principal is not None else None,
        smtputf8=bool(smtputf8),
        eight_bit=bool(eight_bit),
        envelope_id=envelope_id,
        ret=ret,
        hold_until=hold_until,
        require_tls=bool(require_tls),
        tls_optional=bool(tls_optional),
        junk=bool(junk),
    )
    return Entry(
        number=number,
        message=id,
        transaction=transaction,
        size=size,
        arrived=arrived,
        since=since,
        lane=lane,
        due=due,
        attempts=attempts,
        priority=priority,
        noted=bool(noted),
        held_by=held_by,
        held=held,
        last=LastAttempt(failure, host, status, tried),
    )


def _address(text: str) -> Address:
    local, _, domain = text.rpartition("@")
    return Address(local, domain)


@dataclass(frozen=True, slots=True)
class Stored:
    """
    How a message's octets lie on disk.

    @ivar is_file: in a file of their own.
    """

    size: int
    is_file: bool


def insert_message(
    database: sqlite3.Connection, id: str, transaction: MailTransaction, stored: Stored, now: float
) -> int:
    """
    Add a message without its content and recipients.

    @return: its number.
    """
    reverse_path = str(transaction.reverse_path) if transaction.reverse_path is not None else None
    cursor = database.execute(
        "INSERT INTO message VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            id,
            reverse_path,
            transaction.principal,
            transaction.smtputf8,
            transaction.eight_bit,
            transaction.require_tls,
            transaction.tls_optional,
            transaction.junk,
            transaction.envelope_id,
            transaction.ret,
            transaction.hold_until,
            stored.size,
            now,
            NOTICE_PRIORITY if reverse_path is None else 0,
            stored.is_file,
        ),
    )
    return int(cursor.lastrowid or 0)


_INSERT_RECIPIENT = (
    "INSERT INTO recipient (message, address, kind, profile, notify, original, lane, priority, due, since) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def insert_recipients(
    database: sqlite3.Connection, message: int, transaction: MailTransaction, lanes: tuple[str, ...], now: float
) -> list[int]:
    """
    Add a message's recipients, each with its lane.

    @return: their numbers, in order.
    """
    priority = NOTICE_PRIORITY if transaction.reverse_path is None else 0
    due = max(now, transaction.hold_until)
    numbers: list[int] = []
    for one, lane in zip(transaction.recipients, lanes, strict=True):
        route, words = one.route, ",".join(one.notify)
        values = (
            message, str(one.address), route.kind.value, route.profile, words, one.original, lane, priority, due, due
        )  # fmt: skip
        numbers.append(int(database.execute(_INSERT_RECIPIENT, values).lastrowid or 0))
    return numbers


def new_entries(
    id: str, transaction: MailTransaction, lanes: tuple[str, ...], stored: tuple[tuple[int, ...], int], now: float
) -> tuple[Entry, ...]:
    """
    The entries that L{insert_message} and L{insert_recipients} made, as L{entries} reads them.

    @param stored: the numbers of the recipients, and the message's size.
    """
    numbers, size = stored
    due = max(now, transaction.hold_until)
    return tuple(
        Entry(
            number=number,
            message=id,
            transaction=replace(transaction, recipients=(one,), one_reply=False),
            size=size,
            arrived=now,
            since=due,
            lane=lane,
            due=due,
            attempts=0,
            priority=NOTICE_PRIORITY if transaction.reverse_path is None else 0,
            noted=False,
            held_by="",
            held="",
            last=LastAttempt(),
        )
        for number, one, lane in zip(numbers, transaction.recipients, lanes, strict=True)
    )


def condition(selection: Selection) -> tuple[str, list[str | int]]:
    """A selection as SQL after WHERE, and its parameters."""
    terms: list[str] = ["1"]
    values: list[str | int] = []
    if selection.lane is not None:
        terms.append("lane = ?")
        values.append(selection.lane)
    if selection.sender is not None:
        reverse_path, first = _address_term("reverse_path", selection.sender)
        principal, second = _address_term("principal", selection.sender)
        terms.append(f"({reverse_path} OR {principal})")
        values += [first, second]
    if selection.recipient is not None:
        term, value = _address_term("address", selection.recipient)
        terms.append(term)
        values.append(value)
    if selection.message is not None:
        terms.append("(id = ? OR recipient.number = ?)")
        is_number = selection.message.isascii() and selection.message.isdigit() and len(selection.message) < 16
        values += [selection.message, int(selection.message) if is_number else -1]
    if selection.held is not None:
        terms.append("held_by != ''" if selection.held else "held_by = ''")
    return " AND ".join(terms), values


def _address_term(column: str, wanted: str) -> tuple[str, str]:
    """An address is equal in any letter case; without C{@} it is the domain of one."""
    if "@" in wanted:
        return f"lower({column}) = lower(?)", wanted
    escaped = re.sub(r"([!%_])", r"!\1", wanted)
    return f"{column} LIKE ? ESCAPE '!'", f"%@{escaped}"
