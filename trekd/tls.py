"""
TLS: versions, ciphers, certificates by name, reload (STYLE §7).

Every room that serves TLS is handed one L{ServerTLS}: as the context factory of an implicit-TLS listener and for
C{transport.startTLS}.  A reload changes what new handshakes use; connections that stand keep what they have.
Whoever connects to other servers is handed a L{ClientTLS}.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import idna
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import pkcs7
from OpenSSL import SSL
from service_identity import CertificateError, VerificationError
from service_identity.pyopenssl import verify_hostname, verify_ip_address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from twisted.logger import Logger
from zope.interface import implementer

from trekd.config.schema import SNIConfig, TLSConfig
from trekd.errors import ConfigFault
from trekd.relay.interfaces import IClientTLS, ITLSCheck

_log = Logger()

VERIFY_FAULTS = {
    2: "the issuer's certificate is missing",
    7: "its signature is wrong",
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    18: "a self-signed certificate",
    19: "a self-signed certificate in its chain",
    20: "the issuer's certificate is not known here",
    21: "the first certificate cannot be verified",
    23: "the certificate was revoked",
    24: "a certificate of the chain is no authority's",
    26: "the certificate is not meant for servers",
    66: "its key is too weak",
    68: "its signature algorithm is too weak",
}
"""What OpenSSL finds wrong with a certificate, by X509_V_ERR_ number."""

CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!eNULL"
"""TLS 1.2 suites: forward secrecy and authenticated encryption only (RFC 9325 §4.2); TLS 1.3 has no others."""

_CURES = {
    errno.EACCES: "; let the daemon's user read it: chgrp trekmail FILE and chmod 640 FILE, and its directory too",
    errno.ENOENT: "; \"trekctl certificate self-signed --folder DIR\" makes a pair to start with",
}
"""What to do about a file that cannot be read."""

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_MINIMUM = {"TLSv1.2": SSL.TLS1_2_VERSION, "TLSv1.3": SSL.TLS1_3_VERSION}
_OPTIONS = (
    SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE | SSL.OP_SINGLE_ECDH_USE
)


@dataclass(frozen=True, slots=True)
class _Certificates:
    """All contexts of one load: the default one, by exact name, and by C{*.} name without its star."""

    default: SSL.Context
    exact: Mapping[str, SSL.Context]
    wildcard: Mapping[str, SSL.Context]

    def for_name(self, name: str) -> SSL.Context:
        """The context for a host name that a client asked for (RFC 6066 §3)."""
        name = name.lower().rstrip(".")
        _, dot, parent = name.partition(".")
        return self.exact.get(name) or self.wildcard.get(dot + parent) or self.default


def _read(path: str, key: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise ConfigFault(f"[tls] {key} = {path!r}: {_reason(error)}") from None


def _reason(error: OSError) -> str:
    return f"{error.strerror}{_CURES.get(error.errno or 0, '')}"


def _not_after(chain: bytes) -> datetime:
    certificate = x509.load_pem_x509_certificate(chain)
    if hasattr(certificate, "not_valid_after_utc"):
        return certificate.not_valid_after_utc
    return certificate.not_valid_after.replace(tzinfo=UTC)  # cryptography 38 of Debian 12


def _context(certificate: str, key: str, minimum: int) -> SSL.Context:
    """
    Make one context.

    @raise ConfigFault: a file is missing, unreadable, no PEM, or the two do not belong together.
    """
    chain = _read(certificate, "certificate")
    _read(key, "key")
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(minimum)
    context.set_cipher_list(CIPHERS)
    context.set_options(_OPTIONS)
    # Idle connections hold no record buffers: about 32 KB less for each of them.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    try:
        context.use_certificate_chain_file(certificate)
    except SSL.Error:
        raise ConfigFault(f"[tls] certificate = {certificate!r}: holds no PEM certificate chain") from None
    try:
        context.use_privatekey_file(key)
    except SSL.Error:
        raise ConfigFault(
            f"[tls] key = {key!r}: holds no PEM private key that belongs to {certificate!r}"
        ) from None
    expires = _not_after(chain)
    if expires < datetime.now(UTC):
        _log.warn(
            "certificate {path} expired on {expires}, programs refuse it; renew it, the new file is read by itself",
            path=certificate,
            expires=f"{expires:%Y-%m-%d}",
        )
    return context


def _signed(config: TLSConfig, octets: bytes) -> bytes:
    pems = _CERTIFICATE.findall(_read(config.certificate, "certificate"))
    chain = [x509.load_pem_x509_certificate(pem) for pem in pems]
    key = serialization.load_pem_private_key(_read(config.key, "key"), None)
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey):
        raise ValueError("the key is neither RSA nor ECDSA")
    builder = pkcs7.PKCS7SignatureBuilder().set_data(octets).add_signer(chain[0], key, hashes.SHA256())
    for authority in chain[1:]:
        builder = builder.add_certificate(authority)
    return builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """
    The server's side of every TLS connection.

    @raise ConfigFault: from the constructor, for files that cannot be used.
    """

    def __init__(self, config: TLSConfig) -> None:
        self._config = config
        self._stamps = self._stamp(config)
        self._certificates = self._load(config)

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """Make the TLS state of one connection (called by Twisted)."""
        return SSL.Connection(self._certificates.default, None)

    def reload(self, config: TLSConfig) -> None:
        """
        Read all files again.

        @raise ConfigFault: a file cannot be used; the certificates in use stay.
        """
        stamps = self._stamp(config)
        self._certificates = self._load(config)
        self._config, self._stamps = config, stamps

    def reload_if_changed(self) -> bool:
        """
        Read the files again when one of them is another than before.

        @return: whether there was a change.
        @raise ConfigFault: as L{reload}; the same change is then tried again next time.
        """
        if self._stamp(self._config) == self._stamps:
            return False
        self.reload(self._config)
        return True

    def sign(self, octets: bytes) -> bytes | None:
        """
        Sign as CMS SignedData (RFC 5652 §5), with the certificate that clients see who send no name; reads files.

        @return: DER with the octets inside; C{None} when key and certificate cannot be used so.
        """
        try:
            return _signed(self._config, octets)
        except (ConfigFault, ValueError, TypeError, UnsupportedAlgorithm) as error:
            _log.warn("profiles are not signed: {error}", error=error)
            return None

    def _load(self, config: TLSConfig) -> _Certificates:
        minimum = _MINIMUM[config.minimum]
        default = _context(config.certificate, config.key, minimum)
        exact: dict[str, SSL.Context] = {}
        wildcard: dict[str, SSL.Context] = {}
        for entry in config.sni:
            context = _context(entry.certificate, entry.key, minimum)
            for name in map(str.lower, entry.names):
                if name.startswith("*."):
                    wildcard[name[1:]] = context
                else:
                    exact[name] = context
        certificates = _Certificates(default, exact, wildcard)
        # TLS starts with the default context, so only that one is asked for the name.
        default.set_tlsext_servername_callback(_choose(certificates))
        return certificates

    @staticmethod
    def _stamp(config: TLSConfig) -> tuple[tuple[int, int, int], ...]:
        """Identity of the files' present content, cheap to take; zeros for a missing file."""
        own: tuple[TLSConfig | SNIConfig, ...] = (config, *config.sni)
        return tuple(_identity(path) for entry in own for path in (entry.certificate, entry.key))


