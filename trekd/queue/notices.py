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
from trekd.queue.spool import Entry
from trekd.smtp.grammar.paths import write_mailbox

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
    status, reason = next(
        ((status, text) for kind, status, text in _STATUS if isinstance(failure, kind)), ("5.0.0", "it was refused")
    )
    reverse_path = entry.transaction.reverse_path
    assert reverse_path is not None  # the caller looked
    recipient, sender = write_mailbox(entry.recipient.address), write_mailbox(reverse_path)
    boundary = f"=_{secrets.token_hex(16)}"
    arrived = format_datetime(datetime.fromtimestamp(entry.arrived, UTC))
    fields = [f"Reporting-MTA: dns; {hostname}", f"Arrival-Date: {arrived}"]
    if entry.transaction.envelope_id:
        fields.insert(0, f"Original-Envelope-Id: {entry.transaction.envelope_id}")
    fields.append("")
    if entry.recipient.original:
        fields.append(f"Original-Recipient: {entry.recipient.original}")
    fields += [f"Final-Recipient: {_address_type(recipient)}; {recipient}", "Action: failed", f"Status: {status}"]
    head = [
        f"From: Mail Delivery <MAILER-DAEMON@{hostname}>",
        f"To: <{sender}>",
        "Subject: Your message was not delivered",
        f"Date: {format_datetime(datetime.fromtimestamp(now, UTC))}",
        f"Message-ID: <{secrets.token_hex(10)}@{hostname}>",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"',
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        f"Your message was not delivered to {recipient}: {reason}.",
        "",
        f"--{boundary}",
        f"Content-Type: message/{'delivery-status' if recipient.isascii() else 'global-delivery-status'}",
        "",
        *fields,
        "",
        f"--{boundary}",
        "Content-Type: text/rfc822-headers",
        "",
        "",
    ]
    header = content[: min(split_header(content), MAX_HEADER)]
    return "\r\n".join(head).encode() + header + f"\r\n--{boundary}--\r\n".encode()


def _address_type(address: str) -> str:
    """RFC 6533 §3: addresses beyond ASCII have a type of their own."""
    return "rfc822" if address.isascii() else "utf-8"
