"""
A private slapd: its own folder, ports on the loopback interface, its own certificate authority.

It has ou=people with accounts, ou=groups, ou=services with the service account C{cn=trekmail} (password "service
secret"), the overlays memberof and ppolicy, the schema and the access rules that TrekMail ships, and C{allow
bind_anon_cred}: the worst that a directory does with empty passwords.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha1
from pathlib import Path
from typing import Any

import ldap3
import pytest
from argon2 import PasswordHasher
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from ldap3.utils.dn import escape_rdn

from trekd.config.directory import PRESETS
from trekd.config.schema import LDAPConfig

SUFFIX = "dc=example,dc=com"
PEOPLE = f"ou=people,{SUFFIX}"
GROUPS = f"ou=groups,{SUFFIX}"
SERVICE = f"cn=trekmail,ou=services,{SUFFIX}"
SECRET = "service secret"
_RULES = Path(__file__).parents[2] / "etc/ldap/access.ldif"
_ROOT = f"cn=root,{SUFFIX}"
_SCHEMA = Path(__file__).parents[2] / "etc/ldap/trekmail.schema"

SHA_512_CRYPT = (
    "{CRYPT}$6$trekmail$QpWRidjGTSb4mcsu8UDs9QOeCSIl/gkQSiMnQJZrQY4f5JiE1BDs/fMXayzssKVR0.LNxiH/ow2Eb5Al4JuMV0"
)
"""C{battery staple} as glibc's crypt has it."""


def ssha(password: str) -> str:
    """A password as {SSHA}."""
    salt = os.urandom(8)
    return "{SSHA}" + base64.b64encode(sha1(password.encode() + salt).digest() + salt).decode()


def argon2(password: str) -> str:
    """A password as {ARGON2}, cheap enough for tests."""
    return "{ARGON2}" + PasswordHasher(1, 1024, 1).hash(password)


@dataclass(frozen=True)
class Person:
    """
    An entry below ou=people.

    @ivar password: plain, stored as {SSHA}; or with a scheme in braces already; '' for none.
    """

    uid: str
    password: str = ""
    mail: tuple[str, ...] = ()
    name: str = ""
    more: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def dn(self) -> str:
        """Its name."""
        return f"uid={escape_rdn(self.uid)},{PEOPLE}"

    def attributes(self) -> dict[str, list[str]]:
        """Attributes, object classes among them."""
        found = {
            "objectClass": ["inetOrgPerson", "trekAccount"],
            "uid": [self.uid],
            "cn": [self.name or self.uid],
            "sn": [self.uid],
            "mail": list(self.mail or (f"{self.uid}@example.com",)),
        }
        if self.password:
            found["userPassword"] = [self.password if self.password.startswith("{") else ssha(self.password)]
        return found | {name: list(values) for name, values in self.more.items()}


def crowd(count: int, password: str = "") -> list[Person]:
    """Accounts u00001, u00002, ...; one hash for all."""
    hashed = ssha(password) if password else ""
    return [Person(f"u{number:05}", hashed, name=f"User {number:05}") for number in range(1, count + 1)]


class Authority:
    """A certificate authority of this test run."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} of tests")])
        builder = self._builder(self._name, self._key, 30).add_extension(x509.BasicConstraints(True, None), True)
        self.file = folder / f"{name}.pem"
        self._certificate = builder.sign(self._key, hashes.SHA256())
        self.file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, folder: Path, days: int, hosts: Sequence[str]) -> tuple[Path, Path]:
        """Certificate and key; negative days make one that has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [
            x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host) for host in hosts
        ]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        builder = self._builder(subject, key, days).add_extension(x509.SubjectAlternativeName(names), False)
        certificate = builder.sign(self._key, hashes.SHA256())
        paths = folder / "server.pem", folder / "server.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return paths

    def _builder(self, subject: x509.Name, key: Any, days: int) -> x509.CertificateBuilder:
        now = datetime.utcnow()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=60))
            .not_valid_after(now + timedelta(days=days))
        )


