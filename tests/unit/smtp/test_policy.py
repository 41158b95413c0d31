"""Who may send as whom."""

import pytest

from tests.fakes.submission import ALICE
from trekd.errors import NotOwner
from trekd.smtp.policy import check_authors, check_reverse_path, owns
from trekd.values import Address


@pytest.mark.parametrize(
    ("local", "domain", "owned"),
    [
        ("alice", "example.com", True),
        ("ALICE", "example.com", True),
        ("alice+tag", "example.com", True),
        ("al", "example.com", True),
        ("al+x", "example.com", True),
        ("team", "example.org", True),
        ("bob", "example.com", False),
        ("alice", "example.org", False),
        ("+alice", "example.com", False),
        ("alice@example.com", "evil.example", False),
    ],
)
def test_ownership(local: str, domain: str, owned: bool) -> None:
    assert owns(ALICE, Address(local, domain)) is owned


def test_the_null_path_is_everybodys() -> None:
    check_reverse_path(ALICE, None)


def test_the_error_names_the_address() -> None:
    with pytest.raises(NotOwner, match=r"bob@example\.com"):
        check_reverse_path(ALICE, Address("bob", "example.com"))
    with pytest.raises(NotOwner, match=r"bob@example\.com"):
        check_authors(ALICE, [ALICE.address, Address("bob", "example.com")])
