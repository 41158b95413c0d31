"""L{trekd.dav.paths}: URL paths to segments and back."""

from __future__ import annotations

import pytest

from trekd.dav.paths import Location, read_path, read_reference
from trekd.errors import SyntaxFault


@pytest.mark.parametrize("address", [b"alice@example.com", b"alice%40example.com", b"%61lice%40example%2ecom"])
def test_every_form_of_an_address_is_read_and_one_is_written(address: bytes) -> None:
    location = read_path(b"/dav/files/" + address + b"/x")
    assert location == Location(("files", "alice@example.com", "x"))
    assert location.path(False) == b"/dav/files/alice@example.com/x"
    assert location.path(True) == b"/dav/files/alice@example.com/x/"


@pytest.mark.parametrize(
    "path",
    [
        b"/dav/files/../x",
        b"/dav/./x",
        b"/dav/%2e%2e/x",
        b"/dav/files/a%2f..%2fb",
        b"/dav/files/..%5cb",
        b"/dav/files/%00",
        b"/dav/files/a%0ab",
        b"/dav/files/%ff",
        b"/dav/" + b"x" * 256,
        b"/dav/" + b"x/" * 4000,
    ],
)
def test_paths_that_climb_or_break_are_refused(path: bytes) -> None:
    with pytest.raises(SyntaxFault):
        read_path(path)


@pytest.mark.parametrize("name", ["a b", "100%", "ä/ö?#", "a&b<c>", "urn:uuid:1", "..."])
def test_any_other_name_comes_back(name: str) -> None:
    location = Location(("files", name))
    assert read_path(location.path(False)) == location


@pytest.mark.parametrize(
    ("reference", "is_ours"),
    [
        ("/dav/x", True),
        ("https://mail.example.com/dav/x", True),
        ("https://mail.example.com:443/dav/x", True),
        ("HTTPS://MAIL.example.com/dav/x", True),
        ("https://other.example/dav/x", False),
        ("ftp://mail.example.com/dav/x", False),
        ("/elsewhere", False),
    ],
)
def test_references_lead_here_or_elsewhere(reference: str, is_ours: bool) -> None:
    """RFC 4918 §8.3."""
    assert (read_reference(reference, "mail.example.com") is not None) == is_ours


@pytest.mark.parametrize("reference", ["", "x", "dav/x", "https://[::1", "/dav/x#y", "/dav/../x"])
def test_what_is_no_reference_is_refused(reference: str) -> None:
    with pytest.raises(SyntaxFault):
        read_reference(reference, "mail.example.com")
