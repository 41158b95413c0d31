"""Accounts from CSV."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trekd.directory.interfaces import NewAccount
from trekd.directory.local.batch import read_accounts, read_quota
from trekd.errors import ConfigFault, SyntaxFault
from trekd.values import Address

PLANS = frozenset({"nano", "pro"})


def read(text: str) -> tuple[NewAccount, ...]:
    return read_accounts(text, "nano", PLANS, lambda domain: domain == "example.com")


def complaints(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigFault) as refusal:
        read(text)
    return refusal.value.complaints


def test_columns_in_any_order_with_defaults() -> None:
    row = '"Liddell, Alice",alice@example.com,5GB,"a ""b""",pro\r\n'
    assert read("\ufeffname,address,quota,password,plan\r\n" + row) == (
        NewAccount(Address("alice", "example.com"), "pro", 'a "b"', "Liddell, Alice", 5 << 30),
    )
    assert read("address\nbob@example.com\n\n") == (NewAccount(Address("bob", "example.com"), "nano"),)


def test_every_fault_is_told_with_its_line() -> None:
    found = complaints(
        "address,password,plan,quota\n"
        "alice@example.com,x,nano,\n"
        "alice,x,nano,\n"
        "bob@example.org,x,gold,lots\n"
        "\n"
        "ALICE@example.com,x,nano,\n"
    )
    assert [complaint.split(":")[0] for complaint in found] == ["3", "4", "4", "4", "6"]
    assert "no full mail address" in found[0]
    assert "'gold'" in "".join(found) and "'lots'" in "".join(found) and "example.org is not one of" in "".join(found)
    assert found[4] == "6: ALICE@example.com is in line 2 already"


def test_passwords_are_never_in_a_complaint() -> None:
    found = complaints("address,password\nalice@example.com,hunter2\nalice@example.com,hunter2\nx,hunter2\n")
    assert "hunter2" not in "".join(found)
    assert "1 to 1024 octets" in complaints("address,password\nalice@example.com," + "x" * 2000 + "\n")[0]


def test_header_and_quoting_faults() -> None:
    for text in ("", "alice@example.com,x\n", "address,color\n", "address,address\n", "password\nx\n"):
        assert complaints(text)[0].startswith("1: the first line must name the columns")
    assert complaints('address\n"alice@example.com\n')[0].startswith("2: not CSV")
    assert complaints("address,plan\nalice@example.com\n") == ("2: 1 columns where the header has 2",)


@given(st.text(max_size=300))
def test_no_text_is_a_surprise(text: str) -> None:
    for sample in (text, "address,password,plan,quota,name\n" + text):
        try:
            read(sample)
        except ConfigFault as refusal:
            assert refusal.complaints


def test_quota_notation() -> None:
    assert (read_quota("5GB"), read_quota("0"), read_quota("1024")) == (5 << 30, 0, 1024)
    for text in ("", "-1", "5 bananas", "999999999999TB", "1.5GB"):
        with pytest.raises(SyntaxFault):
            read_quota(text)
