"""
Questions to octets and octets to what they answer: the only place that reads what a name server sends.

A response is believed when identifier and question are those that were sent (RFC 5452 §9.1); of its records those
count that belong to the name asked for or to what that is an alias of.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from trekd.dns.labels import name_text, wire_name
from trekd.errors import SyntaxFault

PAYLOAD = 1232
"""Octets of an answer over UDP that no network on the way cuts in pieces (RFC 6891 §6.2.5)."""

MAX_RECORDS = 500
"""Records in one response; a mail host needs some dozens."""

MAX_ALIASES = 12
"""CNAME records from a name to its end (RFC 1034 §3.6.2 knows no number)."""

MAX_TTL = 86400
"""Seconds for which an answer is remembered at most."""

MAX_NEGATIVE_TTL = 10800
"""Seconds for which the lack of a record is remembered at most (RFC 2308 §5)."""

_HEADER = struct.Struct("!6H")
_RESPONSE = 0x8000


class Unhelpful(Exception):
    """
    A response to our question with no verdict in it: the next server may know more.

    @ivar reason: what it said, for the log.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Truncated(Exception):
    """The answer did not fit; ask again over TCP (RFC 7766 §5)."""


@dataclass(frozen=True, slots=True)
class Question:
    """
    What is asked of a name server.

    @ivar name: A-labels, lower case, no dot at the end; C{""} is the root.
    @ivar kind: type of the records, such as C{"MX"}.
    """

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Reading:
    """
    What a response says.

    @ivar records: those of the name's end, dnspython's, in the order received.
    @ivar exists: C{False} for NXDOMAIN.
    @ivar secure: the server says that it has validated all of it (RFC 4035 §3.2.3).
    @ivar ttl: seconds.
    @ivar octets: how much memory it is worth.
    @ivar onward: where the chain of aliases goes on when the server did not follow it, C{""} otherwise.
    """

    records: tuple[Any, ...]
    exists: bool
    secure: bool
    ttl: int
    octets: int
    onward: str = ""


def query(question: Question, identifier: int) -> bytes:
    """
    The octets of a question, recursion desired.  AD asks for the validator's word without the signatures
    (RFC 6840 §5.7).
    """
    message = dns.message.make_query(
        wire_name(question.name), question.kind, use_edns=0, payload=PAYLOAD, id=identifier
    )
    message.flags |= dns.flags.AD
    return message.to_wire()


def answers(octets: bytes, question: Question, identifier: int) -> bool:
    """Whether these octets can be the answer to a question: header and question section only."""
    if len(octets) < _HEADER.size:
        return False
    number, flags, questions, *_ = _HEADER.unpack_from(octets)
    if number != identifier or not flags & _RESPONSE or questions > 1:
        return False
    if questions == 0:
        # FORMERR and the like may come without (RFC 6891 §7); no verdict is read from such a response.
        return bool(flags & 0xF) and len(octets) == _HEADER.size
    expected = _question_octets(question)
    return octets[_HEADER.size : _HEADER.size + len(expected)].lower() == expected


def _question_octets(question: Question) -> bytes:
    kind = dns.rdatatype.from_text(question.kind)
    labels = wire_name(question.name).labels
    name = b"".join(bytes([len(label)]) + label for label in labels)
    return name + struct.pack("!2H", kind, dns.rdataclass.IN)


def read(octets: bytes, question: Question) -> Reading:
    """
    Read a response for which L{answers} holds.

    @raise Truncated: over UDP it did not fit.
    @raise Unhelpful: it holds no verdict.
    @raise SyntaxFault: it cannot be read, or is larger than anything we ask for.
    """
    _, flags, questions, *counts = _HEADER.unpack_from(octets)
    code = flags & 0xF
    if code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN) or questions != 1:
        raise Unhelpful(_code_name(code))
    if flags & dns.flags.TC:
        raise Truncated
    if sum(counts) > MAX_RECORDS:
        raise SyntaxFault("response of a reasonable size")
    try:
        message = dns.message.from_wire(octets, ignore_trailing=True)
        extended = message.rcode()
    except (dns.exception.DNSException, ValueError, struct.error):
        raise SyntaxFault("response") from None
    if extended != code or message.opcode() != dns.opcode.QUERY:
        raise Unhelpful(_code_name(extended))
    return _verdict(message, question, len(octets))


def _code_name(code: int) -> str:
    """As people write it; some codes have no name yet."""
    try:
        return dns.rcode.Rcode(code).name
    except ValueError:
        return f"RCODE {code}"


def _verdict(message: dns.message.Message, question: Question, octets: int) -> Reading:
    kind = dns.rdatatype.from_text(question.kind)
    name, ttls = wire_name(question.name), [MAX_TTL]
    passed = {name}
    sections = {(each.name, each.rdtype): each for each in message.answer if each.rdclass == dns.rdataclass.IN}
    while kind != dns.rdatatype.CNAME and (alias := sections.get((name, dns.rdatatype.CNAME))):
        # A name with an alias has nothing else (RFC 2181 §10.1).
        name = alias[0].target
        ttls.append(_seconds(alias.ttl))
        if name in passed or len(passed) > MAX_ALIASES:
            raise Unhelpful("aliases without end")
        passed.add(name)
    found = sections.get((name, kind))
    secure = bool(message.flags & dns.flags.AD)
    exists = message.rcode() != dns.rcode.NXDOMAIN
    if found is not None:
        if not exists:
            raise Unhelpful("records of a name that does not exist")
        return Reading(tuple(found), True, secure, min(*ttls, _seconds(found.ttl)), octets)
    authority = [each for each in message.authority if each.rdtype == dns.rdatatype.SOA]
    if exists and len(passed) > 1 and not authority:
        return Reading((), True, secure, min(ttls), octets, name_text(name))
    return Reading((), exists, secure, min(*ttls, _negative(name, authority)), octets)


def _negative(name: dns.name.Name, authority: list[dns.rrset.RRset]) -> int:
    """How long to remember that there is nothing: by the zone's SOA, not at all without (RFC 2308 §5)."""
    for each in authority:
        if name.is_subdomain(each.name):
            return min(_seconds(each.ttl), _seconds(each[0].minimum), MAX_NEGATIVE_TTL)
    return 0


def _seconds(ttl: int) -> int:
    """A TTL with the highest bit set is 0 (RFC 2181 §8)."""
    return ttl if ttl < 2**31 else 0
