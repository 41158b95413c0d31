"""
Verifying the signatures of a message that came in (RFC 6376 §6, RFC 8301, RFC 8463).

A message has few signatures that are looked at, their keys are asked for at the same time, and its body is read once
for all of them, and only when a key asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from trekd.dns.interfaces import IResolver
from trekd.errors import NameServiceDown, SyntaxFault
from trekd.mailauth.digests import AT_ONCE, Bodies, BodyDigest, InThread, read_header
from trekd.mailauth.keyrecords import LEAST_BITS, MOST_BITS, KeyRecord, PublicKey, is_signed, parse_key_record
from trekd.mailauth.signatures import NAME, Field, Signature, parse_signature, signed_octets
from trekd.mime.header import raw_fields
from trekd.store.interfaces import IMessageSource

log = Logger()

MOST_SIGNATURES = 8
"""Signatures of one message that are looked at, from the top (RFC 6376 §8.4)."""

MOST_RECORDS = 4
"""Records of one key's name that are looked at (RFC 6376 §3.6.2.2: there should be one)."""

_KINDS = {"rsa-sha256": "rsa", "ed25519-sha256": "ed25519"}


@dataclass(frozen=True, slots=True)
class Finding:
    """
    What is known of one signature.

    @ivar result: of RFC 8601 §2.7.1, such as C{pass}.
    @ivar reason: why, unless it passed.
    @ivar signature: C{None} when it cannot be read.
    """

    result: str
    reason: str = ""
    signature: Signature | None = None


class _NotGood(Exception):
    """A signature has its result early."""

    def __init__(self, result: str, reason: str) -> None:
        super().__init__(result, reason)
        self.result = result
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A signature whose key is there."""

    own: Field
    signature: Signature
    record: KeyRecord
    key: PublicKey
    digest: BodyDigest


class SignatureCheck:
    """
    Verifies messages.

    @param in_thread: calls a function in a thread.
    """

    def __init__(self, in_thread: InThread) -> None:
        self._in_thread = in_thread

    async def findings(self, message: IMessageSource, resolver: IResolver, now: float) -> tuple[Finding, ...]:
        """
        What each signature is worth, from the top.

        @param now: Unix seconds.
        @raise StoreFull: the message cannot be read.
        @raise StoreCorrupt: likewise.
        """
        header, start = await read_header(message)
        fields = list(raw_fields(header))
        own = [field for field in fields if field[0] == NAME][:MOST_SIGNATURES]
        found = await gatherResults(
            [Deferred.fromCoroutine(_candidate(field, resolver, now)) for field in own]
        )
        candidates = [each for each in found if isinstance(each, _Candidate)]
        if candidates:
            digests = _shared([(each.signature, each.digest) for each in candidates])
            await Bodies(digests["relaxed"], digests["simple"]).read(message, start, self._in_thread)
        if len(header) <= AT_ONCE:
            return _verdicts(found, fields)
        verdicts: tuple[Finding, ...] = await self._in_thread(_verdicts, found, fields)
        return verdicts


def _shared(wanted: Sequence[tuple[Signature, BodyDigest]]) -> dict[str, list[BodyDigest]]:
    """The digests by the form of the body they are made of."""
    digests: dict[str, list[BodyDigest]] = {"relaxed": [], "simple": []}
    for signature, digest in wanted:
        digests[signature.body_form].append(digest)
    return digests


async def _candidate(own: Field, resolver: IResolver, now: float) -> _Candidate | Finding:
    signature: Signature | None = None
    try:
        signature = _readable(own[1])
        _check_signature(signature, now)
        record = await _record(signature, resolver)
        key = _usable_key(signature, record)
    except _NotGood as early:
        return Finding(early.result, early.reason, signature)
    except Exception:
        log.failure("a signature cannot be verified")
        return Finding("temperror", "internal error", signature)
    return _Candidate(own, signature, record, key, BodyDigest(signature.length))


def _readable(raw: bytes) -> Signature:
    try:
        return parse_signature(raw)
    except SyntaxFault as fault:
        raise _NotGood("neutral", f"bad signature, expected {fault.rule}") from None


def _check_signature(signature: Signature, now: float) -> None:
    """What can be said of a signature without its key (RFC 6376 §6.1.1)."""
    if signature.algorithm not in _KINDS:
        # RFC 8301 §3.1: rsa-sha1 is no signature any more.
        raise _NotGood("policy", "algorithm not accepted")
    if signature.expires is not None and signature.expires < now:
        raise _NotGood("fail", "signature expired")


async def _record(signature: Signature, resolver: IResolver) -> KeyRecord:
    """The key record (RFC 6376 §6.1.2)."""
    try:
        answer = await resolver.texts(signature.record)
    except NameServiceDown:
        raise _NotGood("temperror", "no answer for the key") from None
    if not answer.records:
        raise _NotGood("permerror", "no key")
    rule = ""
    for text in answer.records[:MOST_RECORDS]:
        try:
            return parse_key_record(text)
        except SyntaxFault as fault:
            rule = rule or fault.rule
    raise _NotGood("permerror", f"bad key record, expected {rule}")


def _usable_key(signature: Signature, record: KeyRecord) -> PublicKey:
    """The key, if this signature may be made with it (RFC 6376 §6.1.2)."""
    if record.algorithm != _KINDS[signature.algorithm]:
        raise _NotGood("permerror", "key of another algorithm")
    if record.key is None:
        raise _NotGood("permerror", "key revoked")
    if record.hashes and "sha256" not in record.hashes:
        raise _NotGood("permerror", "key for other hashes")
    if not record.is_for_mail:
        raise _NotGood("permerror", "key not for mail")
    if record.is_strict and signature.identity != signature.domain:
        raise _NotGood("permerror", "key not for subdomains")
    bits = getattr(record.key, "key_size", LEAST_BITS)
    if not LEAST_BITS <= bits <= MOST_BITS:
        raise _NotGood("policy", f"key of {bits} bits not accepted")
    return record.key


def _verdicts(found: Sequence[_Candidate | Finding], fields: Sequence[Field]) -> tuple[Finding, ...]:
    return tuple([_verdict(each, fields) if isinstance(each, _Candidate) else each for each in found])


def _verdict(candidate: _Candidate, fields: Sequence[Field]) -> Finding:
    """
    Compare digest and signature (RFC 6376 §6.1.3).

    A signature that leaves the end of the body out vouches for nothing that a reader sees there: it is not
    accepted (RFC 6376 §8.2).  Deviates from RFC 6376 §3.6.1: a good signature counts although its key is marked as
    being tested, as it does elsewhere; a bad one is as if it were not there.
    """
    signature, digest = candidate.signature, candidate.digest
    bad = "neutral" if candidate.record.is_testing else "fail"
    if digest.limit is not None and digest.size < digest.limit:
        return Finding("permerror", "body shorter than signed", signature)
    if digest.digest() != signature.digest:
        return Finding(bad, "body changed", signature)
    others = [field for field in fields if field is not candidate.own]
    octets = signed_octets(candidate.own[1], others, signature.names, signature.header_form)
    if not is_signed(candidate.key, signature.signature, octets):
        return Finding(bad, "header changed", signature)
    if digest.limit is not None and digest.size > digest.limit:
        return Finding("policy", "only part of the body signed", signature)
    return Finding("pass", "", signature)
