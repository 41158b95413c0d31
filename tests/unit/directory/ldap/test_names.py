"""Distinguished names are compared as names (RFC 4514)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trekd.directory.ldap.names import dn_key

PLAIN = "cn=plan-pro,ou=groups,dc=example,dc=com"


@pytest.mark.parametrize(
    "text",
    [
        "CN=Plan-Pro, OU=Groups, DC=Example, DC=COM",
        "cn = plan-pro ; ou = groups ; dc = example ; dc = com",
        r"cn=plan\2dpro,ou=groups,dc=example,dc=com",
        r"cn=plan\-pro,ou=groups,dc=example,dc=com",
        "2.5.4.3=plan-pro,2.5.4.11=groups,dc=example,domainComponent=com",
        "commonName=plan-pro,ou=groups,OID.0.9.2342.19200300.100.1.25=example,dc=com",
        "cn=ｐｌａｎ-pro,ou=groups,dc=example,dc=com",
    ],
)
def test_spellings_of_one_name(text: str) -> None:
    assert dn_key(text) == dn_key(PLAIN) is not None


@pytest.mark.parametrize(
    "text",
    [
        "cn=plan-pro,ou=groups,dc=example",
        "cn=plan-pro\\,ou=groups,dc=example,dc=com",
        "ou=groups,cn=plan-pro,dc=example,dc=com",
        "cn=plan-pro+ou=groups,dc=example,dc=com",
        "cn=plan pro,ou=groups,dc=example,dc=com",
    ],
)
def test_other_names(text: str) -> None:
    assert dn_key(text) not in (None, dn_key(PLAIN))


def test_order_within_an_rdn_makes_no_difference() -> None:
    assert dn_key("cn=a+uid=b,dc=c") == dn_key("UID=B+CN=A,dc=c")


def test_octets_in_hex_are_utf_8() -> None:
    assert dn_key(r"cn=Jos\C3\A9,dc=c") == dn_key("cn=josé,dc=c")


def test_escaped_separators_are_part_of_the_value() -> None:
    assert dn_key(r"cn=a\,b\+c\=d,dc=c") == (frozenset({("cn", "a,b+c=d")}), frozenset({("dc", "c")}))


@pytest.mark.parametrize("text", ["", "alice", "alice@example.com", "=x", "cn=", "cn=a,,dc=b", "cn=a,", "ü=a"])
def test_what_is_no_name(text: str) -> None:
    assert dn_key(text) is None


@given(st.text(alphabet=st.sampled_from('cn=,+\\;" aé0#2\0'), max_size=40))
def test_any_text_is_a_name_or_none(text: str) -> None:
    dn_key(text)
