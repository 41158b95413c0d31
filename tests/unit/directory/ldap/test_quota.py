"""Quotas in five notations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trekd.directory.ldap.quota import MAX_QUOTA, read_quota
from trekd.errors import SyntaxFault

GB = 1 << 30


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("5368709120", 5 * GB),
        ("5GB", 5 * GB),
        ("5 GiB", 5 * GB),
        ("5g", 5 * GB),
        ("1.5G", 3 * GB // 2),
        ("500MB", 500 << 20),
        ("10B", 10),
        ("5368709120S", 5 * GB),
        ("5368709120S,10000C", 5 * GB),
        ("10000C,5368709120S", 5 * GB),
        ("*:storage=5G", 5 * GB),
        ("*:storage=1024", 1 << 20),
        ("*:messages=100:storage=5G", 5 * GB),
        ("*:bytes=1000", 1000),
        ("storage=5G:messages=9", 5 * GB),
        ("0", None),
        ("0S", None),
        ("-1", None),
    ],
)
def test_notations(text: str, octets: int | None) -> None:
    assert read_quota(text, "mailQuotaSize") == octets


def test_exchange_counts_in_kib() -> None:
    assert read_quota("1048576", "mDBOverHardQuotaLimit") == GB
    assert read_quota("1GB", "mDBOverHardQuotaLimit") == GB


@pytest.mark.parametrize("text", ["", "much", "5 apples", "10000C", "5,5GB", "1e9", "99999999999999999", "9999999TB"])
def test_what_is_no_quota(text: str) -> None:
    with pytest.raises(SyntaxFault):
        read_quota(text)


@given(st.text(alphabet=st.sampled_from("0123456789.SCGKB,:*= storagebytmu-"), max_size=30))
def test_any_text_is_a_quota_or_a_syntax_fault(text: str) -> None:
    try:
        assert 0 < (read_quota(text) or 1) <= MAX_QUOTA
    except SyntaxFault:
        pass
