"""
Paths, domains and xtext: the arguments that carry addresses (RFC 5321 §4.1.2, §4.1.3, RFC 3461 §4, RFC 6531
§3.3).

Text is already decoded from UTF-8 and free of control characters when it comes here
(L{trekd.smtp.grammar.commands}).
"""

from __future__ import annotations

import re
import unicodedata
from ipaddress import IPv4Address, IPv6Address

from trekd.errors import SyntaxFault
from trekd.values import Address

MAX_PATH = 256
"""
Octets of a path with its brackets (RFC 5321 §4.5.3.1.3); local parts may take more than 64 of them (VERP,
SRS).
"""

POSTMASTER = Address("postmaster", "")
"""What C{RCPT TO:<Postmaster>} names: the postmaster of this host (RFC 5321 §4.1.1.3)."""

_UTF8 = r"\u0080-\U0010ffff"
_ATEXT = rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~{_UTF8}-]"
_DOT_STRING = rf"{_ATEXT}+(?:\.{_ATEXT}+)*"
_QUOTED = rf'"(?:[ !#-\[\]-~{_UTF8}]|\\[ -~])*"'
_LABEL = rf"[A-Za-z0-9{_UTF8}](?:[A-Za-z0-9{_UTF8}-]{{0,61}}[A-Za-z0-9{_UTF8}])?"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"
_LITERAL = r"\[[!-Z^-~]+\]"

_DOT_STRING_ONLY = re.compile(_DOT_STRING)
_MAILBOX = re.compile(rf"(?P<local>{_DOT_STRING}|{_QUOTED})@(?P<domain>{_DOMAIN}\.?|{_LITERAL})")
_ROUTE = re.compile(rf"@{_DOMAIN}(?:,@{_DOMAIN})*:")
_PATH_END = re.compile(r'<(?:[^<>"]|"(?:[^"\\]|\\.)*")*>')
_GENERAL_LITERAL = re.compile(r"[A-Za-z0-9-]*[A-Za-z0-9]:[!-Z^-~]+")
_HELLO_NAME = re.compile(rf"[A-Za-z0-9{_UTF8}][A-Za-z0-9._{_UTF8}-]*|{_LITERAL}")
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
_HEXCHAR = re.compile(r"\+([0-9A-F]{2})")


def mailbox(text: str) -> Address:
    """
    C{Mailbox = Local-part "@" ( Domain / address-literal )} (RFC 5321 §4.1.2).

    @return: the local part unquoted and in NFC, the domain in lower case (an address literal with its
        brackets).
    @raise SyntaxFault: C{text} is none.
    """
    match = _MAILBOX.fullmatch(text)
    if match is None or len(text.encode()) > MAX_PATH - 2:
        raise SyntaxFault("Mailbox")
    local, domain = match["local"], match["domain"]
    if local.startswith('"'):
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    if domain.startswith("["):
        _address_literal(domain[1:-1])
    elif len(domain.encode()) > 255 or not domain.isprintable():
        raise SyntaxFault("Domain", len(match["local"]) + 1)
    if not local or not local.isprintable():
        raise SyntaxFault("Local-part")
    normal = unicodedata.normalize("NFC", domain).lower().removesuffix(".")
    return Address(unicodedata.normalize("NFC", local), normal)


def _address_literal(text: str) -> None:
    """C{address-literal = "[" ( IPv4 / "IPv6:" IPv6 / General ) "]"} (RFC 5321 §4.1.3)."""
    try:
        if text[:5].lower() == "ipv6:":
            IPv6Address(text[5:])
        elif not _GENERAL_LITERAL.fullmatch(text):
            IPv4Address(text)
    except ValueError:
        raise SyntaxFault("address-literal") from None


def write_mailbox(address: Address) -> str:
    """
    An address in SMTP form: its local part quoted when it must be (the mirror of L{mailbox}).

    @return: without brackets; just the local part when C{address} has no domain.
    """
    local = address.local
    if not _DOT_STRING_ONLY.fullmatch(local):
        local = '"' + re.sub(r'(["\\])', r"\\\1", local) + '"'
    return f"{local}@{address.domain}" if address.domain else local


def write_path(address: Address | None) -> str:
    """An address in its brackets, C{<>} for the null path."""
    return f"<{write_mailbox(address)}>" if address is not None else "<>"


def split_path(text: str) -> tuple[str, str]:
    """
    Cut a path in its brackets from the front of an argument.

    @return: what is inside the brackets, without a source route (which is to be ignored, RFC 5321 §4.1.1.3),
        and what follows them.
    @raise SyntaxFault: C{text} starts with no path.
    """
    match = _PATH_END.match(text)
    if match is None:
        raise SyntaxFault("Path")
    inside = match.group()[1:-1]
    route = _ROUTE.match(inside)
    return inside[route.end() if route else 0 :], text[match.end() :]


def reverse_path(text: str) -> tuple[Address | None, str]:
    """
    C{Reverse-path = Path / "<>"} (RFC 5321 §4.1.2).

    @return: the address, C{None} for the null path, and what follows in C{text}.
    @raise SyntaxFault: C{text} starts with no reverse-path.
    """
    try:
        inside, rest = split_path(text)
        return (mailbox(inside) if inside else None), rest
    except SyntaxFault as fault:
        raise SyntaxFault("Reverse-path", fault.offset) from None


def forward_path(text: str) -> tuple[Address, str]:
    """
    C{"<Postmaster>" / Forward-path} (RFC 5321 §4.1.1.3).

    @return: the address, L{POSTMASTER} for the bare name in any case, and what follows in C{text}.
    @raise SyntaxFault: C{text} starts with no forward-path.
    """
    try:
        inside, rest = split_path(text)
        return (POSTMASTER if inside.lower() == "postmaster" else mailbox(inside)), rest
    except SyntaxFault as fault:
        raise SyntaxFault("Forward-path", fault.offset) from None


def hello_name(text: str) -> str:
    """
    The name in EHLO, HELO or LHLO: C{Domain / address-literal} (RFC 5321 §4.1.1.1), underscores allowed, a
    name never looked up and never trusted.

    Clients send literals they made up; only what cannot stand in a header field is refused.

    @raise SyntaxFault: C{text} is no name.
    """
    if len(text.encode()) > 255 or not _HELLO_NAME.fullmatch(text) or not text.isprintable():
        raise SyntaxFault("Domain")
    return text


def xtext(text: str) -> str:
    """
    Decode C{xtext = *( xchar / hexchar )} (RFC 3461 §4) of printable ASCII.

    @raise SyntaxFault: C{text} is no xtext, or hides a control character or an octet beyond ASCII.
    """
    if not _XTEXT.fullmatch(text):
        raise SyntaxFault("xtext")
    decoded = _HEXCHAR.sub(lambda match: chr(int(match[1], 16)), text)
    if not (decoded.isascii() and decoded.isprintable()):
        raise SyntaxFault("xtext of printable characters")
    return decoded


def write_xtext(text: str) -> str:
    """Encode printable ASCII as xtext (the mirror of L{xtext})."""
    return re.sub(r"[^!-*,-<>-~]", lambda match: f"+{ord(match[0]):02X}", text)