def require_slapd() -> str:
    """The program; without it the test is skipped, in CI failed."""
    path = shutil.which("slapd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("slapd is not installed; the test run should have installed it")
        pytest.skip("NOT TESTED: slapd is not installed")
    return path


class Slapd:
    """One server.  C{close()} ends it and removes its folder."""

    def __init__(
        self,
        people: Iterable[Person] = (),
        size_limit: str = "unlimited",
        certificate_days: int = 30,
        certificate_names: Sequence[str] = ("localhost", "127.0.0.1"),
        schemas: Sequence[Path] = (),
        group_class: str = "groupOfNames",
    ) -> None:
        """
        @param schemas: more than the usual ones; the access rules are then those of a directory where the service
            account may read all but passwords, as in Active Directory.
        @param group_class: whose members have C{memberOf}.
        """
        self._program = require_slapd()
        self._folder = Path(tempfile.mkdtemp(prefix="trekmail-slapd-"))
        self.authority = Authority(self._folder)
        self._certificate = self.authority.issue(self._folder, certificate_days, certificate_names)
        self.port, self.tls_port = _free_ports(2)
        self.uri = f"ldap://127.0.0.1:{self.port}"
        self.tls_uri = f"ldaps://127.0.0.1:{self.tls_port}"
        self.secret_file = self._folder / "secret"
        self.secret_file.write_text(f"{SECRET}\n")
        self.secret_file.chmod(0o600)
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._write_config(size_limit, schemas, group_class)
            self._load(people)
            self.start()
        except BaseException:
            self.close()
            raise

    # Life

    def start(self) -> None:
        """Start; both ports answer when this returns."""
        with open(self._folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-f", "slapd.conf", "-h", f"{self.uri} {self.tls_uri}", "-d", "0"],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        for port in (self.port, self.tls_port):
            self._await_port(port)

    def stop(self) -> None:
        """End in good order, if it runs."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)

    def hang(self) -> None:
        """Take connections and never answer."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Answer again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End and clean up."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    # Use

    def config(self, *others: Slapd, **changes: Any) -> LDAPConfig:
        """Settings for this server, then the others, with the preset C{trekmail}."""
        preset = PRESETS[changes.get("preset", "trekmail")]
        config = LDAPConfig(
            uris=tuple(each.uri for each in (self, *others)),
            tls_ca_file=str(self.authority.file),
            bind_dn=SERVICE,
            bind_password_file=str(self.secret_file),
            base=PEOPLE,
            group_base=GROUPS,
            **preset,
        )
        return replace(config, **changes)

    def add(self, dn: str, attributes: Mapping[str, Sequence[str]]) -> None:
        """Add an entry; overlays see it."""
        self._change(lambda root: root.add(dn, attributes=dict(attributes)))

    def add_group(self, name: str, members: Sequence[str], **more: Sequence[str]) -> str:
        """Add a group; its name is given back."""
        dn = f"cn={name},{GROUPS}"
        classes = ["groupOfNames", "trekList"]
        self.add(dn, {"objectClass": classes, "cn": [name], "member": list(members), **more})
        return dn

    def modify(self, dn: str, **attributes: Sequence[str]) -> None:
        """Replace attributes of an entry."""
        changes = {name: [(ldap3.MODIFY_REPLACE, list(values))] for name, values in attributes.items()}
        self._change(lambda root: root.modify(dn, changes))

    def delete(self, dn: str) -> None:
        """Remove an entry."""
        self._change(lambda root: root.delete(dn))

    def _change(self, change: Any) -> None:
        server = ldap3.Server(self.uri, get_info=ldap3.NONE)
        with ldap3.Connection(server, _ROOT, "root", client_strategy=ldap3.SAFE_SYNC, check_names=False) as root:
            _, result, _, _ = change(root)
        assert result["result"] == 0, result

    # Making

    def _write_config(self, size_limit: str, schemas: Sequence[Path], group_class: str) -> None:
        (self._folder / "db").mkdir()
        schema = "".join(f"include /etc/ldap/schema/{name}.schema\n" for name in ("core", "cosine", "inetorgperson"))
        schema += "".join(f"include {path}\n" for path in schemas)
        rules = _OPEN_RULES if schemas else _shipped_rules()
        (self._folder / "slapd.conf").write_text(
            f"""{schema}include {_SCHEMA}
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload ppolicy
moduleload argon2
allow bind_anon_cred
TLSCACertificateFile {self.authority.file}
TLSCertificateFile {self._certificate[0]}
TLSCertificateKeyFile {self._certificate[1]}
database mdb
suffix "{SUFFIX}"
rootdn "{_ROOT}"
rootpw root
directory {self._folder}/db
maxsize 268435456
dbnosync
index objectClass,mail,trekAlias,uid,member eq
limits dn.exact="{SERVICE}" size={size_limit}
{rules}
access to * by self read by * none
overlay memberof
memberof-group-oc {group_class}
overlay ppolicy
ppolicy_default "cn=policy,{SUFFIX}"
ppolicy_use_lockout
"""
        )

    def _load(self, people: Iterable[Person]) -> None:
        units = [(f"ou={unit},{SUFFIX}", {"objectClass": ["organizationalUnit"]}) for unit in _UNITS]
        service = {"objectClass": ["person"], "sn": ["trekmail"], "userPassword": [ssha(SECRET)]}
        policy = {
            "objectClass": ["person", "pwdPolicy"],
            "sn": ["policy"],
            "pwdAttribute": ["userPassword"],
            "pwdLockout": ["TRUE"],
            "pwdMaxFailure": ["50"],
        }
        entries: list[tuple[str, Mapping[str, Sequence[str]]]] = [
            (SUFFIX, {"objectClass": ["domain"], "dc": ["example"]}),
            *units,
            (SERVICE, service),
            (f"cn=policy,{SUFFIX}", policy),
            *((person.dn, person.attributes()) for person in people),
        ]
        loaded = subprocess.run(
            [self._program, "-T", "add", "-q", "-f", "slapd.conf"],
            cwd=self._folder,
            input="\n".join(_ldif(dn, attributes) for dn, attributes in entries).encode(),
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert loaded.returncode == 0, loaded.stderr.decode()

    def _await_port(self, port: int) -> None:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                alive = self._process is not None and self._process.poll() is None
                if not alive or time.monotonic() > deadline:
                    raise AssertionError((self._folder / "log").read_text()) from None
                time.sleep(0.02)


_OPEN_RULES = f"""access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{SERVICE}" read by * break"""


def _shipped_rules() -> str:
    """The access rules that etc/ldap ships, as slapd.conf has them."""
    text = re.sub(r"\n {2}", " ", _RULES.read_text())
    rules = [line for line in text.splitlines() if line.startswith("olcAccess:")]
    return "\n".join(re.sub(r"^olcAccess: \{\d+\}", "access ", rule) for rule in rules)


_UNITS = ("people", "groups", "services")


def _ldif(dn: str, attributes: Mapping[str, Sequence[str]]) -> str:
    lines = [_line("dn", dn)]
    lines += [_line(name, value) for name, values in attributes.items() for value in values]
    return "\n".join(lines) + "\n"


def _line(name: str, value: str) -> str:
    return f"{name}:: {base64.b64encode(value.encode()).decode()}"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
