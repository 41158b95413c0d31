"""
Reading the JSON that C{trekctl} sends, which is not trusted to have the shape it should have: what has not is a
L{SyntaxFault} that says what was expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trekd.directory.interfaces import Status
from trekd.errors import SyntaxFault
from trekd.values import Address

_MAX_QUOTA = 2**53
"""Octets that every reader of JSON can count."""
_MAX_NAME = 1000
_MAX_TEXT = 64 * 1024


def full_address(text: str) -> Address:
    """
    Read an address.

    @raise SyntaxFault: it is none, or has no domain.
    """
    try:
        return Address.parse(text)
    except SyntaxFault:
        raise SyntaxFault(f"a full mail address, not {text!r}") from None


def object_of(body: object, *keys: str) -> Mapping[str, object]:
    """An object with some of these keys and no others."""
    if not isinstance(body, dict) or not body.keys() <= set(keys):
        raise SyntaxFault(f"an object with {', '.join(keys)}")
    return body


def text_of(fields: Mapping[str, object], key: str, default: Any) -> Any:
    """Text, or the default when it is not given."""
    value = fields.get(key)
    if value is None:
        return default
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise SyntaxFault(f"{key} as text")
    return value


def name_of(fields: Mapping[str, object], default: str) -> str:
    """A display name."""
    name: str = text_of(fields, "name", default)
    if len(name) > _MAX_NAME or not name.isprintable():
        raise SyntaxFault(f"name as at most {_MAX_NAME} printable characters")
    return name


def quota_of(fields: Mapping[str, object], default: int | None) -> int | None:
    """A quota in octets; C{None}, also in the body, is the plan's."""
    if "quota" not in fields:
        return default
    quota = fields["quota"]
    if quota is None:
        return None
    if not isinstance(quota, int) or isinstance(quota, bool) or not 0 <= quota <= _MAX_QUOTA:
        raise SyntaxFault("quota as a number of octets")
    return quota


def status_of(fields: Mapping[str, object], default: Status) -> Status:
    """An account's status by its name."""
    try:
        return Status(text_of(fields, "status", default.value))
    except ValueError:
        raise SyntaxFault(f"status as one of {', '.join(each.value for each in Status)}") from None


def addresses_of(fields: Mapping[str, object], key: str, default: tuple[Address, ...]) -> tuple[Address, ...]:
    """A list of full addresses."""
    value = fields.get(key)
    if value is None:
        return default
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise SyntaxFault(f"{key} as a list of addresses")
    return tuple(full_address(each) for each in value)