def _identity(path: str) -> tuple[int, int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return (status.st_ino, status.st_mtime_ns, status.st_size)


def _choose(certificates: _Certificates) -> Any:
    def server_name_seen(connection: SSL.Connection) -> None:
        asked = connection.get_servername()
        if asked:
            connection.set_context(certificates.for_name(asked.decode("ascii", "replace")))

    return server_name_seen


def channel_binding(connection: SSL.Connection, kind: str) -> bytes | None:
    """
    What only the two ends of a TLS connection know of it (RFC 5929, RFC 9266), after its handshake.

     - C{tls-exporter} under TLS 1.3 only: under 1.2 it is sound with an extended master secret only (RFC 9266 §4.2),
       which OpenSSL does not tell us.
     - C{tls-unique} under TLS 1.2 only, for 1.3 has none (RFC 9266 §3): the client's Finished, the first one of a full
       handshake.  A resumed session's first one is ours, so a client that resumed is refused: without an extended
       master secret a man in the middle could have the same there (RFC 7677 §4).  There is no renegotiation.
     - C{tls-server-end-point} under both: the digest of our certificate (RFC 5929 §4.1).

    @param kind: the type's registered name; any text.
    @return: C{None} when this connection has none of that kind.
    """
    version = connection.get_protocol_version_name()
    if kind == "tls-exporter" and version == "TLSv1.3":
        return connection.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
    if kind == "tls-unique" and version == "TLSv1.2":
        return connection.get_peer_finished()
    return _end_point(connection) if kind == "tls-server-end-point" else None


def _end_point(connection: SSL.Connection) -> bytes | None:
    """RFC 5929 §4.1: with the hash of its signature, SHA-256 instead of MD5 and SHA-1; other signatures have none."""
    certificate = connection.get_certificate()
    algorithm = certificate.to_cryptography().signature_hash_algorithm if certificate else None
    if certificate is None or algorithm is None:
        return None
    weak = isinstance(algorithm, hashes.MD5 | hashes.SHA1)
    return certificate.to_cryptography().fingerprint(hashes.SHA256() if weak else algorithm)


@implementer(IClientTLS)
class ClientTLS:
    """
    The client's side of TLS connections (RFC 9325 §3.1.1, RFC 6125 §6).

    @raise ConfigFault: from the constructor, when the authorities' file cannot be used.
    """

    def __init__(self, trusted: str = "") -> None:
        """
        @param trusted: file of certificates of the authorities to trust, PEM; C{""} for those of the system.
        """
        self._anybody = _client_context()
        self._verified = _client_context()
        self._verified.set_verify(SSL.VERIFY_PEER, lambda connection, certificate, number, depth, good: bool(good))
        self._verified.set_cipher_list(CIPHERS)
        if not trusted:
            self._verified.set_default_verify_paths()
            return
        try:
            self._verified.load_verify_locations(trusted)
        except SSL.Error:
            raise ConfigFault(f"[relay] trusted = {trusted!r}: holds no PEM certificates") from None

    def anybody(self, server_name: str) -> ITLSCheck:
        """See C{IClientTLS.anybody}."""
        return _TLSCheck(self._anybody, server_name, named=False)

    def verified(self, host: str) -> ITLSCheck:
        """See C{IClientTLS.verified}."""
        return _TLSCheck(self._verified, host, named=True)


def _client_context() -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    return context


@implementer(IOpenSSLClientConnectionCreator, ITLSCheck)
class _TLSCheck:
    """
    See C{ITLSCheck}.

    @ivar _named: the certificate must be for the host.
    """

    def __init__(self, context: SSL.Context, host: str, named: bool) -> None:
        self.fault = ""
        self._context = context
        self._host = host
        self._named = named

    def clientConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """Make the TLS state of one connection (called by Twisted)."""
        connection = SSL.Connection(self._context, None)
        if self._host and not _is_address(self._host):  # RFC 6066 §3: names only
            connection.set_tlsext_host_name(_a_label(self._host))
        if connection.get_verify_mode() != SSL.VERIFY_NONE:
            connection.set_verify(SSL.VERIFY_PEER, self._certificate_seen)
        return connection

    def _certificate_seen(
        self, connection: SSL.Connection, certificate: Any, number: int, depth: int, good: int
    ) -> bool:
        """OpenSSL's verdict on one certificate of a chain; the first that is bad is told of."""
        if not good and not self.fault:
            self.fault = VERIFY_FAULTS.get(number, f"it cannot be verified (OpenSSL's error {number})")
        return bool(good)

    def complaint(self, connection: Any) -> str:
        """See C{ITLSCheck.complaint}."""
        if not self._named:
            return ""
        try:
            if _is_address(self._host):
                verify_ip_address(connection, self._host)
            else:
                verify_hostname(connection, _a_label(self._host).decode("ascii"))
        except (VerificationError, CertificateError, ValueError):
            return f"it is not for {self._host}"
        return ""


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _a_label(host: str) -> bytes:
    """A name as it stands in certificates; what cannot be one stays, and then matches none."""
    try:
        return host.encode("ascii") if host.isascii() else idna.encode(host, uts46=True)
    except idna.IDNAError:
        return host.encode("ascii", "replace")
