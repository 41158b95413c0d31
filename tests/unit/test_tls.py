"""L{trekd.tls}: what a client can negotiate, which certificate it sees, what a reload changes."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import pkcs7
from OpenSSL import SSL
from zope.interface.verify import verifyObject

from tests.fakes.certificates import make_certificate
from trekd.config.schema import SNIConfig, TLSConfig
from trekd.errors import ConfigFault
from trekd.relay.interfaces import IClientTLS, ITLSCheck
from trekd.tls import ClientTLS, ServerTLS


def config(directory: Path, *sni: str, minimum: str = "TLSv1.2") -> TLSConfig:
    certificate, key = make_certificate(directory, "mail.example.com")
    entries = tuple(SNIConfig((name,), *make_certificate(directory, name)) for name in sni)
    return TLSConfig(certificate, key, minimum, entries)


def handshake(tls: ServerTLS, name: str | None = None, **limits: object) -> ssl.SSLObject:
    """Shake hands in memory; raises C{ssl.SSLError} or C{SSL.Error} where a client would be refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    ciphers = limits.pop("ciphers", None)
    if ciphers is not None:
        context.set_ciphers(ciphers)
    for key, value in limits.items():
        setattr(context, key, value)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    server = tls.serverConnectionForTLS(None)
    server.set_accept_state()
    client_done = server_done = False
    while not (client_done and server_done):
        try:
            client.do_handshake()
            client_done = True
        except ssl.SSLWantReadError:
            pass
        if outgoing.pending:
            server.bio_write(outgoing.read())
        try:
            server.do_handshake()
            server_done = True
        except SSL.WantReadError:
            pass
        try:
            incoming.write(server.bio_read(65536))
        except SSL.WantReadError:
            pass
    return client


def seen_name(tls: ServerTLS, name: str | None) -> str:
    octets = handshake(tls, name).getpeercert(binary_form=True)
    assert octets is not None
    subject = x509.load_der_x509_certificate(octets).subject
    return str(next(iter(subject)).value)


def test_tls_1_2_and_1_3_with_forward_secrecy_only(tmp_path: Path) -> None:
    tls = ServerTLS(config(tmp_path))
    assert handshake(tls).version() == "TLSv1.3"
    older = handshake(tls, maximum_version=ssl.TLSVersion.TLSv1_2)
    assert older.version() == "TLSv1.2"
    cipher = older.cipher()
    assert cipher is not None and cipher[0].startswith("ECDHE")


def test_tls_1_1_is_refused(tmp_path: Path) -> None:
    tls = ServerTLS(config(tmp_path))
    with pytest.raises((ssl.SSLError, SSL.Error)), pytest.warns(DeprecationWarning):
        handshake(
            tls,
            minimum_version=ssl.TLSVersion.TLSv1_1,
            maximum_version=ssl.TLSVersion.TLSv1_1,
            ciphers="ALL:@SECLEVEL=0",
        )


def test_static_key_exchange_is_refused(tmp_path: Path) -> None:
    tls = ServerTLS(config(tmp_path))
    with pytest.raises((ssl.SSLError, SSL.Error)):
        handshake(tls, maximum_version=ssl.TLSVersion.TLSv1_2, ciphers="AES128-GCM-SHA256:AES256-SHA")


def test_minimum_1_3_is_obeyed(tmp_path: Path) -> None:
    tls = ServerTLS(config(tmp_path, minimum="TLSv1.3"))
    with pytest.raises((ssl.SSLError, SSL.Error)):
        handshake(tls, maximum_version=ssl.TLSVersion.TLSv1_2)


def test_certificate_is_chosen_by_name(tmp_path: Path) -> None:
    tls = ServerTLS(config(tmp_path, "mail.example.org", "*.example.net"))
    assert seen_name(tls, None) == "mail.example.com"
    assert seen_name(tls, "unknown.invalid") == "mail.example.com"
    assert seen_name(tls, "MAIL.example.org") == "mail.example.org"
    assert seen_name(tls, "a.example.net") == "*.example.net"
    assert seen_name(tls, "a.b.example.net") == "mail.example.com"


def test_changed_files_are_noticed_and_used_for_new_handshakes(tmp_path: Path) -> None:
    tls = ServerTLS(config(tmp_path))
    assert not tls.reload_if_changed()
    before = handshake(tls).getpeercert(binary_form=True)
    make_certificate(tmp_path, "mail.example.com")
    assert tls.reload_if_changed()
    assert handshake(tls).getpeercert(binary_form=True) != before


