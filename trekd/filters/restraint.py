"""
Which messages are answered automatically (RFC 3834 §2, RFC 5230 §4.2, §4.6): those that a person wrote to the account,
and nobody else's machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from trekd.mime.addresses import addresses
from trekd.mime.encoded import guess
from trekd.mime.header import field_values, raw_fields, split_header
from trekd.values import Address

_NOBODY = re.compile(
    r"mailer-daemon|mailer|daemon|postmaster|listserv|majordomo|root|bounces?|(?:do|auto)[._-]?not[._-]?reply"
    r"|no[._-]?reply|owner-.*|.*-(?:request|relay|owner|bounces?)|(?:bounces?|msprvs1|prvs)[=+-].*|srs[01][=+-].*",
    re.I | re.S,
)
"""Local parts behind which nobody reads (RFC 5230 §4.6, RFC 3834 §2)."""

_TO = (b"to", b"cc", b"bcc", b"resent-to", b"resent-cc", b"resent-bcc")

_YES = frozenset([b"yes", b"true"])
_BULK = frozenset([b"bulk", b"list", b"junk"])
_SUPPRESSED = frozenset([b"all", b"oof", b"autoreply"])


def is_person(sender: Address | None) -> bool:
    """Whether somebody may read what is sent to a reverse-path; C{None} is the null path."""
    return sender is not None and bool(sender.domain) and _NOBODY.fullmatch(sender.local) is None


def is_automatic(header: bytes) -> bool:
    """Whether a message was sent to many, or by a machine, or wants no answer, or is spam."""
    names = {name for name, _ in raw_fields(header[: split_header(header)])}
    if any(name.startswith(b"list-") or name == b"mailing-list" for name in names):
        return True
    automatic = any(_word(value) != b"no" for value in field_values(header, b"auto-submitted"))
    bulk = any(_word(value) in _BULK for value in field_values(header, b"precedence"))
    spam = any(_word(value) in _YES for value in field_values(header, b"x-spam-flag"))
    spam = spam or any(_word(value) in _YES for value in field_values(header, b"x-spam"))
    return automatic or bulk or spam or _is_suppressed(header)


def _is_suppressed(header: bytes) -> bool:
    """C{X-Auto-Response-Suppress} of Microsoft's servers, a list of words."""
    values = field_values(header, b"x-auto-response-suppress")
    return any(word.strip() in _SUPPRESSED for value in values for word in value.lower().split(b","))


def _word(value: bytes) -> bytes:
    """The first word, before comments and parameters."""
    words = re.split(rb"[\s;(]+", value.strip().lower(), maxsplit=1)
    return words[0]


def is_named(header: bytes, own: Iterable[Address]) -> bool:
    """Whether one of the addresses stands in a field that says whom the message is for (RFC 5230 §4.5)."""
    wanted = {str(one).lower() for one in own}
    for name in _TO:
        for value in field_values(header, name):
            for entry in addresses(value):
                if entry.domain is None:
                    continue
                found = Address(guess(entry.local or b""), guess(entry.domain).lower())
                if str(found).lower() in wanted or str(found.without_tag).lower() in wanted:
                    return True
    return False
