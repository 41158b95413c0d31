"""
Base subjects (RFC 5256 §2.1) and first addresses (RFC 5957 §3).
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trekd.mime.fold import fold
from trekd.mime.scanner import scan
from trekd.mime.sorting import address_key, base_subject


@pytest.mark.parametrize(
    ("subject", "base"),
    [
        ("", ""),
        ("pears", "pears"),
        ("Re: pears", "pears"),
        ("RE : Fw: fwd:pears", "pears"),
        ("re[2]: pears", "pears"),
        ("Re [list] : pears", "pears"),
        ("[list] Re: [other] pears", "pears"),
        ("[a] [b] pears", "pears"),
        ("[a] [b]", "[b]"),
        ("[only]", "[only]"),
        ("Re: [only]", "[only]"),
        ("pears (fwd)  (FWD) ", "pears"),
        ("[Fwd: pears]", "pears"),
        ("[fwd: [Fwd: Re: pears (fwd)]]", "pears"),
        ("[Fwd: pears] (fwd)", "pears"),
        ("[Fwd: pears", "[Fwd: pears"),
        ("Re: Fwd:", ""),
        ("(fwd)", ""),
        ("[Fwd:]", ""),
        ("Reply: pears", "Reply: pears"),
        ("[a[b] pears", "[a[b] pears"),
        ("a\t b   c", "a b c"),
        ("Re: Ärger", "Ärger"),
    ],
)
def test_base_subject(subject: str, base: str) -> None:
    assert base_subject(fold(subject)) == fold(base)


@given(
    st.lists(st.sampled_from(["re", "RE:", "fwd", ":", "[", "]", "[x]", "(fwd)", "[fwd:", " ", "a"]), max_size=30).map(
        "".join
    )
)
def test_base_of_a_base_is_the_base(subject: str) -> None:
    """RFC 5256 §2.1 (5): until nothing more can be removed."""
    base = base_subject(fold(subject))
    assert base_subject(base) == base
    assert base in " ".join(fold(subject).split())


@pytest.mark.parametrize("piece", ["re:", "[a]", "[a] re:", "(fwd)", "[fwd:", "[", "re [", "re  ", "[]re", " "])
def test_long_subjects_take_no_time(piece: str) -> None:
    """Untrusted and up to 64 Ki characters; a square of that would not end."""
    base_subject(fold(piece) * (65536 // len(piece)))
    base_subject(fold(piece) * (65000 // len(piece)) + "]")


def key(fields: str, field: str = "from", display: bool = False) -> str:
    return address_key(scan(f"{fields}\r\n\r\n".encode()).envelope, field, display)


def test_the_local_part_of_the_first_address() -> None:
    """RFC 5256 §3: addr-mailbox."""
    fields = 'Subject: x "y" (z\r\nFrom: Ann <ann@example.com>, b@example.com\r\nTo: t1@x.example, t2@x\r\nCc: C@x'
    assert key(fields) == "ANN"
    assert key(fields, "to") == "T1"
    assert key(fields, "cc") == "C"
    assert key(f"From: {chr(228)}@example.com") == fold("ä")


def test_without_an_address() -> None:
    """The empty string."""
    assert key("Subject: x") == key("To: a@b", "cc") == key("X: y", "to", display=True) == ""


def test_the_name_that_is_shown() -> None:
    """RFC 5957 §3: the decoded name, else the address, else the local part."""
    assert key("From: =?utf-8?q?=C3=84nne?= <zed@example.com>", display=True) == fold("Änne")
    assert key('From: "A \\"quoted\\" \\\\ name" <zed@example.com>', display=True) == 'A "QUOTED" \\ NAME'
    assert key("From: zed@example.com", display=True) == "ZED@EXAMPLE.COM"
    assert key("From: friends: a@x.example, b@x.example;", display=True) == "FRIENDS"


def test_long_names_are_literals() -> None:
    """They are as good as others."""
    name = "n" * 1500
    assert key(f"From: {name} <z@example.com>\r\nTo: t@example.com", "from", display=True) == name.upper()
    assert key(f"Subject: {name}\r\nFrom: {name} <z@example.com>\r\nTo: t@example.com", "to") == "T"
