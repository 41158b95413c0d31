"""What beside the result code a server says of a refused bind."""

from __future__ import annotations

import pytest

from trekd.directory.ldap.connection import _hidden_reason

POLICY = "1.3.6.1.4.1.42.2.27.8.5.1"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 533, v1db1", "account disabled"),
        ("80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 775, v1db1", "account locked"),
        ("80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 52e, v1db1", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_active_directory_tells_in_the_text(message: str | None, reason: str) -> None:
    assert _hidden_reason({"message": message}) == reason


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"\x30\x03\x81\x01\x01", "account locked"),
        (b"\x30\x08\xa0\x03\x80\x01\x05\x81\x01\x00", "password expired"),
        (b"\x30\x03\x81\x01\x09", "password policy error 9"),
        (b"\x30\x05\xa0\x03\x80\x01\x05", ""),
        (b"\x30\x00", ""),
        (b"\x30\x03\x81\x01", ""),
        (b"", ""),
        (None, ""),
        ("text", ""),
    ],
)
def test_the_password_policy_control_tells_in_ber(value: object, reason: str) -> None:
    assert _hidden_reason({"controls": {POLICY: {"value": value}}}) == reason
