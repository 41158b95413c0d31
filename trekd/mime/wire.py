"""
IMAP strings (RFC 3501 §4.3, §9).
"""

from __future__ import annotations

import re

_UNQUOTABLE = re.compile(rb"[^ !#-\[\]-~]")
_SPECIAL = re.compile(rb'["\\]')
_NEVER_QUOTED = re.compile(rb"[\x80-\xff]")
MAX_QUOTED = 1000
"""Octets of a quoted string; a longer one is sent as a literal, for clients with line buffers."""


def string(octets: bytes) -> bytes:
    """
    C{string}: quoted where it can be, a literal for 8-bit octets and long strings.

    CR, LF and NUL are left out: none may stand in a quoted string, NUL not even in a literal.
    """
    if len(octets) <= MAX_QUOTED and not _UNQUOTABLE.search(octets):
        return b'"%b"' % octets
    octets = octets.translate(None, b"\r\n\0")
    if len(octets) > MAX_QUOTED or _NEVER_QUOTED.search(octets):
        return b"{%d}\r\n%b" % (len(octets), octets)
    return b'"%b"' % _SPECIAL.sub(rb"\\\g<0>", octets)


def nstring(octets: bytes | None) -> bytes:
    """C{nstring}: NIL for C{None}."""
    return b"NIL" if octets is None else string(octets)
