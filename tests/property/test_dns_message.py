"""L{trekd.dns.message}: whatever a name server sends, there is a verdict, or one of three errors."""

from __future__ import annotations

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.nameserver import Zone
from trekd.dns.message import (
    MAX_NEGATIVE_TTL,
    MAX_TTL,
    Question,
    Truncated,
    Unhelpful,
    answers,
    query,
    read,
)
from trekd.errors import SyntaxFault

ZONE = {
    "example.com": ["MX 10 mx.example.com.", 'TXT "text"', "AAAA 2001:db8::1", "SRV 0 0 1 a.example.", "TLSA 3 1 0 00"],
    "alias.example.com": ["CNAME example.com."],
}
QUESTIONS = [Question(name, kind) for name in (*ZONE, "none.example") for kind in ("MX", "TXT", "AAAA", "SRV", "TLSA")]
REPLIES = [Zone(ZONE).responses(query(question, 7), True)[0] for question in QUESTIONS]


def verdict(octets: bytes, question: Question) -> object:
    if not answers(octets, question, 7):
        return None
    try:
        return read(octets, question)
    except (Truncated, Unhelpful, SyntaxFault) as fault:
        return type(fault)


@given(st.integers(0, len(QUESTIONS) - 1), st.lists(st.tuples(st.integers(2, 400), st.integers(0, 255)), max_size=6))
def test_changed_octets(number: int, changes: list[tuple[int, int]]) -> None:
    octets = bytearray(REPLIES[number])
    for place, octet in changes:
        octets[place % len(octets)] = octet
    verdict(bytes(octets), QUESTIONS[number])


@given(st.integers(0, len(QUESTIONS) - 1), st.integers(0, 300), st.binary(max_size=200))
def test_another_end(number: int, cut: int, rest: bytes) -> None:
    verdict(REPLIES[number][:cut] + rest, QUESTIONS[number])


@given(st.binary(max_size=100))
def test_any_octets(octets: bytes) -> None:
    verdict(octets, QUESTIONS[0])
    verdict(b"\0\x07\x80\x00\0\x01" + octets, QUESTIONS[0])


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_times_are_bounded(ttl: int, minimum: int) -> None:
    """RFC 2181 §8, RFC 2308 §5."""
    octets = query(Question("a.example", "A"), 7)
    response = dns.message.make_response(dns.message.from_wire(octets))
    head = bytearray(response.to_wire())[: 12 + 15]
    head[7] = 1
    head[11] = 0
    record = b"\xc0\x0c\0\x01\0\x01" + ttl.to_bytes(4, "big") + b"\0\x04\x7f\0\0\x01"
    found = read(bytes(head) + record, Question("a.example", "A"))
    assert found.ttl == (min(ttl, MAX_TTL) if ttl < 2**31 else 0)
    head[7], head[9] = 0, 1
    numbers = bytes(16) + minimum.to_bytes(4, "big")
    soa = b"\xc0\x0e\0\x06\0\x01" + ttl.to_bytes(4, "big") + b"\0\x16\0\0" + numbers
    found = read(bytes(head) + soa, Question("a.example", "A"))
    expected = min(ttl if ttl < 2**31 else 0, minimum if minimum < 2**31 else 0, MAX_NEGATIVE_TTL)
    assert found.ttl == expected


@pytest.mark.parametrize("number", range(len(QUESTIONS)))
def test_the_unchanged_replies_are_read(number: int) -> None:
    found = verdict(REPLIES[number], QUESTIONS[number])
    assert found.exists is not (QUESTIONS[number].name == "none.example")  # type: ignore[attr-defined]


def test_a_question_asks_for_the_validators_word() -> None:
    """RFC 6840 §5.7: AD without DO; RFC 6891 §6.2.5."""
    asked = dns.message.from_wire(query(Question("example.com", "MX"), 515))
    assert (asked.id, asked.flags & 0x20, asked.ednsflags & 0x8000, asked.payload) == (515, 0x20, 0, 1232)
