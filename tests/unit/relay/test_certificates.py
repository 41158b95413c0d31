"""L{trekd.relay.certificates}: whose certificates satisfy a demand."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import crypto

from tests.fakes.authority import Issued, issue
from trekd.dns.interfaces import TLSA
from trekd.relay.certificates import is_usable, name_matches, public_authorities, verdict
from trekd.relay.interfaces import Demand, Policy, Security, TLSResult
from trekd.relay.spki import public_key

ROOT = issue(None, "Root", is_authority=True)
MIDDLE = issue(ROOT, "Middle", is_authority=True)
OTHER_ROOT = issue(None, "Other", is_authority=True)
SERVER = issue(MIDDLE, "mx.example.com", "*.mail.example.com")
EXPIRED = issue(MIDDLE, "mx.example.com", days=-1)
FOR_CLIENTS = issue(MIDDLE, "mx.example.com", uses=(ExtendedKeyUsageOID.CLIENT_AUTH,))
SUBJECT_ONLY = issue(MIDDLE, "mx.example.com", alternative=False)
LONE = issue(None, "anything")

HOST = ("mx.example.com",)


def store(*roots: Issued) -> crypto.X509Store:
    made = crypto.X509Store()
    for each in roots:
        made.add_cert(crypto.load_certificate(crypto.FILETYPE_ASN1, each.der))
    return made


def by_sts(chain: list[bytes], *names: str) -> TLSResult:
    return verdict(Demand(Security.VERIFIED, Policy.STS, names[0], names), chain, store(ROOT))


def by_dane(chain: list[Issued], *records: TLSA, names: tuple[str, ...] = HOST) -> TLSResult:
    demand = Demand(Security.DANE, Policy.TLSA, names[0], names, records)
    return verdict(demand, [each.der for each in chain], store())


def chain(*issued: Issued) -> list[bytes]:
    return [each.der for each in issued]


def test_nothing_demanded_is_satisfied_by_anybody() -> None:
    assert verdict(Demand(), [b"nonsense"], store()) is TLSResult.SUCCESS
    encrypted = Demand(Security.ENCRYPTED, Policy.TLSA, "mx.example.com")
    assert verdict(encrypted, chain(LONE), store()) is TLSResult.SUCCESS


@pytest.mark.parametrize(
    ("shown", "name", "result"),
    [
        (chain(SERVER, MIDDLE), "mx.example.com", TLSResult.SUCCESS),
        (chain(SERVER, MIDDLE), "a.mail.example.com", TLSResult.SUCCESS),
        (chain(SERVER, MIDDLE, OTHER_ROOT), "mx.example.com", TLSResult.SUCCESS),
        (chain(SERVER, MIDDLE), "mx2.example.com", TLSResult.HOST_MISMATCH),
        (chain(SERVER, MIDDLE), "a.b.mail.example.com", TLSResult.HOST_MISMATCH),
        (chain(SUBJECT_ONLY, MIDDLE), "mx.example.com", TLSResult.HOST_MISMATCH),
        (chain(SERVER), "mx.example.com", TLSResult.NOT_TRUSTED),
        (chain(LONE), "anything", TLSResult.NOT_TRUSTED),
        (chain(FOR_CLIENTS, MIDDLE), "mx.example.com", TLSResult.NOT_TRUSTED),
        (chain(EXPIRED, MIDDLE), "mx.example.com", TLSResult.EXPIRED),
        ([], "mx.example.com", TLSResult.FAILED),
        ([b"nonsense"], "mx.example.com", TLSResult.FAILED),
        ([SERVER.der, b"nonsense"], "mx.example.com", TLSResult.FAILED),
    ],
)
def test_public_authorities(shown: list[bytes], name: str, result: TLSResult) -> None:
    """RFC 8461 §4.2."""
    assert by_sts(shown, name) is result


def test_required_tls_is_verified_whatever_the_policy() -> None:
    """RFC 8689 §4.2.1."""
    for policy in (Policy.NONE, Policy.TLSA):
        demand = Demand(Security.VERIFIED, policy, "mx.example.com", HOST)
        assert verdict(demand, chain(LONE), store(ROOT)) is TLSResult.NOT_TRUSTED
        assert verdict(demand, chain(SERVER, MIDDLE), store(ROOT)) is TLSResult.SUCCESS


def test_an_exchanger_that_the_policy_does_not_name_is_a_mismatch() -> None:
    demand = Demand(Security.OPPORTUNISTIC, Policy.STS, "mx.example.com", (), testing=True)
    assert verdict(demand, chain(SERVER, MIDDLE), store(ROOT)) is TLSResult.HOST_MISMATCH


def own(issued: Issued, selector: int = 1, matching: int = 1, usage: int = 3) -> TLSA:
    octets = issued.der if selector == 0 else issued.spki
    digest = {0: octets, 1: hashlib.sha256(octets).digest(), 2: hashlib.sha512(octets).digest()}[matching]
    return TLSA(usage, selector, matching, digest)


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
def test_the_servers_own_certificate(selector: int, matching: int) -> None:
    """RFC 7671 §5.1: neither names nor dates count."""
    assert by_dane([LONE], own(LONE, selector, matching)) is TLSResult.SUCCESS
    assert by_dane([EXPIRED], own(EXPIRED, selector, matching)) is TLSResult.SUCCESS
    assert by_dane([LONE], own(SERVER, selector, matching)) is TLSResult.FAILED
    assert by_dane([LONE], own(SERVER, selector, matching), own(LONE, selector, matching)) is TLSResult.SUCCESS


@pytest.mark.parametrize("selector", [0, 1])
def test_a_trust_anchor(selector: int) -> None:
    """RFC 7672 §3.1.2, §3.2.2: names and dates count."""
    for anchor in (MIDDLE, ROOT):
        record = own(anchor, selector, usage=2)
        assert by_dane([SERVER, MIDDLE, ROOT], record) is TLSResult.SUCCESS
        assert by_dane([EXPIRED, MIDDLE, ROOT], record) is TLSResult.EXPIRED
        assert by_dane([SERVER, MIDDLE, ROOT], record, names=("mx.example.net",)) is TLSResult.HOST_MISMATCH
        assert by_dane([SERVER, MIDDLE, ROOT], record, names=("mx.example.net", *HOST)) is TLSResult.SUCCESS
        assert by_dane([SUBJECT_ONLY, MIDDLE, ROOT], record) is TLSResult.SUCCESS
    assert by_dane([SERVER, MIDDLE], own(ROOT, selector, usage=2)) is TLSResult.FAILED


def test_an_anchor_that_signed_nothing_of_it() -> None:
    """Shown beside a chain that it has no part in."""
    assert by_dane([LONE, ROOT], own(ROOT, usage=2)) is TLSResult.NOT_TRUSTED
    assert by_dane([LONE], own(LONE, usage=2)) is TLSResult.FAILED


def test_an_anchor_that_stands_in_the_record_need_not_be_sent() -> None:
    assert by_dane([SERVER, MIDDLE], own(ROOT, 0, 0, usage=2)) is TLSResult.SUCCESS
    assert by_dane([SERVER, MIDDLE], TLSA(2, 0, 0, b"nonsense")) is TLSResult.FAILED


@pytest.mark.parametrize(
    ("record", "usable"),
    [
        (TLSA(3, 1, 1, bytes(32)), True),
        (TLSA(2, 0, 2, bytes(64)), True),
        (TLSA(3, 1, 0, b"key"), True),
        (TLSA(0, 1, 1, bytes(32)), False),
        (TLSA(1, 1, 1, bytes(32)), False),
        (TLSA(3, 2, 1, bytes(32)), False),
        (TLSA(3, 1, 3, bytes(32)), False),
        (TLSA(3, 1, 1, bytes(31)), False),
        (TLSA(3, 1, 0, b""), False),
    ],
)
def test_which_records_can_be_used(record: TLSA, usable: bool) -> None:
    """RFC 7672 §3.1.3."""
    assert is_usable(record) is usable


def test_the_key_is_what_stands_in_the_certificate() -> None:
    for each in (ROOT, SERVER, LONE):
        assert public_key(each.der) == each.spki


@given(st.integers(0, 700), st.integers(0, 700), st.binary(max_size=8))
def test_a_strangers_octets_never_raise(start: int, length: int, inserted: bytes) -> None:
    octets = SERVER.der[:start] + inserted + SERVER.der[start + length :]
    try:
        public_key(octets)
    except ValueError:
        pass
    assert by_sts([octets, MIDDLE.der], "mx.example.com") in TLSResult
    demand = Demand(Security.DANE, Policy.TLSA, "a", HOST, (own(MIDDLE, usage=2), own(LONE)))
    assert verdict(demand, [octets, MIDDLE.der], store()) in TLSResult


def test_wildcards_stand_for_one_label() -> None:
    """RFC 8461 §4.1."""
    assert name_matches("*.Example.com", "mx.example.com")
    assert not name_matches("*.example.com", "a.mx.example.com")
    assert not name_matches("*.example.com", "example.com")
    assert not name_matches("*.com", "example.com")
    assert not name_matches("*", "example")
    assert name_matches("mx.example.com.", "mx.example.com")


def test_this_hosts_authorities_can_be_asked() -> None:
    demand = Demand(Security.VERIFIED, Policy.STS, "mx.example.com", HOST)
    assert verdict(demand, chain(SERVER, MIDDLE), public_authorities()) is TLSResult.NOT_TRUSTED
