"""Writers of paths and xtext are the mirrors of their readers."""

import pytest

from trekd.errors import SyntaxFault
from trekd.smtp.grammar.paths import (
    POSTMASTER,
    forward_path,
    mailbox,
    reverse_path,
    write_mailbox,
    write_path,
    write_xtext,
    xtext,
)
from trekd.values import Address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("a.b@example.com", Address("a.b", "example.com")),
        ('"a b"@example.com', Address("a b", "example.com")),
        ('"a\\"b\\\\"@example.com', Address('a"b\\', "example.com")),
        ('"a..b"@example.com', Address("a..b", "example.com")),
        ("a@[192.0.2.1]", Address("a", "[192.0.2.1]")),
        ("jürgen@bücher.example", Address("jürgen", "bücher.example")),
    ],
)
def test_an_address_is_written_as_it_is_read(text: str, address: Address) -> None:
    assert mailbox(text) == address
    assert write_mailbox(address) == text


def test_the_null_path_and_the_postmaster() -> None:
    assert reverse_path("<> SIZE=1") == (None, " SIZE=1")
    assert write_path(None) == "<>"
    assert forward_path("<PostMaster>") == (POSTMASTER, "")
    assert write_path(POSTMASTER) == "<postmaster>"


def test_text_is_put_in_one_unicode_form() -> None:
    """RFC 6531 §3.1: both spellings of the same letter are one address."""
    assert mailbox("ju\u0308rgen@EXAMPLE.com") == Address("j\u00fcrgen", "example.com")


@pytest.mark.parametrize("text", ["a\u200bb@x", "a@x\u200b", "a@b\u00a0c", "a@\u202ex"])
def test_invisible_characters_are_refused(text: str) -> None:
    with pytest.raises(SyntaxFault):
        mailbox(text)


def test_xtext() -> None:
    """RFC 3461 §4."""
    assert xtext("a+2Bb+20c") == "a+b c"
    assert write_xtext("a+b c=") == "a+2Bb+20c+3D"
    for bad in ("a+2bb", "a b", "a=b", "+0D+0A", "+FF"):
        with pytest.raises(SyntaxFault):
            xtext(bad)
