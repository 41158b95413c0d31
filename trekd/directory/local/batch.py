"""
Accounts from a CSV file (RFC 4180): all its faults are told at once, with their lines.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping

from trekd.config.kinds import SIZE
from trekd.directory.interfaces import NewAccount, is_possible_password
from trekd.errors import ConfigFault, SyntaxFault
from trekd.values import Address

COLUMNS = ("address", "password", "plan", "quota", "name")
MAX_NAME = 1000
"""Longest display name, in characters."""

MAX_QUOTA = 2**53
"""Largest quota in octets: what every reader of JSON takes exactly."""


def read_accounts(
    text: str, default_plan: str, plans: frozenset[str], is_served: Callable[[str], bool]
) -> tuple[NewAccount, ...]:
    """
    Read accounts; the first line names the columns: C{address} and any of the others, in any order.

    An empty password makes an account that cannot log in yet, an empty plan the default one, an empty quota
    the plan's.

    @param plans: the plans there are.
    @param is_served: whether a domain is ours.
    @raise ConfigFault: one complaint for each fault, beginning with its line's number.
    """
    complaints: list[str] = []
    accounts: list[NewAccount] = []
    lines: dict[str, int] = {}
    try:
        for number, row in _rows(text):
            faults: list[str] = []
            account = _account(row, default_plan, faults.append)
            if account is not None:
                _check(account, plans, is_served, faults.append)
                first = lines.setdefault(str(account.address).lower(), number)
                if first != number:
                    faults.append(f"{account.address} is in line {first} already")
                accounts.append(account)
            complaints += [f"{number}: {fault}" for fault in faults]
    except SyntaxFault as fault:
        complaints.append(f"{fault.offset}: {fault.rule}")
    if complaints:
        raise ConfigFault(*complaints)
    return tuple(accounts)


Complain = Callable[[str], None]


def _rows(text: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    """
    Line numbers and rows by column; empty lines are skipped.

    @raise SyntaxFault: the file cannot be read on; the offset is the line's number.
    """
    reader = csv.reader(text.removeprefix("\ufeff").splitlines(keepends=True), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        _check_header(header)
        for row in reader:
            if len(row) not in (0, len(header)):
                raise SyntaxFault(f"{len(row)} columns where the header has {len(header)}", reader.line_num)
            if any(row):
                yield reader.line_num, dict(zip(header, row, strict=True))
    except csv.Error as fault:
        raise SyntaxFault(f"not CSV: {fault}", reader.line_num) from None


def _check_header(header: list[str]) -> None:
    strange = [name for name in header if name not in COLUMNS]
    if strange or "address" not in header or len(set(header)) != len(header):
        raise SyntaxFault(f"the first line must name the columns: {','.join(COLUMNS)} (address at least)", 1)


def _account(row: Mapping[str, str], default_plan: str, complain: Complain) -> NewAccount | None:
    """One account; C{None} after a complaint that leaves nothing to check."""
    try:
        address = Address.parse(row["address"].strip())
    except SyntaxFault:
        complain(f"{row['address']!r} is no full mail address")
        return None
    quota = None
    if row.get("quota", "").strip():
        try:
            quota = read_quota(row["quota"])
        except SyntaxFault as fault:
            complain(fault.rule)
    plan = row.get("plan", "").strip() or default_plan
    return NewAccount(address, plan, row.get("password") or None, row.get("name", "").strip(), quota)


def _check(account: NewAccount, plans: frozenset[str], is_served: Callable[[str], bool], complain: Complain) -> None:
    if not is_served(account.address.domain):
        complain(f"{account.address}: {account.address.domain} is not one of this server's domains")
    if account.plan not in plans:
        complain(f"{account.address}: there is no plan {account.plan!r}; plans: {', '.join(sorted(plans))}")
    if account.password is not None and not is_possible_password(account.password):
        complain(f"{account.address}: the password must have 1 to 1024 octets and no NUL")
    if len(account.display_name) > MAX_NAME or not account.display_name.isprintable():
        complain(f"{account.address}: the name must be printable text")


def read_quota(text: str) -> int:
    """
    Read a quota: octets, or text such as C{5GB} as in the configuration; 0 is no limit.

    @raise SyntaxFault: neither.
    """
    try:
        size: int = SIZE.read(text.strip(), "")
    except ValueError:
        raise SyntaxFault(f"quota {text!r} is neither a number of octets nor text such as 500MB, 5GB") from None
    if size > MAX_QUOTA:
        raise SyntaxFault(f"quota {text!r} is too large")
    return size
