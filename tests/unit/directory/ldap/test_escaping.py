"""No login name changes the question (RFC 4515 §3, RFC 4514 §2.4)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldap3.operation.search import parse_filter

from trekd.directory.ldap.escaping import fill_dn, fill_filter, fill_filter_any, in_filter
from trekd.values import Address

ALICE = Address("alice", "example.com")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("(mail={user})", "(mail=alice@example.com)"),
        ("(|(mail={addr})(mail=%u))", "(|(mail=alice@example.com)(mail=alice@example.com))"),
        ("(&(uid={local})(o={domain}))", "(&(uid=alice)(o=example.com))"),
        ("(&(uid=%n)(o=%d))", "(&(uid=alice)(o=example.com))"),
        ("(cn=100%)", "(cn=100%)"),
    ],
)
def test_placeholders_stand_for_the_address_and_its_parts(template: str, expected: str) -> None:
    assert fill_filter(template, ALICE) == expected


@pytest.mark.parametrize("local", ["*", "*)(uid=*", "a)(|(mail=*)", "\\", "a\0b", "{domain}", "%d"])
def test_a_name_is_one_assertion_value(local: str) -> None:
    filled = fill_filter("(&(objectClass=person)(mail={user}))", Address(local, "example.com"))
    tree = parse_filter(filled, None, True, True, None, False)
    conjunction = tree.elements[0]
    assert len(conjunction.elements) == 2
    value = conjunction.elements[1].assertion["value"].decode()
    assert re.sub(r"\\(..)", lambda code: chr(int(code[1], 16)), value) == f"{local}@example.com"


@given(st.text(max_size=100).filter(lambda text: not any("\ud800" <= each <= "\udfff" for each in text)))
def test_whatever_the_text_it_stays_a_value(text: str) -> None:
    escaped = in_filter(text)
    assert not set(escaped) & set("*()\0")
    assert escaped.count("\\") == sum(each in "\\*()\0" for each in text)


def test_any_has_a_star_in_each_place() -> None:
    assert fill_filter_any("(|(mail={user})(uid=%n))") == "(|(mail=*)(uid=*))"


def test_a_plus_in_a_name_is_escaped() -> None:
    template = "uid={local},ou={domain},dc=example"
    assert fill_dn(template, Address("a+b", "example.com")) == r"uid=a\+b,ou=example.com,dc=example"


@pytest.mark.parametrize("local", ["a,ou=admins", "a=b", 'a"b', " a", "#a", "a\\", "a\0", "é", ""])
def test_names_that_servers_read_differently_make_no_dn(local: str) -> None:
    assert fill_dn("uid={local},dc=example", Address(local, "example.com")) is None
