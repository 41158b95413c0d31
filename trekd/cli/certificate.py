"""
Commands about certificates: C{certificate self-signed}, so that a host can start before it has one of an authority.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from trekd.cli.failures import OK, CommandFailure
from trekd.cli.output import print_json
from trekd.cli.session import Session

FOLDER = "/etc/trekmail/tls"
CERTIFICATE, KEY = "fullchain.pem", "privkey.pem"
DAYS = 825
"""The longest life that Apple's programs accept of a certificate that a user trusts by hand."""
_LONGEST_SUBJECT = 64


def register(commands: Any) -> None:
    """Add the commands to the command line."""
    below = commands.add_parser("certificate", help="certificates").add_subparsers(metavar="COMMAND", required=True)
    parser = below.add_parser("self-signed", help="make one for the time before there is one of an authority")
    parser.add_argument("names", nargs="*", metavar="NAME", help="host names; default: this machine's")
    parser.add_argument("--folder", metavar="DIR", default=FOLDER, help="default: %(default)s")
    parser.set_defaults(function=self_signed)


def self_signed(session: Session) -> int:
    """C{trekctl certificate self-signed}"""
    options = session.options
    names = tuple(options.names) or machine_names()
    certificate, key = make_self_signed(Path(options.folder), names)
    if session.json:
        print_json({"certificate": str(certificate), "key": str(key), "names": names})
    else:
        print(f"{certificate}: self-signed, for {', '.join(names)}, {DAYS} days; programs warn of it")
    return OK


def machine_names() -> tuple[str, ...]:
    """What this machine calls itself, and C{localhost}; no name server is asked."""
    return tuple(dict.fromkeys((socket.gethostname(), "localhost")))


def make_self_signed(folder: Path, names: tuple[str, ...]) -> tuple[Path, Path]:
    """
    Write C{fullchain.pem} and C{privkey.pem}; the key is for root and the folder's group.

    @return: paths of certificate and key.
    @raise CommandFailure: one of them is there already, or cannot be written; nothing was changed.
    """
    certificate, key = folder / CERTIFICATE, folder / KEY
    for path in (certificate, key):
        if path.is_symlink() or path.exists():
            raise CommandFailure(f"{path} is there already; it stays as it is")
    chain, secret = _pair(names)
    try:
        group = folder.stat().st_gid
        _write_new(key, secret, 0o640, group)
        try:
            _write_new(certificate, chain, 0o644, group)
        except OSError:
            key.unlink()
            raise
    except OSError as fault:
        raise CommandFailure(f"{fault.filename or folder}: {fault.strerror}") from None
    return certificate, key


def _write_new(path: Path, octets: bytes, mode: int, group: int) -> None:
    """Write a file that is not there yet, whole or not at all."""
    draft = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        draft.unlink()
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(octets)
            file.flush()
            if os.geteuid() == 0:
                os.fchown(descriptor, 0, group)
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        os.link(draft, path)
    finally:
        draft.unlink()


def _pair(names: tuple[str, ...]) -> tuple[bytes, bytes]:
    """A certificate and its key, PEM (RFC 5280 §4.2.1.6: the names that count are the alternative ones)."""
    try:
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    except ValueError:
        raise CommandFailure("host names are ASCII; write others as xn--") from None
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:_LONGEST_SUBJECT])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = serialization.Encoding.PEM
    secret = key.private_bytes(form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(form), secret
