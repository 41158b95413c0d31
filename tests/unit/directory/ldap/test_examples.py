"""What etc/ldap ships can be used as it is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred

from tests.fakes.certificates import make_certificate
from tests.fakes.slapd import require_slapd
from trekd.config.loader import load
from trekd.config.schema import LDAPConfig
from trekd.directory.ldap.provider import LDAPDirectoryProvider

SHIPPED = Path(__file__).parents[4] / "etc/ldap"
HOST = """
[server]
hostname = "mail.example.com"
domains = ["example.com"]
[listen]
imaps = []
submissions = []
submission = []
https = []
"""


def definitions(text: str) -> set[str]:
    """Definitions of attributes and classes, without line ends and what begins them."""
    text = re.sub(r"(?m)^#.*\n", "", text).replace("\n  ", " ")
    found = re.findall(r"\( trek(?:Attribute|Class):.*?\)(?=\s*(?:\n\n|\nolc|\Z))", text, re.DOTALL)
    return {" ".join(each.split()) for each in found}


def test_both_forms_of_the_schema_say_the_same() -> None:
    schema = definitions((SHIPPED / "trekmail.schema").read_text())
    assert schema == definitions((SHIPPED / "trekmail.ldif").read_text())
    assert len(schema) == 14


def test_the_preset_names_attributes_of_the_schema() -> None:
    named = {value for value in LDAPConfig().__class__.__slots__ if value.startswith("attr_")}
    values = {getattr(LDAPConfig(), name) for name in named}
    schema = (SHIPPED / "trekmail.schema").read_text()
    assert all(f"NAME '{value}'" in schema for value in values if value.startswith("trek"))


@pytest.mark.parametrize("name", ["openldap.toml", "active-directory.toml"])
def test_examples_make_a_directory(name: str, tmp_path: Path) -> None:
    make_certificate(tmp_path, "ca")
    (tmp_path / "ldap.secret").write_text("secret\n")
    (tmp_path / "ldap.secret").chmod(0o640)
    text = (SHIPPED / name).read_text().replace("/etc/trekmail/ldap.secret", f"{tmp_path}/ldap.secret")
    text = re.sub(r'tls_ca_file = ".*"\n', "", text)
    text = text.replace("base =", f'tls_ca_file = "{tmp_path}/ca.pem"\nbase =', 1)
    config = load(HOST + text, str(tmp_path / "trekmail.toml"))
    directory = LDAPDirectoryProvider().make(config, reactor)
    ensureDeferred(directory.close())


def test_schema_and_access_rules_load_into_slapds_configuration(tmp_path: Path) -> None:
    """The database of access.ldif, its change applied by hand, beside the schema."""
    slapd = require_slapd()
    (tmp_path / "db").mkdir()
    (tmp_path / "conf").mkdir()
    names = ("core", "cosine", "inetorgperson")
    included = "".join(f"include: file:///etc/ldap/schema/{name}.ldif\n\n" for name in names)
    change = (SHIPPED / "access.ldif").read_text().partition("changetype: modify\n")[2]
    rules = re.sub(r"(?m)^(?:add: .*|-)\n", "", change)
    ldif = f"""dn: cn=config
objectClass: olcGlobal
cn: config

dn: cn=module,cn=config
objectClass: olcModuleList
cn: module
olcModulePath: /usr/lib/ldap
olcModuleLoad: back_mdb
olcModuleLoad: memberof

dn: cn=schema,cn=config
objectClass: olcSchemaConfig
cn: schema

{included}include: file://{SHIPPED}/trekmail.ldif

dn: olcDatabase={{1}}mdb,cn=config
objectClass: olcDatabaseConfig
objectClass: olcMdbConfig
olcDatabase: {{1}}mdb
olcSuffix: dc=example,dc=com
olcDbDirectory: {tmp_path}/db
{rules}"""
    loaded = subprocess.run(
        [slapd, "-T", "add", "-n", "0", "-F", str(tmp_path / "conf")],
        input=ldif.encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert loaded.returncode == 0, loaded.stderr.decode()
