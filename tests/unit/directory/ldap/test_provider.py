"""What of the configuration is refused before a server is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.logger import capturedLogs, formatEvent
from zope.interface.verify import verifyObject

from tests.fakes.certificates import make_certificate
from trekd.config.loader import load
from trekd.directory.interfaces import IDirectoryProvider
from trekd.directory.ldap.provider import LDAPDirectoryProvider
from trekd.errors import ConfigFault

BASE = """
[server]
hostname = "mail.example.com"
domains = ["example.com"]
[listen]
imaps = []
submissions = []
submission = []
https = []
[directory]
backend = "ldap"
[directory.ldap]
uris = ["ldaps://ldap.example.com"]
base = "ou=people,dc=example,dc=com"
tls_ca_file = "ca.pem"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    certificate, _ = make_certificate(tmp_path, "ca")
    (tmp_path / "empty.pem").write_text("")
    secret = tmp_path / "secret"
    secret.write_text("service secret\n")
    secret.chmod(0o640)
    assert certificate == str(tmp_path / "ca.pem")
    yield tmp_path


def make(folder: Path, more: str = "", base: str = BASE) -> Any:
    config = load(base + more, str(folder / "trekmail.toml"))
    directory = LDAPDirectoryProvider().make(config, reactor)
    ensureDeferred(directory.close())
    return directory


def test_is_a_provider() -> None:
    assert verifyObject(IDirectoryProvider, LDAPDirectoryProvider())


def test_good_settings_make_a_directory(folder: Path) -> None:
    make(folder, 'bind_dn = "cn=trekmail,dc=example,dc=com"\nbind_password_file = "secret"\n')


@pytest.mark.parametrize("preset", ["trekmail", "inetorgperson", "qmail-ldap", "active-directory"])
def test_every_presets_filters_can_be_read(folder: Path, preset: str) -> None:
    make(folder, f'preset = "{preset}"\n')


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ('bind_dn = "cn=a,dc=b"\nbind_password_file = "missing"', "missing: No such file"),
        ('bind_dn = "cn=a,dc=b"\nbind_password_file = "empty.pem"', "empty.pem is empty"),
        ('filter = "(&(mail={user})(!))"', "filter: "),
        ('recipient_filter = "(&(mail={addr})(a b))"', "recipient_filter: "),
        ('group_base = "groups"', "group_base is no distinguished name"),
        ('plans = [{ group = "plan-pro", plan = "pro" }]', "plans: group 'plan-pro' is no distinguished name"),
        ('auth = "template"\nuser_dn_template = "{user}"', "user_dn_template is no distinguished name"),
    ],
)
def test_mistakes_are_named(folder: Path, more: str, complaint: str) -> None:
    with pytest.raises(ConfigFault) as fault:
        make(folder, more + "\n")
    assert [each for each in fault.value.complaints if each.startswith("[directory.ldap]") and complaint in each]


@pytest.mark.parametrize("file", ["missing.pem", "empty.pem"])
def test_authorities_must_be_there(folder: Path, file: str) -> None:
    with pytest.raises(ConfigFault, match="tls_ca_file"):
        make(folder, base=BASE.replace("ca.pem", file))


def test_all_mistakes_are_told_at_once(folder: Path) -> None:
    with pytest.raises(ConfigFault) as fault:
        make(folder, 'group_base = "x"\n', BASE.replace("ca.pem", "missing.pem"))
    assert len(fault.value.complaints) == 2


def test_what_is_unsafe_is_told(folder: Path) -> None:
    (folder / "secret").chmod(0o644)
    with capturedLogs() as events:
        make(folder, 'bind_dn = "cn=a,dc=b"\nbind_password_file = "secret"\ntls_verify = false\n')
    told = "\n".join(formatEvent(event) or "" for event in events)
    assert "tls_verify is off" in told
    assert "secret can be read by everybody" in told
    assert "service secret" not in told
