"""
MTA-STS as text: the TXT record that tells of a policy, and the policy (RFC 8461 §3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from trekd.errors import SyntaxFault
from trekd.relay.certificates import name_matches

MAX_POLICY = 65536
"""Octets of a policy (RFC 8461 §3.3)."""
MAX_EXCHANGERS = 500
MAX_AGE = 31557600
"""Seconds of a year: the longest that a policy holds (RFC 8461 §3.2)."""

MODES = ("enforce", "testing", "none")

# RFC 8461 §3.1: sts-id = %s"id" *WSP "=" *WSP 1*32(ALPHA / DIGIT)
_ID = re.compile(r"id[ \t]*=[ \t]*([A-Za-z0-9]{1,32})[ \t]*")
_MX = re.compile(r"(?:\*\.)?[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")


@dataclass(frozen=True, slots=True)
class STSPolicy:
    """
    What a domain asks for.

    @ivar mode: C{enforce}, C{testing} or C{none}.
    @ivar exchangers: patterns of host names, lower case; C{*.} stands for one label.
    @ivar max_age: seconds.
    """

    mode: str
    exchangers: tuple[str, ...]
    max_age: int

    def names(self, exchanger: str) -> bool:
        """Whether it names an exchanger (RFC 8461 §4.1)."""
        return any(name_matches(pattern, exchanger) for pattern in self.exchangers)


def record_id(texts: Iterable[bytes]) -> str:
    """
    The identifier of the policy in force.

    @param texts: the TXT records at C{_mta-sts}; others are passed over.
    @return: C{""} without exactly one record that can be read (RFC 8461 §3.1).
    """
    records = [text for text in texts if text.startswith(b"v=STSv1;")]
    if len(records) != 1 or len(records[0]) > 1000:
        return ""
    for field in records[0].decode("ascii", "replace").split(";")[1:]:
        match = _ID.fullmatch(field.strip(" \t"))
        if match is not None:
            return match[1]
    return ""


def read_policy(octets: bytes) -> STSPolicy:
    """
    Read a policy (RFC 8461 §3.2): of keys that come twice the first counts, but for C{mx}; unknown ones are passed
    over.

    @raise SyntaxFault: it is none.
    """
    if len(octets) > MAX_POLICY:
        raise SyntaxFault("sts-policy-record")
    lines = re.split(r"\r?\n", octets.decode("utf-8", "replace"))
    fields: dict[str, str] = {}
    exchangers: list[str] = []
    for line in lines:
        key, colon, value = line.partition(":")
        key, value = key.strip(" \t"), value.strip(" \t")
        if colon and key == "mx":
            exchangers.append(value.lower().removesuffix("."))
        elif colon:
            fields.setdefault(key, value)
    if fields.get("version") != "STSv1" or fields.get("mode") not in MODES:
        raise SyntaxFault("sts-policy-version and sts-policy-mode")
    age = fields.get("max_age", "")
    if not re.fullmatch(r"[0-9]{1,10}", age):
        raise SyntaxFault("sts-policy-max-age")
    if len(exchangers) > MAX_EXCHANGERS or not all(map(_MX.fullmatch, exchangers)):
        raise SyntaxFault("sts-policy-mx")
    if not exchangers and fields["mode"] != "none":
        raise SyntaxFault("sts-policy-mx")
    return STSPolicy(fields["mode"], tuple(exchangers), min(int(age), MAX_AGE))


def write_policy(policy: STSPolicy) -> bytes:
    """A policy as it is served."""
    lines = ["version: STSv1", f"mode: {policy.mode}"]
    lines += [f"mx: {name}" for name in policy.exchangers]
    lines += [f"max_age: {policy.max_age}", ""]
    return "\r\n".join(lines).encode("ascii")
