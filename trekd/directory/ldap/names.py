"""
Distinguished names compared as such (RFC 4514, RFC 4518): letter case, spaces, escapes and the order within one
RDN make no difference.
"""

from __future__ import annotations

import re
import unicodedata

DNKey = tuple[frozenset[tuple[str, str]], ...]
"""A name in the form in which equal names are equal; from the entry up to the root."""

_SHORT = {
    "2.5.4.3": "cn",
    "commonname": "cn",
    "2.5.4.7": "l",
    "localityname": "l",
    "2.5.4.8": "st",
    "stateorprovincename": "st",
    "2.5.4.10": "o",
    "organizationname": "o",
    "2.5.4.11": "ou",
    "organizationalunitname": "ou",
    "2.5.4.6": "c",
    "countryname": "c",
    "0.9.2342.19200300.100.1.25": "dc",
    "domaincomponent": "dc",
    "0.9.2342.19200300.100.1.1": "uid",
    "userid": "uid",
}
"""Other spellings of RFC 4514 §3's attribute types."""

_TOKEN = re.compile(r"(?:\\[0-9A-Fa-f]{2})+|\\.|[,;+=]|[^\\,;+=]+", re.DOTALL)
_TYPE = re.compile(r"[a-z][a-z0-9-]*|[0-9]+(?:\.[0-9]+)+")


def dn_key(text: str) -> DNKey | None:
    """
    Read a distinguished name.

    @return: C{None} for text that is none.
    """
    rdns: list[frozenset[tuple[str, str]]] = []
    pairs: list[tuple[str, str]] = []
    name, value, in_value = "", "", False
    for token in [*_TOKEN.findall(text), ","]:
        if token == "=" and not in_value:
            in_value = True
        elif token in (",", ";", "+"):
            pair = _pair(name, value)
            if pair is None:
                return None
            pairs.append(pair)
            if token != "+":
                rdns.append(frozenset(pairs))
                pairs = []
            name, value, in_value = "", "", False
        elif in_value:
            value += _unescaped(token)
        else:
            name += token
    return tuple(rdns)


def _pair(name: str, value: str) -> tuple[str, str] | None:
    """Attribute type and value as they are compared (RFC 4518 §2: case folded, insignificant spaces gone)."""
    name = name.strip().lower().removeprefix("oid.")
    folded = " ".join(unicodedata.normalize("NFKC", value).casefold().split())
    if not _TYPE.fullmatch(name) or not folded:
        return None
    return _SHORT.get(name, name), folded


def _unescaped(token: str) -> str:
    if not token.startswith("\\"):
        return token
    if re.fullmatch(r"(?:\\[0-9A-Fa-f]{2})+", token):
        return bytes.fromhex(token.replace("\\", "")).decode("utf-8", "replace")
    return token[1:]
