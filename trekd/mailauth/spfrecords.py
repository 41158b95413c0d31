"""
SPF records and the macros in them, as text (RFC 7208 §4.5, §5, §6, §7).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from trekd.errors import SyntaxFault

MAX_RECORD = 8192
"""Octets of a record that is read; what DNS itself carries over UDP ends far before."""

MAX_TERMS = 200

QUALIFIERS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_VERSION = re.compile(r"v=spf1(?: |\Z)", re.I)
_VISIBLE = re.compile(r"[ -~]*")
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=(.*)")
_MECHANISM = re.compile(r"([+?~-]?)([A-Za-z][A-Za-z0-9_.-]*)([:/].*)?")
_CIDR = re.compile(r"(?:/(0|[1-9][0-9]?))?(?://(0|[1-9][0-9]{0,2}))?\Z")
_CIDR_TAIL = re.compile(r"(?:/[0-9]+)?(?://[0-9]+)?\Z")
_MACRO = re.compile(r"%(?:([%_-])|\{([A-Za-z])([0-9]*)(r?)([.\-+,/_=]*)\})", re.I)
_LETTERS = frozenset("slodipvh")
_EXPLANATION_LETTERS = _LETTERS | frozenset("crt")
_TOP_LABEL = re.compile(r"\.(?:[0-9]*[A-Za-z][A-Za-z0-9]*|[A-Za-z0-9]+-[A-Za-z0-9-]*[A-Za-z0-9])\.?\Z")
_NAMES_OF_TARGETS = frozenset({"a", "mx", "ptr", "include", "exists"})


@dataclass(frozen=True, slots=True)
class Mechanism:
    """
    One mechanism.

    @ivar result: when it matches.
    @ivar target: C{domain-spec} with its macros, C{""} for the domain itself.
    @ivar prefixes: bits of IPv4 and IPv6 addresses that are compared, for C{a} and C{mx}.
    @ivar network: for C{ip4} and C{ip6}.
    """

    name: str
    result: str
    target: str = ""
    prefixes: tuple[int, int] = (32, 128)
    network: Network | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """
    A policy.

    @ivar redirect: C{domain-spec}, C{""} without one.
    """

    mechanisms: tuple[Mechanism, ...]
    redirect: str = ""


def is_record(text: bytes) -> bool:
    """Whether a TXT record is of SPF's version 1 (RFC 7208 §4.5)."""
    return _VERSION.match(text[:8].decode("latin-1")) is not None


def parse_record(octets: bytes) -> Record:
    """
    Read a record (RFC 7208 §4.6.1).

    @raise SyntaxFault: it is wrong anywhere, which spoils it whole.
    """
    text = octets.decode("latin-1")
    if len(text) > MAX_RECORD or not _VISIBLE.fullmatch(text) or not _VERSION.match(text):
        raise SyntaxFault("record")
    mechanisms: list[Mechanism] = []
    modifiers: dict[str, str] = {}
    terms = text.split()[1:]
    if len(terms) > MAX_TERMS:
        raise SyntaxFault(f"at most {MAX_TERMS} terms")
    for term in terms:
        modifier = _MODIFIER.fullmatch(term)
        if modifier is None:
            mechanisms.append(_mechanism(term))
            continue
        name = modifier[1].lower()
        if name in ("redirect", "exp"):
            if name in modifiers:
                raise SyntaxFault(f"one {name}=")
            _check_domain_spec(modifier[2])
        else:
            _check_macros(modifier[2], _EXPLANATION_LETTERS)
        modifiers[name] = modifier[2]
    return Record(tuple(mechanisms), modifiers.get("redirect", ""))


def _mechanism(term: str) -> Mechanism:
    match = _MECHANISM.fullmatch(term)
    if match is None:
        raise SyntaxFault("mechanism")
    name, rest = match[2].lower(), match[3] or ""
    result = QUALIFIERS[match[1] or "+"]
    if name == "all":
        if rest:
            raise SyntaxFault("all")
        return Mechanism(name, result)
    if name in ("ip4", "ip6"):
        return Mechanism(name, result, network=_network(name, rest))
    if name not in _NAMES_OF_TARGETS:
        raise SyntaxFault("mechanism")
    prefixes = (32, 128)
    if name in ("a", "mx"):
        rest, prefixes = _without_prefixes(rest)
    if name in ("include", "exists") and not rest:
        raise SyntaxFault("domain-spec")
    if rest:
        if rest[0] != ":":
            raise SyntaxFault("domain-spec")
        _check_domain_spec(rest[1:])
    return Mechanism(name, result, rest[1:], prefixes)


