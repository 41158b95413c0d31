"""
DKIM-Signature fields: read, written, and what of a message they sign (RFC 6376 §3.5, §3.7, §5.4).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from trekd.errors import SyntaxFault
from trekd.mailauth.canonical import relaxed_field, simple_field
from trekd.mailauth.names import ascii_domain, is_within
from trekd.mailauth.tags import base64_value, colon_list, compact, parse_tags

NAME = b"dkim-signature"
MAX_FIELD = 65536

_REQUIRED = ("v", "a", "b", "bh", "d", "h", "s")
_NUMBER = re.compile(r"[0-9]{1,76}")
_FIELD_NAME = re.compile(r"[!-9<-~]+")
_OWN_VALUE = re.compile(rb"((?:\A|;)[ \t\r\n]*b[ \t\r\n]*=)[^;]*")
_FORMS: dict[str, Callable[[bytes], bytes]] = {"simple": simple_field, "relaxed": relaxed_field}
_WIDTH = 72

Field = tuple[bytes, bytes]
"""Name in lower case, octets with the line end."""


@dataclass(frozen=True, slots=True)
class Signature:
    """
    What a DKIM-Signature says.

    @ivar algorithm: C{a=}, such as C{rsa-sha256}.
    @ivar domain: C{d=}, as A-labels.
    @ivar selector: C{s=}, as A-labels.
    @ivar identity: the domain of C{i=}, C{domain} itself or below it.
    @ivar names: C{h=} in lower case, in order.
    @ivar header_form: C{simple} or C{relaxed}; likewise C{body_form}.
    @ivar length: C{l=}, octets of the canonical body; C{None} for all.
    @ivar expires: C{x=}, Unix seconds.
    """

    algorithm: str
    domain: str
    selector: str
    identity: str
    names: tuple[bytes, ...]
    header_form: str
    body_form: str
    digest: bytes
    signature: bytes
    length: int | None = None
    expires: int | None = None

    @property
    def record(self) -> str:
        """The DNS name of the key (RFC 6376 §3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"


def parse_signature(raw: bytes) -> Signature:
    """
    Read a field (RFC 6376 §6.1.1).

    @raise SyntaxFault: it must be ignored; its rule says why.
    """
    if len(raw) > MAX_FIELD:
        raise SyntaxFault("a shorter field")
    try:
        tags = parse_tags(raw.partition(b":")[2].decode("utf-8"))
    except UnicodeDecodeError:
        raise SyntaxFault("UTF-8") from None
    missing = [name for name in _REQUIRED if name not in tags]
    if missing:
        raise SyntaxFault(f"{missing[0]}=")
    if compact(tags["v"]) != "1":
        raise SyntaxFault("v=1")
    if "q" in tags and "dns/txt" not in colon_list(tags["q"]):
        raise SyntaxFault("q=dns/txt")
    names = _names(tags["h"])
    if b"from" not in names:
        raise SyntaxFault("h= with From")
    domain = ascii_domain(compact(tags["d"]))
    header_form, body_form = _forms(tags.get("c", "simple/simple"))
    return Signature(
        algorithm=compact(tags["a"]).lower(),
        domain=domain,
        selector=ascii_domain(compact(tags["s"])),
        identity=_identity(tags.get("i"), domain),
        names=names,
        header_form=header_form,
        body_form=body_form,
        digest=base64_value(tags["bh"]),
        signature=base64_value(tags["b"]),
        length=_number(tags, "l"),
        expires=_expiry(tags),
    )


def _names(value: str) -> tuple[bytes, ...]:
    names = colon_list(value)
    if not all(map(_FIELD_NAME.fullmatch, names)):
        raise SyntaxFault("h=")
    return tuple(name.encode("ascii", "replace") for name in names)


def _forms(value: str) -> tuple[str, str]:
    header, _, body = compact(value).lower().partition("/")
    body = body or "simple"
    if header not in _FORMS or body not in _FORMS:
        raise SyntaxFault("c=")
    return header, body


def _identity(value: str | None, domain: str) -> str:
    if value is None:
        return domain
    _, at, written = compact(value).rpartition("@")
    if not at:
        raise SyntaxFault("i= within d=")
    identity = ascii_domain(written)
    if not is_within(identity, domain):
        raise SyntaxFault("i= within d=")
    return identity


def _number(tags: dict[str, str], name: str) -> int | None:
    if name not in tags:
        return None
    value = compact(tags[name])
    if not _NUMBER.fullmatch(value):
        raise SyntaxFault(f"{name}=")
    return int(value)


def _expiry(tags: dict[str, str]) -> int | None:
    made, expires = _number(tags, "t"), _number(tags, "x")
    if made is not None and expires is not None and expires <= made:
        raise SyntaxFault("x= after t=")
    return expires


def signed_octets(own: bytes, fields: Iterable[Field], names: Sequence[bytes], form: str) -> bytes:
    """
    What a signature's header part is made over (RFC 6376 §3.7, §5.4.2).

    @param own: the DKIM-Signature field itself.
    @param fields: of the message, in order.
    @param names: C{h=}; each takes the last field of that name not yet taken, or nothing.
    """
    canonical = _FORMS[form]
    wanted: dict[bytes, list[bytes]] = {name: [] for name in names}
    for name, raw in fields:
        if name in wanted:
            wanted[name].append(raw)
    taken = [canonical(wanted[name].pop()) for name in names if wanted[name]]
    name, _, value = own.partition(b":")
    bare = name + b":" + _OWN_VALUE.sub(rb"\1", value, count=1)
    return b"".join(taken) + canonical(bare).removesuffix(b"\r\n")


@dataclass(frozen=True, slots=True)
class Draft:
    """
    A DKIM-Signature about to be written, C{relaxed/relaxed} (RFC 6376 §3.5).

    @ivar names: C{h=} as it shall be read, in order.
    @ivar now: C{t=}, Unix seconds.
    @ivar digest: of the canonical body.
    """

    algorithm: str
    domain: str
    selector: str
    names: tuple[bytes, ...]
    now: int
    digest: bytes

    def field(self, signature: bytes = b"") -> bytes:
        """The field with its line end; without a signature as it is signed."""
        facts = f"v=1; a={self.algorithm}; c=relaxed/relaxed; d={self.domain};\r\n\ts={self.selector}; t={self.now};"
        lines = [f"DKIM-Signature: {facts}", *_folded("h=", [f"{name.decode()}:" for name in self.names], ":;")]
        lines.append(f"\tbh={base64.b64encode(self.digest).decode()};")
        value = base64.b64encode(signature).decode()
        pieces = [value[at : at + _WIDTH - 2] for at in range(0, len(value), _WIDTH - 2)]
        lines.append("\tb=" + "\r\n\t ".join(pieces))
        return "\r\n".join(lines).encode() + b"\r\n"


def _folded(tag: str, words: list[str], end: str) -> list[str]:
    """A list in lines; the mark after its last word is replaced."""
    lines, line = [], "\t" + tag
    for word in words:
        if len(line) + len(word) > _WIDTH:
            lines.append(line)
            line = "\t "
        line += word
    return [*lines, line.removesuffix(end[0]) + end[1]]
