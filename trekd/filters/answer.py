"""
The automatic answer to a message (RFC 3834 §3, RFC 5230 §5), as octets.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from datetime import UTC, datetime
from email.utils import format_datetime

from trekd.directory.interfaces import Account
from trekd.mime.encoded import decode_words
from trekd.mime.header import field_values
from trekd.smtp.grammar.paths import write_mailbox
from trekd.values import Address

MAX_SUBJECT = 200
"""Characters of the original subject that are repeated."""

MAX_REFERENCES = 900
"""Octets of message identifiers that are repeated."""

_MESSAGE_ID = re.compile(rb"<[!-;=?-~]{1,250}@[!-;=?-~]{1,250}>")
_WORD = 39
"""Octets of UTF-8 in one encoded word: 52 letters of base64, within the 75 of RFC 2047 §2."""


def write_answer(
    account: Account, sender: Address, header: bytes, texts: tuple[str, str], now: float
) -> bytes:
    """
    A whole message.

    @param header: of the message that is answered.
    @param texts: subject and text; an empty subject is C{Auto:} and the original one.
    @param now: Unix seconds.
    """
    subject, text = texts
    identifiers = _identifiers(header, b"message-id")[-1:]
    lines = [
        f"From: {_mailbox(account)}",
        f"To: {write_mailbox(sender)}",
        f"Subject: {encoded(subject or 'Auto: ' + _original_subject(header))}",
        f"Date: {format_datetime(datetime.fromtimestamp(now, UTC))}",
        f"Message-ID: <{secrets.token_hex(16)}@{account.address.domain}>",
    ]
    if identifiers:
        references = _identifiers(header, b"references") or _identifiers(header, b"in-reply-to")
        lines.append(f"In-Reply-To: {identifiers[0]}")
        lines.append("References: " + "\r\n ".join([*_within(references, identifiers[0]), identifiers[0]]))
    lines += [
        "Auto-Submitted: auto-replied",
        "X-Auto-Response-Suppress: All",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: quoted-printable",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + _body(text)


def encoded(text: str) -> str:
    """
    Text as C{unstructured} (RFC 5322 §3.6.5): encoded words (RFC 2047) where it is not plain ASCII, folded; it never
    begins another field.
    """
    clean = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    if clean.isascii() and "=?" not in clean and len(clean) < 900:
        return clean
    words: list[str] = []
    piece = b""
    for character in clean.encode("utf-8", "replace").decode():
        octets = character.encode()
        if len(piece) + len(octets) > _WORD:
            words.append(_encoded_word(piece))
            piece = b""
        piece += octets
    return "\r\n ".join([*words, _encoded_word(piece)])


def _encoded_word(octets: bytes) -> str:
    return f"=?utf-8?B?{base64.b64encode(octets).decode()}?="


def _mailbox(account: Account) -> str:
    """C{mailbox} (RFC 5322 §3.4) with the account's display name."""
    address = write_mailbox(account.address)
    name = encoded(account.display_name)
    if not account.display_name.strip():
        return address
    if not name.startswith("=?"):
        name = '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
    return f"{name} <{address}>"


def _original_subject(header: bytes) -> str:
    values = field_values(header, b"subject")
    text = decode_words(values[0]) if values else ""
    return text[:MAX_SUBJECT].strip() or "your message"


def _identifiers(header: bytes, name: bytes) -> list[str]:
    """Message identifiers of a field (RFC 5322 §3.6.4)."""
    return [found.decode() for value in field_values(header, name)[:1] for found in _MESSAGE_ID.findall(value)]


def _within(references: list[str], last: str) -> list[str]:
    """The latest identifiers that have room."""
    kept: list[str] = []
    room = MAX_REFERENCES
    for one in reversed(references):
        room -= len(one)
        if room < 0:
            break
        if one != last:
            kept.append(one)
    return kept[::-1]


def _body(text: str) -> bytes:
    """Text as quoted-printable with CRLF line ends (RFC 2045 §6.7)."""
    lines = "".join(each for each in text if each in "\n\t" or each.isprintable()).split("\n")
    quoted = [binascii.b2a_qp(line.encode("utf-8", "replace"), istext=False) for line in lines]
    return b"\r\n".join(line.replace(b"=\n", b"=\r\n") for line in quoted).rstrip(b"\r\n") + b"\r\n"


def write_note(account: Account, targets: list[Address], hostname: str, now: float) -> bytes:
    """Tell an account's owner that its mail is not forwarded."""
    lines = [
        f"From: Mail Delivery <MAILER-DAEMON@{hostname}>",
        f"To: {_mailbox(account)}",
        "Subject: Your mail is not forwarded",
        f"Date: {format_datetime(datetime.fromtimestamp(now, UTC))}",
        f"Message-ID: <{secrets.token_hex(16)}@{hostname}>",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: quoted-printable",
    ]
    text = (
        "Your mailbox is set to forward mail to\n\n"
        + "".join(f"    {target}\n" for target in targets)
        + "\nYour plan sends mail to other domains only through your own SMTP provider, and none is set up.\n"
        "Your mail stays in this mailbox until then.\n"
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + _body(text)