def _network(name: str, rest: str) -> Network:
    address, slash, bits = rest[1:].partition("/")
    if rest[:1] != ":" or (slash and not re.fullmatch(r"0|[1-9][0-9]{0,2}", bits)):
        raise SyntaxFault(f"{name}-network")
    try:
        if name == "ip4":
            return ipaddress.IPv4Network((ipaddress.IPv4Address(address), int(bits or 32)), strict=False)
        if "%" in address:
            raise SyntaxFault("ip6-network")
        return ipaddress.IPv6Network((ipaddress.IPv6Address(address), int(bits or 128)), strict=False)
    except ValueError:
        raise SyntaxFault(f"{name}-network") from None


def _without_prefixes(rest: str) -> tuple[str, tuple[int, int]]:
    """Split C{dual-cidr-length} off (RFC 7208 §5.3)."""
    tail = _CIDR_TAIL.search(rest)
    written = tail[0] if tail is not None else ""
    match = _CIDR.match(written)
    if match is None:
        raise SyntaxFault("dual-cidr-length")
    prefixes = int(match[1] or 32), int(match[2] or 128)
    if prefixes[0] > 32 or prefixes[1] > 128:
        raise SyntaxFault("dual-cidr-length")
    return rest[: len(rest) - len(written)], prefixes


def _check_domain_spec(text: str) -> None:
    """C{domain-spec} (RFC 7208 §7.1): macros, and an end that can be a domain's."""
    _check_macros(text, _LETTERS)
    if not text or not (_TOP_LABEL.search(text) or text.endswith("}")):
        raise SyntaxFault("domain-spec")


def _check_macros(text: str, letters: frozenset[str]) -> None:
    rest = _MACRO.sub("", text)
    if "%" in rest:
        raise SyntaxFault("macro-string")
    for match in _MACRO.finditer(text):
        letter, digits = match[2], match[3]
        if letter and (letter.lower() not in letters or len(digits) > 3 or (digits and not int(digits))):
            raise SyntaxFault("macro-expand")


@dataclass(frozen=True, slots=True)
class MacroValues:
    """
    What macros stand for (RFC 7208 §7.2).

    @ivar sender: C{local@domain}.
    @ivar hello: what the client called itself.
    """

    sender: str
    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    hello: str
    domain: str
    validated: str = "unknown"

    def value(self, letter: str) -> str:
        """One macro's value before it is transformed."""
        local, _, domain = self.sender.rpartition("@")
        values: dict[str, Callable[[], str]] = {
            "s": lambda: self.sender,
            "l": lambda: local,
            "o": lambda: domain,
            "d": lambda: self.domain,
            "i": self._dotted,
            "p": lambda: self.validated,
            "v": lambda: "in-addr" if self.address.version == 4 else "ip6",
            "h": lambda: self.hello,
        }
        return values[letter]()

    def _dotted(self) -> str:
        if self.address.version == 4:
            return str(self.address)
        return ".".join(self.address.exploded.replace(":", ""))


def needs_validated_name(text: str) -> bool:
    """Whether macros in a text ask for C{p}, which costs questions."""
    return any((match[2] or "").lower() == "p" for match in _MACRO.finditer(text))


def expand(text: str, values: MacroValues) -> str:
    """
    Put values in the place of macros (RFC 7208 §7.3).

    @return: a domain, shortened from the left to 253 octets.
    """
    domain = _MACRO.sub(lambda match: _expansion(match, values), text).removesuffix(".")
    while len(domain) > 253:
        _, dot, rest = domain.partition(".")
        if not dot:
            return ""
        domain = rest
    return domain


def _expansion(match: re.Match[str], values: MacroValues) -> str:
    if match[1]:
        return {"%": "%", "_": " ", "-": "%20"}[match[1]]
    value = values.value(match[2].lower())
    parts = re.split("[" + re.escape(match[5] or ".") + "]", value)
    if match[4]:
        parts.reverse()
    if match[3]:
        parts = parts[-int(match[3]) :]
    text = ".".join(parts)
    return quote(text, safe="-._~") if match[2].isupper() else text
