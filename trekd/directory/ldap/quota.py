"""
Quotas as directories write them.
"""

from __future__ import annotations

import re

from trekd.errors import SyntaxFault

MAX_QUOTA = 2**53

_KIB_ATTRIBUTES = frozenset({"mdboverhardquotalimit", "mdboverquotalimit", "mdbstoragequota"})
"""Attributes of Exchange, whose numbers are KiB."""

_SIZE = re.compile(r"([0-9]{1,16})(?:\.([0-9]{1,6}))?\s*([kmgt]?)i?b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_COUNTED = re.compile(r"(?:[0-9]{1,16}C\s*,\s*)?([0-9]{1,16})S(?:\s*,\s*[0-9]{1,16}C)?", re.IGNORECASE)
_RULE = re.compile(r"(?:[^:]*:)?(?:messages=[0-9]+:)?(storage|bytes)=([^:]+)(?::messages=[0-9]+)?", re.IGNORECASE)


def read_quota(text: str, attribute: str = "") -> int | None:
    """
    Read a quota in any of five notations: octets (C{5368709120}), with a unit (C{5GB}, C{1.5 G}), Maildir++ as
    qmail has it (C{5368709120S,10000C}; the count of messages is not used), Dovecot's rule (C{*:storage=5G}, where
    a bare number is KiB; C{*:bytes=N}), and KiB in the attributes of Exchange.

    @return: octets; C{None} for 0 and negative numbers, which leave it to the plan.
    @raise SyntaxFault: none of these.
    """
    text = text.strip()
    if re.fullmatch(r"-[0-9]{1,16}", text):
        return None
    unit = 1024 if attribute.lower() in _KIB_ATTRIBUTES else 1
    if counted := _COUNTED.fullmatch(text):
        octets = int(counted[1])
    elif rule := _RULE.fullmatch(text):
        octets = _size(rule[2], 1024 if rule[1].lower() == "storage" else 1)
    else:
        octets = _size(text, unit)
    if octets > MAX_QUOTA:
        raise SyntaxFault("quota of at most 8 PiB")
    return octets or None


def _size(text: str, bare_unit: int) -> int:
    """A number with or without a unit, in octets."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise SyntaxFault("quota such as 5368709120, 5GB, 5368709120S,1000C or *:storage=5G")
    whole, fraction, letter = int(found[1]), found[2] or "0", found[3].lower()
    has_unit = bool(letter) or text.strip()[-1:].lower() == "b"
    scale: int = 1024 ** _POWERS[letter] if has_unit else bare_unit
    part: int = 10 ** len(fraction)
    return whole * scale + int(fraction) * scale // part
