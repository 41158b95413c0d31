"""
Delivery status notifications: what a sender is told of the fate of copies (RFC 3461 §6, RFC 3464, RFC 6533).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import Enum

from trekd import errors
from trekd.errors import RemoteDeferred, RemoteRefused, SyntaxFault, TrekError
from trekd.queue.interfaces import MailTransaction, Recipient
from trekd.smtp.grammar.paths import write_mailbox, write_path, xtext
from trekd.values import PrincipalId

_STATUS: tuple[tuple[type[TrekError], str, str], ...] = (
    (errors.OverQuota, "5.2.2", "the mailbox is full"),
    (errors.NoSuchRecipient, "5.1.1", "there is no such address"),
    (errors.NotPermitted, "5.2.1", "the mailbox takes no mail"),
    (errors.MailLoop, "5.4.6", "the message goes round in circles"),
    (errors.Unavailable, "4.4.7", "it could not be delivered for too long"),
)

MAX_HEADER = 65536
"""Octets of the message's header that a notice returns."""

_LONGEST = 900
"""Characters of a line that somebody else's text is cut to (RFC 5322 §2.1.1)."""


class Action(Enum):
    """What became of a copy (RFC 3464 §2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


_SUBJECT = {
    Action.FAILED: "Your message was not delivered",
    Action.DELAYED: "Your message is late",
    Action.DELIVERED: "Your message was delivered",
    Action.RELAYED: "Your message was passed on",
    Action.EXPANDED: "Your message was delivered",
}

_EXPLANATION = {
    Action.FAILED: "Your message was not delivered to {recipient}: {reason}.",
    Action.DELAYED: "Your message to {recipient} could not be delivered yet: {reason}.\r\n"
    "There is no need to send it again: delivery is tried again until {until}.",
    Action.DELIVERED: "Your message was delivered to {recipient}.",
    Action.RELAYED: "Your message to {recipient} was passed on to {host}, which tells nothing of its further way.",
    Action.EXPANDED: "Your message was delivered to the members of {recipient}.",
}


@dataclass(frozen=True, slots=True)
class Fate:
    """
    What became of one recipient's copy.

    @ivar status: enhanced status code (RFC 3463).
    @ivar reason: in words.
    @ivar reply: what the other server said, C{""} when it was none that said it.
    @ivar host: the other server.
    @ivar tried: when it was last tried, Unix seconds; C{until}: when it will be given up; 0 for neither.
    """

    recipient: Recipient
    action: Action
    status: str
    reason: str = ""
    reply: str = ""
    host: str = ""
    tried: float = 0.0
    until: float = 0.0


def failed(recipient: Recipient, failure: TrekError, tried: float) -> Fate:
    """The fate of a copy that is given up."""
    if isinstance(failure, RemoteRefused):
        reason = f"{failure.host} refused it for good" if failure.host else failure.reply
        return Fate(recipient, Action.FAILED, _permanent(failure.status), reason, failure.reply, failure.host, tried)
    known = ((status, text) for kind, status, text in _STATUS if isinstance(failure, kind))
    status, reason = next(known, ("5.0.0", "it was refused"))
    if isinstance(failure, RemoteDeferred):
        if failure.host:
            return Fate(recipient, Action.FAILED, status, reason, failure.reply, failure.host, tried)
        reason = f"{reason}: {failure.reply}" if failure.reply else reason
    return Fate(recipient, Action.FAILED, status, reason, tried=tried)


def _permanent(status: str) -> str:
    """RFC 3464 §2.3.4: a status code of failure for good, whatever the other server made of it."""
    return status if status.startswith("5.") else "5.0.0"


@dataclass(frozen=True, slots=True)
class Notice:
    """
    A notice to the sender of one message.

    @ivar transaction: the message's; its reverse-path is not the null path.
    @ivar arrived: Unix seconds, as C{now}.
    @ivar fates: at least one, all with the same action.
    @ivar is_whole: the message is returned with its body.
    @ivar is_ascii: the part of the message that is returned holds nothing else.
    """

    transaction: MailTransaction
    arrived: float
    fates: Sequence[Fate]
    hostname: str
    now: float
    is_whole: bool = False
    is_ascii: bool = True

    @property
    def is_global(self) -> bool:
        """Whether it can only travel where addresses beyond ASCII can (RFC 6533 §4)."""
        addresses = [str(fate.recipient.address) for fate in self.fates]
        return not all(text.isascii() for text in (*addresses, write_path(self.transaction.reverse_path)))

    def head(self, boundary: str) -> bytes:
        """All that comes before the octets of the message that is returned."""
        action = self.fates[0].action
        explained = [
            _EXPLANATION[action].format(
                recipient=write_mailbox(fate.recipient.address),
                reason=_line(fate.reason) or "it has to wait",
                host=fate.host or "another server",
                until=_date(fate.until),
            )
            + (f"\r\n{_line(f'{fate.host} said: {fate.reply}')}" if fate.reply and fate.host else "")
            for fate in self.fates
        ]
        report = "message/global-delivery-status" if self.is_global else "message/delivery-status"
        lines = [
            f"From: Mail Delivery <MAILER-DAEMON@{self.hostname}>",
            f"To: {write_path(self.transaction.reverse_path)}",
            f"Subject: {_SUBJECT[action]}",
            f"Date: {_date(self.now)}",
            f"Message-ID: <{secrets.token_hex(10)}@{self.hostname}>",
            "Auto-Submitted: auto-replied",
            "MIME-Version: 1.0",
            f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"',
            "",
            *_part(boundary, "text/plain; charset=utf-8"),
            *explained,
            "",
            *_part(boundary, report),
            *self._message_fields(),
            *(line for fate in self.fates for line in self._recipient_fields(fate)),
            "",
            *_part(boundary, self._returned_type()),
            "",
        ]
        return "\r\n".join(lines).encode()

    def _returned_type(self) -> str:
        """RFC 6533 §4.2, §4.3: what is beyond ASCII has types of its own, where the message came so."""
        is_global = self.transaction.smtputf8 and not self.is_ascii
        if self.is_whole:
            return "message/global" if is_global else "message/rfc822"
        return "message/global-headers" if is_global else "text/rfc822-headers"

    def _message_fields(self) -> list[str]:
        """C{per-message-fields} (RFC 3464 §2.2)."""
        envelope_id = _decoded(self.transaction.envelope_id)
        return [
            *([f"Original-Envelope-Id: {envelope_id}"] if envelope_id else []),
            f"Reporting-MTA: dns; {self.hostname}",
            f"Arrival-Date: {_date(self.arrived)}",
        ]

    def _recipient_fields(self, fate: Fate) -> list[str]:
        """C{per-recipient-fields} (RFC 3464 §2.3), an empty line before them."""
        recipient = write_mailbox(fate.recipient.address)
        kind, _, original = fate.recipient.original.partition(";")
        original = _decoded(original)
        return [
            "",
            *([f"Original-Recipient: {kind}; {original}"] if original else []),
            f"Final-Recipient: {_address_type(recipient)}; {recipient}",
            f"Action: {fate.action.value}",
            f"Status: {fate.status}",
            *([f"Remote-MTA: dns; {_ascii_line(fate.host)}"] if fate.host else []),
            *([f"Diagnostic-Code: smtp; {_ascii_line(fate.reply)}"] if fate.reply and fate.host else []),
            *([f"Last-Attempt-Date: {_date(fate.tried)}"] if fate.tried else []),
            *([f"Will-Retry-Until: {_date(fate.until)}"] if fate.until else []),
        ]


@dataclass(frozen=True, slots=True)
class Letter:
    """
    A few words of this host to an account.

    @ivar subject: ASCII.
    @ivar text: paragraphs with CRLF line ends.
    """

    to: PrincipalId
    subject: str
    text: str
    hostname: str
    now: float

    def octets(self) -> bytes:
        """The whole message."""
        lines = [
            f"From: Mail Delivery <MAILER-DAEMON@{self.hostname}>",
            f"To: <{self.to}>",
            f"Subject: {self.subject}",
            f"Date: {_date(self.now)}",
            f"Message-ID: <{secrets.token_hex(10)}@{self.hostname}>",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: 8bit",
            "",
            self.text,
            "",
        ]
        return "\r\n".join(lines).encode()


def make_boundary() -> str:
    """A boundary that occurs in no message."""
    return f"=_{secrets.token_hex(16)}"


def tail(boundary: str) -> bytes:
    """What follows the octets of the message that is returned."""
    return f"\r\n--{boundary}--\r\n".encode()


def _part(boundary: str, kind: str) -> list[str]:
    """What stands in front of one part's body."""
    return [f"--{boundary}", f"Content-Type: {kind}", "Content-Transfer-Encoding: 8bit", ""]


def _line(text: str) -> str:
    """Somebody else's text, as one line that fits into a message."""
    return "".join(one if one.isprintable() else " " for one in text[:_LONGEST])


def _ascii_line(text: str) -> str:
    return _line(text).encode("ascii", "replace").decode()


def _decoded(text: str) -> str:
    """Decode xtext; C{""} for what is none, such as addresses beyond ASCII in a form of their own (RFC 6533 §3)."""
    try:
        return xtext(text)
    except SyntaxFault:
        return ""


def _date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC))


def _address_type(address: str) -> str:
    """RFC 6533 §3: addresses beyond ASCII have a type of their own."""
    return "rfc822" if address.isascii() else "utf-8"
