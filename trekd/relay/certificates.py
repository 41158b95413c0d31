"""
Whether the certificates that a server shows satisfy a demand: TLSA records, or public authorities and names.

Asked after the handshake, of the chain as it was shown.  What a stranger puts into a certificate never raises.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from ssl import get_default_verify_paths

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import crypto

from trekd.dns.interfaces import TLSA
from trekd.relay.interfaces import Demand, Security, TLSResult
from trekd.relay.spki import public_key

MAX_CHAIN = 16
"""Certificates of a chain that are looked at."""

_ANCHOR, _OWN = 2, 3
"""Certificate usages DANE-TA and DANE-EE (RFC 7671 §5.1, §5.2)."""

_EXPIRY = {9, 10}
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""

_DIGESTS = {1: ("sha256", 32), 2: ("sha512", 64)}


def public_authorities(trusted: str = "") -> crypto.X509Store:
    """
    The authorities that this host trusts; a store of its own, since that of a context dies with the context.

    @param trusted: a file of certificates, PEM, in place of the system's.
    @raise ValueError: it holds none.
    """
    store, paths = crypto.X509Store(), get_default_verify_paths()
    if trusted:
        try:
            store.load_locations(trusted)
        except crypto.Error:
            raise ValueError(trusted) from None
    elif paths.cafile or paths.capath:
        store.load_locations(paths.cafile, paths.capath)
    return store


def is_usable(record: TLSA) -> bool:
    """
    Whether a TLSA record can be used for SMTP: usages of public authorities cannot (RFC 7672 §3.1.3), nor can what
    nobody has defined.
    """
    if record.usage not in (_ANCHOR, _OWN) or record.selector not in (0, 1):
        return False
    if record.matching == 0:
        return bool(record.association)
    return record.matching in _DIGESTS and len(record.association) == _DIGESTS[record.matching][1]


def verdict(demand: Demand, chain: Sequence[bytes], authorities: crypto.X509Store) -> TLSResult:
    """
    Whether a chain satisfies a demand; with nothing demanded any does.  TLSA records go before authorities.

    @param chain: DER, the server's own certificate first.
    """
    if demand.security is not Security.VERIFIED and not demand.records and not demand.testing:
        return TLSResult.SUCCESS
    chain = chain[:MAX_CHAIN]
    try:
        own = x509.load_der_x509_certificate(chain[0])
        if demand.records:
            return _by_records(demand, own, chain)
        if not demand.names:
            return TLSResult.HOST_MISMATCH
        found = _anchored(chain, authorities)
        return found if found is not TLSResult.SUCCESS else _named(own, demand.names, subject_counts=False)
    except (ValueError, IndexError, crypto.Error, x509.InvalidVersion, x509.ExtensionNotFound):
        return TLSResult.FAILED


def _by_records(demand: Demand, own: x509.Certificate, chain: Sequence[bytes]) -> TLSResult:
    """The best that any record gives (RFC 7672 §3.1)."""
    if any(record.usage == _OWN and _matches(record, chain[0]) for record in demand.records):
        # Neither names nor dates count: the record says both (RFC 7671 §5.1).
        return TLSResult.SUCCESS
    anchors = _anchors(demand.records, chain)
    if not anchors:
        return TLSResult.FAILED
    store = crypto.X509Store()
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
    for each in anchors:
        store.add_cert(crypto.load_certificate(crypto.FILETYPE_ASN1, each))
    found = _anchored(chain, store)
    return found if found is not TLSResult.SUCCESS else _named(own, demand.names, subject_counts=True)


def _anchors(records: Sequence[TLSA], chain: Sequence[bytes]) -> list[bytes]:
    """
    The certificates that DANE-TA records mean: those above the server's own, which it must send (RFC 7672 §3.1.2), or
    one that stands in a record as a whole.
    """
    anchors = [record for record in records if record.usage == _ANCHOR]
    found = [each for each in chain[1:] if any(_matches(record, each) for record in anchors)]
    whole = [record.association for record in anchors if (record.selector, record.matching) == (0, 0)]
    for octets in whole:
        try:
            x509.load_der_x509_certificate(octets)
        except ValueError:
            continue
        found.append(octets)
    return found


def _matches(record: TLSA, certificate: bytes) -> bool:
    """RFC 6698 §2.1.2, §2.1.3."""
    try:
        octets = certificate if record.selector == 0 else public_key(certificate)
    except ValueError:
        return False
    if record.matching:
        octets = hashlib.new(_DIGESTS[record.matching][0], octets).digest()
    return octets == record.association


def _anchored(chain: Sequence[bytes], store: crypto.X509Store) -> TLSResult:
    """Whether the chain leads to an authority, is in force and meant for a server."""
    own, *others = (crypto.load_certificate(crypto.FILETYPE_ASN1, each) for each in chain)
    try:
        crypto.X509StoreContext(store, own, others).verify_certificate()
    except crypto.X509StoreContextError as error:
        code = error.errors[0] if getattr(error, "errors", None) else 0
        return TLSResult.EXPIRED if code in _EXPIRY else TLSResult.NOT_TRUSTED
    return TLSResult.SUCCESS if _is_for_servers(own.to_cryptography()) else TLSResult.NOT_TRUSTED


def _is_for_servers(certificate: x509.Certificate) -> bool:
    """RFC 5280 §4.2.1.12: without the extension a key is for everything."""
    try:
        uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return any(use in (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE) for use in uses)


def _named(certificate: x509.Certificate, names: Sequence[str], subject_counts: bool) -> TLSResult:
    """
    Whether a certificate carries one of the names.

    @param subject_counts: a certificate without DNS names may carry it in its subject (RFC 7672 §3.2.3); MTA-STS
        does not allow that (RFC 8461 §4.2).
    """
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        presented = extension.value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        presented = []
    if not presented and subject_counts:
        attributes = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        presented = [str(each.value) for each in attributes]
    if any(name_matches(pattern, name) for pattern in presented for name in names):
        return TLSResult.SUCCESS
    return TLSResult.HOST_MISMATCH


def name_matches(pattern: str, name: str) -> bool:
    """
    Whether a name is meant; C{*} stands for the whole leftmost label and nothing else (RFC 8461 §4.1).

    @param name: A-labels, lower case.
    """
    pattern = pattern.lower().removesuffix(".")
    if pattern.startswith("*."):
        label, dot, parent = name.partition(".")
        return bool(label and dot) and "." in parent and parent == pattern[2:]
    return pattern == name