def test_a_failed_reload_keeps_what_works(tmp_path: Path) -> None:
    settings = config(tmp_path)
    tls = ServerTLS(settings)
    Path(settings.key).write_text("nonsense")
    with pytest.raises(ConfigFault) as caught:
        tls.reload_if_changed()
    assert settings.key in str(caught.value)
    assert seen_name(tls, None) == "mail.example.com"
    with pytest.raises(ConfigFault):
        tls.reload_if_changed()


@pytest.mark.parametrize("missing", ["certificate", "key"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    settings = config(tmp_path)
    Path(getattr(settings, missing)).unlink()
    with pytest.raises(ConfigFault, match="No such file") as caught:
        ServerTLS(settings)
    assert getattr(settings, missing) in str(caught.value)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    settings = config(tmp_path)
    _, other = make_certificate(tmp_path, "other.example.com")
    with pytest.raises(ConfigFault, match="belongs"):
        ServerTLS(TLSConfig(settings.certificate, other))


def test_an_expired_certificate_is_used_but_logged(tmp_path: Path) -> None:
    from twisted.logger import capturedLogs

    certificate, key = make_certificate(tmp_path, "old.example.com", days=-1)
    with capturedLogs() as events:
        ServerTLS(TLSConfig(certificate, key))
    assert any("expired" in event["log_format"] for event in events)


# --- The client's side ----------------------------------------------------------------------------


def meet(check: Any, server: SSL.Connection) -> SSL.Connection:
    """Shake hands in memory; raises C{SSL.Error} where one side refuses."""
    client: SSL.Connection = check.clientConnectionForTLS(None)
    client.set_connect_state()
    server.set_accept_state()
    done: set[int] = set()
    while len(done) < 2:
        for one, other in ((client, server), (server, client)):
            try:
                one.do_handshake()
                done.add(id(one))
            except SSL.WantReadError:
                pass
            try:
                other.bio_write(one.bio_read(65536))
            except SSL.WantReadError:
                pass
    return client


def test_a_client_verifies_authority_and_name(tmp_path: Path) -> None:
    """RFC 6125 §6; the name is also sent (RFC 6066 §3)."""
    settings = config(tmp_path)
    tls = ServerTLS(settings)
    client = ClientTLS(settings.certificate)
    assert verifyObject(IClientTLS, client)
    check = client.verified("mail.example.com")
    assert verifyObject(ITLSCheck, check)
    connection = meet(check, tls.serverConnectionForTLS(None))
    assert check.complaint(connection) == ""
    assert connection.get_servername() == b"mail.example.com"
    for other in ("other.example.com", "192.0.2.1", "example.com", "bücher.example"):
        check = client.verified(other)
        complaint = check.complaint(meet(check, tls.serverConnectionForTLS(None)))
        assert complaint == f"it is not for {other}"


def test_a_client_refuses_a_certificate_of_nobody(tmp_path: Path) -> None:
    tls = ServerTLS(config(tmp_path))
    other, _ = make_certificate(tmp_path, "authority.example")
    with pytest.raises(SSL.Error):
        meet(ClientTLS(other).verified("mail.example.com"), tls.serverConnectionForTLS(None))


def test_a_client_that_verifies_nobody_talks_to_everybody(tmp_path: Path) -> None:
    """But not with versions before 1.2 (RFC 8996 §4)."""
    tls = ServerTLS(config(tmp_path))
    check = ClientTLS().anybody("192.0.2.1")
    connection = meet(check, tls.serverConnectionForTLS(None))
    assert check.complaint(connection) == ""
    assert connection.get_servername() is None
    old = SSL.Context(SSL.TLS_SERVER_METHOD)
    old.set_max_proto_version(SSL.TLS1_1_VERSION)
    with pytest.raises(SSL.Error):
        meet(check, SSL.Connection(old, None))


def test_authorities_that_are_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("nothing")
    with pytest.raises(ConfigFault, match=r"\[relay\] trusted = .*no.pem"):
        ClientTLS(str(tmp_path / "no.pem"))


def test_signatures_are_made_with_what_clients_see(tmp_path: Path) -> None:
    """RFC 5652 §5; openssl reads one in tests/clients."""
    made = ServerTLS(config(tmp_path)).sign(b"some octets")
    assert made is not None
    assert b"some octets" in made
    (certificate,) = pkcs7.load_der_pkcs7_certificates(made)
    assert "mail.example.com" in certificate.subject.rfc4514_string()


def test_what_cannot_sign_does_not(tmp_path: Path) -> None:
    """Keys of other kinds, and files that went meanwhile."""
    tls = ServerTLS(config(tmp_path))
    key = tmp_path / "mail.example.com.key"
    other = ed25519.Ed25519PrivateKey.generate()
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    for octets in (other.private_bytes(*form), b"no key"):
        key.write_bytes(octets)
        assert tls.sign(b"x") is None
    key.unlink()
    assert tls.sign(b"x") is None
