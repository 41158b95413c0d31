"""
Addresses inside filters (RFC 4515 §3) and inside distinguished names (RFC 4514 §2.4), so that no login name can
change the question that is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from trekd.values import Address

_PLACEHOLDER = re.compile(r"\{(?:user|addr|local|domain)\}|%[und]")
_IN_FILTER = str.maketrans({"\\": r"\5c", "*": r"\2a", "(": r"\28", ")": r"\29", "\0": r"\00"})
_PLAIN_LOCAL = re.compile(r"[A-Za-z0-9._+-]+")
_PLAIN_DOMAIN = re.compile(r"[a-z0-9.-]+")


def in_filter(text: str) -> str:
    """Text as an assertion value: it matches itself and nothing else (RFC 4515 §3)."""
    return text.translate(_IN_FILTER)


def fill_filter(template: str, address: Address) -> str:
    """
    Put an address into a filter.

    @param template: C{{user}}, C{{addr}} and C{%u} stand for the address, C{{local}} and C{%n} for what is before
        its C{@}, C{{domain}} and C{%d} for what is after it.
    """
    return _fill(template, address, in_filter)


def fill_filter_any(template: str) -> str:
    """The filter that matches whatever the filled ones can: a C{*} in each place."""
    return _PLACEHOLDER.sub("*", template)


def fill_dn(template: str, address: Address) -> str | None:
    """
    Put an address into a distinguished name.

    @return: C{None} for addresses of more than letters, digits and C{._+-}: no way of escaping the others is
        understood alike by all servers.
    """
    if not _PLAIN_LOCAL.fullmatch(address.local) or not _PLAIN_DOMAIN.fullmatch(address.domain):
        return None
    return _fill(template, address, lambda text: text.replace("+", r"\+"))


def _fill(template: str, address: Address, escape: Callable[[str], str]) -> str:
    parts = {"user": str(address), "local": address.local, "domain": address.domain}
    parts |= {"addr": parts["user"], "u": parts["user"], "n": parts["local"], "d": parts["domain"]}
    return _PLACEHOLDER.sub(lambda found: escape(parts[found[0].strip("{}%")]), template)
