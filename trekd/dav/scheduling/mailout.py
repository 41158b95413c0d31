"""
A message as mail (RFC 6047): words for people, and text/calendar for programs, in one multipart/alternative.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from email.headerregistry import Address as Mailbox
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from trekd.calendar.facts import mail_address
from trekd.calendar.itipreceived import read_message
from trekd.calendar.itiptext import subject_and_text
from trekd.directory.interfaces import Account
from trekd.values import Address

_POLICY = SMTP.clone(cte_type="7bit")


def write_mail(account: Account, recipients: Sequence[Address], octets: bytes, now: int) -> tuple[Address, bytes]:
    """
    Write the mail that brings a message.

    It is from the address by which the calendar knows the account, where that is one of its own.  The same message
    has the same identifier, however often it is sent.

    @param octets: the message.
    @param now: Unix seconds.
    @return: its sender, and the whole mail.
    """
    told = read_message(octets)
    lines = [told.found.organizer_line, told.respondent]
    known = {mail_address(line.value) for line in lines if line is not None}
    sender = next((each for each in (account.address, *account.aliases) if str(each).lower() in known), account.address)
    subject, text = subject_and_text(told)
    mail = EmailMessage(_POLICY)
    mail["From"] = Mailbox(_printable(account.display_name), addr_spec=_spec(sender))
    mail["To"] = [Mailbox(addr_spec=_spec(each)) for each in recipients]
    mail["Subject"] = subject
    mail["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    people = "\n".join(map(str, recipients)).encode()
    mail["Message-ID"] = f"<{hashlib.sha256(octets + people).hexdigest()[:40]}@{account.address.domain}>"
    mail.set_content(text, charset="utf-8", cte="quoted-printable")
    mail.add_alternative(octets, "text", "calendar", cte="base64")
    calendar = list(mail.iter_parts())[-1]
    calendar.replace_header("Content-Type", f"text/calendar; charset=utf-8; method={told.method}")
    return sender, mail.as_bytes()


def _spec(address: Address) -> str:
    return str(address)


def _printable(name: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in name).split())
