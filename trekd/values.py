"""
Terms that every room shares: frozen, hashable, and valid once they exist.

Integers that travel in bulk (UIDs of a view, modification sequences of rows) stay plain C{int} inside arrays;
the types here mark them at the edges, where mixing them up would be an error.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import NewType

from trekd.errors import BadMailboxName, SyntaxFault

SeqNum = NewType("SeqNum", int)
"""Message sequence number, 1-based (RFC 9051 §2.3.1.2)."""

UID = NewType("UID", int)
"""Unique identifier within one mailbox, 1 to 2**32-1 (RFC 9051 §2.3.1.1)."""

UIDValidity = NewType("UIDValidity", int)
"""UIDVALIDITY of a mailbox, 1 to 2**32-1 (RFC 9051 §2.3.1.1)."""

ModSeq = NewType("ModSeq", int)
"""Modification sequence of an account, 1 to 2**63-1 (RFC 7162 §3.1)."""

MailboxId = NewType("MailboxId", str)
"""The mailbox's object identifier, never reused, kept by RENAME (RFC 8474 §4)."""

EmailId = NewType("EmailId", str)
"""Identifier of one immutable message, shared by its copies (RFC 8474 §5)."""

PrincipalId = NewType("PrincipalId", str)
"""
The canonical address of an account, lower case, as the directory spells it: the key of every limit and of all
that is stored.  Make one with L{Address.principal}; never from what a client typed.
"""

MAX_UID = 0xFFFFFFFF
MAX_MODSEQ = (1 << 63) - 1
"""RFC 7162 §7, mod-sequence-value."""

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_LABEL = re.compile(r"(?!-)[a-z0-9\u0080-\U0010ffff-]{1,63}(?<!-)")


@dataclass(frozen=True, slots=True)
class Address:
    """
    A mail address, C{local@domain} (RFC 5321 §4.1.2, RFC 6531 §3.3), without source route or quoting.

    @ivar local: the local part in NFC, letter case kept, quoted strings already unquoted.
    @ivar domain: lower case in NFC, no trailing dot; U-labels stay U-labels.
    """

    local: str
    domain: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """
        Read a plain C{dot-atom@domain} as a person types it.

        @raise SyntaxFault: C{text} is no full address.
        """
        local, at, domain = unicodedata.normalize("NFC", text).rpartition("@")
        domain = domain.lower().removesuffix(".")
        if not at or not domain:
            raise SyntaxFault("address with a domain", len(text))
        if not _LOCAL.fullmatch(local) or len(local.encode("utf-8", "replace")) > 64:
            raise SyntaxFault("local part", 0)
        labels = domain.split(".")
        if len(domain) > 253 or not all(map(_LABEL.fullmatch, labels)) or any(map(_not_printable, text)):
            raise SyntaxFault("domain", len(local) + 1)
        return cls(local, domain)

    @property
    def principal(self) -> PrincipalId:
        """The account key this address has when it is an account's canonical address."""
        return PrincipalId(str(self).lower())

    @property
    def without_tag(self) -> Address:
        """The address without its C{+tag} (RFC 5233 §1), itself when it has none."""
        base, plus, _ = self.local.partition("+")
        return Address(base, self.domain) if plus and base else self

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


def _not_printable(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp")


@dataclass(frozen=True, slots=True, order=True)
class MailboxName:
    """
    A mailbox's decoded name with C{/} between its levels, in NFC; any case of C{INBOX} is C{INBOX}
    (RFC 9051 §5.1), also as the first level of a longer name.
    """

    text: str

    DELIMITER = "/"
    MAX_OCTETS = 1000
    MAX_DEPTH = 32

    def __post_init__(self) -> None:
        text = unicodedata.normalize("NFC", self.text)
        levels = text.split(self.DELIMITER)
        if levels[0].upper() == "INBOX":
            text = self.DELIMITER.join(["INBOX", *levels[1:]])
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            raise BadMailboxName(self.text) from None
        if size > self.MAX_OCTETS or len(levels) > self.MAX_DEPTH or not all(map(_is_level, levels)):
            raise BadMailboxName(self.text)
        object.__setattr__(self, "text", text)

    @property
    def is_inbox(self) -> bool:
        """Whether this is the one INBOX itself."""
        return self.text == "INBOX"

    @property
    def levels(self) -> tuple[str, ...]:
        """The names of the levels from the top."""
        return tuple(self.text.split(self.DELIMITER))

    @property
    def parent(self) -> MailboxName | None:
        """The superior name, C{None} at the top."""
        head, delimiter, _ = self.text.rpartition(self.DELIMITER)
        return MailboxName(head) if delimiter else None

    def is_inferior_to(self, other: MailboxName) -> bool:
        """Whether C{other} is above this name."""
        return self.text.startswith(other.text + self.DELIMITER)

    def moved(self, source: MailboxName, target: MailboxName) -> MailboxName:
        """This name after C{source}, itself or above it, was renamed to C{target}."""
        return MailboxName(target.text + self.text[len(source.text) :])

    def __str__(self) -> str:
        return self.text


def _is_level(level: str) -> bool:
    """Whether C{level} can be one level of a mailbox name: printable, no wildcard, no path trick."""
    return level.strip() == level not in ("", ".", "..") and not any(map(_is_control, level))


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in "%*"


INBOX = MailboxName("INBOX")

SYSTEM_FLAGS = ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")
_SYSTEM_BY_FOLDED = {flag.lower(): flag for flag in SYSTEM_FLAGS}
_KEYWORD = re.compile(r"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]{1,255}")


@dataclass(frozen=True, slots=True, order=True)
class Flag:
    """
    A system flag (one of L{SYSTEM_FLAGS}) or a keyword (RFC 9051 §2.3.2); equal whatever the letter case.

    C{\\Recent} is none: it belongs to sessions, not to messages.
    """

    text: str

    def __post_init__(self) -> None:
        system = _SYSTEM_BY_FOLDED.get(self.text.lower())
        if system is not None:
            object.__setattr__(self, "text", system)
        elif not _KEYWORD.fullmatch(self.text):
            raise SyntaxFault("flag")

    @property
    def is_keyword(self) -> bool:
        """Whether this is a keyword, not a system flag."""
        return not self.text.startswith("\\")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Flag) and self.text.lower() == other.text.lower()

    def __hash__(self) -> int:
        return hash(self.text.lower())

    def __str__(self) -> str:
        return self.text


ANSWERED, FLAGGED, DELETED, SEEN, DRAFT = map(Flag, SYSTEM_FLAGS)

SPECIAL_USES = ("\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Important", "\\Junk", "\\Sent", "\\Trash")
"""Special-use attributes (RFC 6154 §2, RFC 8457 §3)."""


@dataclass(frozen=True, slots=True)
class SyncToken:
    """Where a client's copy of a collection stands (RFC 6578 §3.2); opaque outside the store."""

    modseq: ModSeq
