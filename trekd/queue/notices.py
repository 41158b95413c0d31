"""
The notice to a sender that a copy of the message was not delivered (RFC 3461 §6, RFC 3464).
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from email.utils import format_datetime

from trekd import errors
from trekd.errors import TrekError
from trekd.mime.header import split_header
from trekd.queue.entries import Entry
from trekd.smtp.grammar.paths import write_mailbox, write_path, xtext

_STATUS: tuple[tuple[type[TrekError], str, str], ...] = (
    (errors.OverQuota, "5.2.2", "the mailbox is full"),
    (errors.NoSuchRecipient, "5.1.1", "there is no such address"),
    (errors.NotPermitted, "5.2.1", "the mailbox takes no mail"),
    (errors.MailLoop, "5.4.6", "the message goes round in circles"),
    (errors.Unavailable, "4.4.7", "it could not be delivered for too long"),
)

MAX_HEADER = 65536
"""Octets of the message's header that the notice returns."""


def failure_notice(entry: Entry, content: bytes, failure: TrekError, hostname: str, now: float) -> bytes:
    """
    A whole message to C{entry}'s reverse-path, which must not be the null path.

    @param content: the undelivered message; its header is returned.
    """
    sender, recipient = entry.transaction.reverse_path, write_mailbox(entry.recipient.address)
    assert sender is not None  # the caller looked
    known = ((status, text) for kind, status, text in _STATUS if isinstance(failure, kind))
    status, reason = next(known, ("5.0.0", "it was refused"))
    boundary = f"=_{secrets.token_hex(16)}"
    report = "message/delivery-status" if recipient.isascii() else "message/global-delivery-status"
    lines = [
        f"From: Mail Delivery <MAILER-DAEMON@{hostname}>",
        f"To: {write_path(sender)}",
        "Subject: Your message was not delivered",
        f"Date: {_date(now)}",
        f"Message-ID: <{secrets.token_hex(10)}@{hostname}>",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"',
        "",
        *_part(boundary, "text/plain; charset=utf-8"),
        f"Your message was not delivered to {recipient}: {reason}.",
        "",
        *_part(boundary, report),
        *_status_fields(entry, recipient, status, hostname),
        "",
        *_part(boundary, "text/rfc822-headers"),
        "",
    ]
    header = content[: min(split_header(content), MAX_HEADER)]
    return "\r\n".join(lines).encode() + header + f"\r\n--{boundary}--\r\n".encode()


def _part(boundary: str, kind: str) -> list[str]:
    """What stands in front of one part's body."""
    return [f"--{boundary}", f"Content-Type: {kind}", "Content-Transfer-Encoding: 8bit", ""]


def _status_fields(entry: Entry, recipient: str, status: str, hostname: str) -> list[str]:
    """C{per-message-fields} and C{per-recipient-fields} (RFC 3464 §2.2, §2.3)."""
    envelope_id = xtext(entry.transaction.envelope_id)
    kind, _, original = entry.recipient.original.partition(";")
    return [
        *([f"Original-Envelope-Id: {envelope_id}"] if envelope_id else []),
        f"Reporting-MTA: dns; {hostname}",
        f"Arrival-Date: {_date(entry.arrived)}",
        "",
        *([f"Original-Recipient: {kind}; {xtext(original)}"] if original else []),
        f"Final-Recipient: {_address_type(recipient)}; {recipient}",
        "Action: failed",
        f"Status: {status}",
    ]


def _date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC))


def _address_type(address: str) -> str:
    """RFC 6533 §3: addresses beyond ASCII have a type of their own."""
    return "rfc822" if address.isascii() else "utf-8"
