"""Principals become names of directories: readable, safe, and never two the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trekd.store.sqlite.paths import directory_name, principal_of
from trekd.values import PrincipalId


@pytest.mark.parametrize("address", ["alice@example.com", "a.b+tag@sub.example.com", "x_y-z@example.com"])
def test_ordinary_addresses_are_themselves(address: str) -> None:
    assert directory_name(PrincipalId(address)) == address


@pytest.mark.parametrize(
    ("principal", "name"),
    [
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
        (".hidden@example.com", "%2Ehidden@example.com"),
        ("über@example.com", "%C3%BCber@example.com"),
        ("A@example.com", "%41@example.com"),
        ("a%b@example.com", "a%25b@example.com"),
        ("a~b@example.com", "a%7Eb@example.com"),
    ],
)
def test_others_are_escaped(principal: str, name: str) -> None:
    assert directory_name(PrincipalId(principal)) == name
    assert principal_of(name) == principal


def test_long_names_fit_and_differ() -> None:
    one, two = (directory_name(PrincipalId("ü" * 64 + "@" + "x" * 200 + end)) for end in "ab")
    assert one != two
    assert len(one) < 255
    assert principal_of(one) is None


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)


@given(TEXTS, TEXTS)
def test_names_are_safe_and_differ(one: str, two: str) -> None:
    """Also where letter case does not count."""
    name = directory_name(PrincipalId(one))
    assert "/" not in name
    assert "\0" not in name
    assert not name.startswith(".")
    assert len(name) <= 255
    assert principal_of(name) in (None, one)
    if one != two:
        assert name.lower() != directory_name(PrincipalId(two)).lower()
