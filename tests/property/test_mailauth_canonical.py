"""Canonical bodies and headers: the same however the octets are cut, and the same as dkimpy's."""

from __future__ import annotations

from dkim.canonicalization import CanonicalizationPolicy
from hypothesis import example, given
from hypothesis import strategies as st

from trekd.mailauth.canonical import RelaxedBody, SimpleBody, relaxed_field

LINES = st.lists(st.sampled_from([b"\r\n", b"a", b"bc", b" ", b"\t", b"  ", b" \r\n", b".", b"\xff"]), max_size=40)
ANY = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b" ", b"\t"]), max_size=40)

_DKIMPY = {
    SimpleBody: CanonicalizationPolicy.from_c_value(b"simple/simple"),
    RelaxedBody: CanonicalizationPolicy.from_c_value(b"relaxed/relaxed"),
}


def canonical(form: type[SimpleBody | RelaxedBody], *pieces: bytes) -> bytes:
    body = form()
    return b"".join([piece for octets in pieces for piece in body.feed(octets)] + list(body.finish()))


@given(LINES)
@example([b" \r\n", b"\r\n"])
@example([])
@example([b"\r\n"])
def test_bodies_are_as_dkimpy_says(parts: list[bytes]) -> None:
    """RFC 6376 §3.4.3, §3.4.4."""
    body = b"".join(parts)
    if body.endswith((b" ", b"\t")):
        body += b"\r\n"  # dkimpy keeps white space at the end of a line without end
    for form, policy in _DKIMPY.items():
        assert canonical(form, body) == policy.canonicalize_body(body)


def test_a_last_line_without_end_is_a_line() -> None:
    """The line end that a relay adds to it changes nothing."""
    assert canonical(RelaxedBody, b"a \t") == canonical(RelaxedBody, b"a \t\r\n") == b"a\r\n"
    assert canonical(SimpleBody, b"a") == canonical(SimpleBody, b"a\r\n") == b"a\r\n"


@given(LINES | ANY)
@example([b"\r", b"\r\n", b" ", b"\r", b"x"])
def test_bodies_are_the_same_however_they_are_cut(parts: list[bytes]) -> None:
    body = b"".join(parts)
    for form in _DKIMPY:
        whole = canonical(form, body)
        for cut in range(len(body)):
            assert canonical(form, body[:cut], body[cut:]) == whole
        assert canonical(form, *[body[at : at + 1] for at in range(len(body))]) == whole


@given(LINES | ANY)
def test_the_relaxed_form_is_its_own(parts: list[bytes]) -> None:
    once = canonical(RelaxedBody, b"".join(parts))
    assert canonical(RelaxedBody, once) == once


def test_lines_without_end_cost_no_memory() -> None:
    for form in _DKIMPY:
        body = form()
        assert sum(len(piece) for _ in range(200) for piece in body.feed(b"\r\n" * 10_000)) == 0
        given_back = list(body.feed(b"x"))
        assert sum(map(len, given_back)) == 4_000_001
        assert max(map(len, given_back)) <= 65536


@given(st.lists(st.sampled_from([b" ", b"\t", b"\r\n ", b"\r\n\t", b"a", b"B:", b"\xc3\xbc"]), max_size=20))
def test_fields_are_as_dkimpy_says(parts: list[bytes]) -> None:
    """RFC 6376 §3.4.2."""
    value = b"".join(parts)
    policy = _DKIMPY[RelaxedBody]
    [(name, canonical_value)] = policy.canonicalize_headers([(b"SubJect ", value + b"\r\n")])
    ours = relaxed_field(b"SubJect :" + value + b"\r\n")
    assert ours == name.strip() + b":" + canonical_value
