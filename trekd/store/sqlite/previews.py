"""
Previews of messages that came before previews were stored with them; they are made when they are first asked for.
"""

from __future__ import annotations

import json
import os

from trekd.store.interfaces import MailboxView, MessageReader
from trekd.store.sqlite import mailboxes
from trekd.store.sqlite.database import Database, value
from trekd.store.sqlite.paths import AccountFiles
from trekd.store.sqlite.transactions import Transaction
from trekd.store.sqlite.transfer import uids_at

AT_ONCE = 100
"""Messages of one transaction."""


def are_complete(database: Database) -> bool:
    """Whether all messages of the account came with theirs."""
    return not value(database, "SELECT previews_from FROM account")


def missing(database: Database, view: MailboxView, positions: tuple[range, ...]) -> list[int]:
    """Emails of the messages at these positions that have none, each once."""
    base = mailboxes.identified(database, view.mailbox).base
    rows = database.rows(
        "SELECT DISTINCT email.id FROM json_each(?1) AS wanted CROSS JOIN slot ON slot.key = ?2 + wanted.value"
        " CROSS JOIN email ON email.id = slot.email AND email.preview IS NULL"
        " WHERE slot.email < (SELECT previews_from FROM account)",
        (json.dumps(uids_at(view, positions)), base),
    )
    return [email for (email,) in rows]


def made(database: Database, emails: list[int], reader: MessageReader, files: AccountFiles) -> dict[int, bytes]:
    """The previews of emails; of those that cannot be read there is none."""
    found: dict[int, bytes] = {}
    rows = database.stream(
        "SELECT email.id, objectid, file, size, header, text FROM json_each(?) AS wanted"
        " CROSS JOIN email ON email.id = wanted.value CROSS JOIN body ON body.email = email.id",
        (json.dumps(emails),),
    )
    for email, objectid, in_file, size, header, text in rows:
        if not in_file:
            found[email] = reader.scan((header or b"") + (text or b"")).preview
            continue
        try:
            with open(files.body(objectid), "rb", buffering=0) as file:
                found[email] = reader.scan_file(file.fileno(), min(size, os.fstat(file.fileno()).st_size)).preview
        except OSError:
            pass  # the message is shown without
    return found


def keep(transaction: Transaction, previews: dict[int, bytes]) -> None:
    """Store them."""
    for email, octets in previews.items():
        transaction.database.execute("UPDATE email SET preview = ? WHERE id = ?", (octets, email))
