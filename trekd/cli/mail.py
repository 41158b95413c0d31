"""
Commands about stored mail: C{check}, C{reindex}, C{export}, C{import}.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

from trekd.cli import maildir, mbox
from trekd.cli.control import Control
from trekd.cli.failures import FAILED, OK, USAGE, CommandFailure, OperationRefused
from trekd.cli.output import ProgressBar, print_json
from trekd.cli.session import Session
from trekd.errors import BadMailboxName, SyntaxFault
from trekd.values import INBOX, MailboxName
from trekd.web.messages import END, StoredMessage, message_record, read_record

BATCH_OCTETS = 4 * 1024 * 1024
BATCH_MESSAGES = 200
"""What one request of an import holds at most, unless one message is larger."""

_FORMATS = {"mbox": mbox.MboxFolder, "maildir": maildir.MaildirFolder}

Source = tuple[MailboxName, Iterator[tuple[StoredMessage, int]]]
"""A mailbox, and its messages with the octets of files that each took."""


def register(commands: Any) -> None:
    """Add the commands to the command line."""
    parser = commands.add_parser("check", help="verify stored mail, of one account or all")
    parser.add_argument("address", nargs="?", metavar="ADDRESS")
    parser.add_argument("--repair", action="store_true", help="mend what can be mended; no mail is deleted")
    parser.set_defaults(function=check)
    parser = commands.add_parser("reindex", help="make the index of messages' text anew, of one account or all")
    parser.add_argument("address", nargs="?", metavar="ADDRESS")
    parser.set_defaults(function=reindex)
    parser = commands.add_parser("export", help="write an account's mail to a new folder")
    parser.add_argument("address", metavar="ADDRESS")
    parser.add_argument("--format", choices=tuple(_FORMATS), default="mbox", help="default: %(default)s")
    parser.add_argument("destination", metavar="DEST", help="a folder that is new or empty")
    parser.set_defaults(function=export)
    parser = commands.add_parser("import", help="add mail from an mbox file, a Maildir or an export to an account")
    parser.add_argument("address", metavar="ADDRESS")
    parser.add_argument("source", metavar="FILE|DIR")
    parser.add_argument("--mailbox", metavar="NAME", help="where an mbox file goes; default: INBOX")
    parser.set_defaults(function=import_mail)


def check(session: Session) -> int:
    """C{trekctl check}; a complaint about the store is a failure, unless C{--repair} mended what it is about."""
    query = {"address": session.options.address} if session.options.address else {}
    is_repair = session.options.repair
    results = []
    with ProgressBar("accounts checked", 0) as bar:
        for result in session.control().follow("POST", (("repair" if is_repair else "check"),), **query):
            results.append(result)
            bar.advance(1)
    faulty = [result for result in results if result["complaints"]]
    is_sound = all(line.startswith("mended: ") for result in faulty for line in result["complaints"])
    if session.json:
        print_json(results)
    else:
        for result in faulty:
            for complaint in result["complaints"]:
                print(f"{result['account']}: {complaint}")
        print(f"{len(results)} accounts checked, {len(faulty) or 'none'} with faults")
    return OK if is_sound else FAILED


def reindex(session: Session) -> int:
    """C{trekctl reindex}"""
    query = {"address": session.options.address} if session.options.address else {}
    counts: dict[str, int] = {}
    with ProgressBar("messages indexed", 0) as bar:
        for result in session.control().follow("POST", ("reindex",), **query):
            bar.advance(result["indexed"] - counts.get(result["account"], 0))
            counts[result["account"]] = result["indexed"]
    if session.json:
        print_json(counts)
    else:
        print(f"{sum(counts.values())} messages of {len(counts)} accounts indexed")
    return OK


# --- Export ---------------------------------------------------------------------------------------


def export(session: Session) -> int:
    """C{trekctl export}"""
    options = session.options
    control = session.control()
    expected = _expected(control, options.address)
    stream = control.fetch(("mail", options.address, "messages"))
    _make_empty(options.destination)
    counts: Counter[str] = Counter()
    try:
        with ProgressBar("exporting", expected) as bar:
            _write(stream, _FORMATS[options.format](options.destination), counts, bar)
    except OSError as fault:
        raise CommandFailure(f"{fault.filename or options.destination}: {fault.strerror}") from None
    except (SyntaxFault, BadMailboxName, ValueError):
        raise CommandFailure(f"the export broke off; {options.destination} is not complete") from None
    if session.json:
        print_json({"folder": options.destination, "mailboxes": counts})
    else:
        print(f"{counts.total()} messages in {len(counts)} mailboxes written to {options.destination}")
    return OK


def _expected(control: Control, address: str) -> int:
    """Messages of the account; 0, not known, when it has left the directory and only its mail is there."""
    try:
        return int(control.ask("GET", ("accounts", address)).get("messages", 0))
    except OperationRefused as refusal:
        if refusal.code != "no-such-account":
            raise
        return 0


def _make_empty(folder: str) -> None:
    try:
        os.makedirs(folder, 0o700, exist_ok=True)
        if os.listdir(folder):
            raise CommandFailure(f"{folder}: is not empty; an export needs a new folder")
    except OSError as fault:
        raise CommandFailure(f"{folder}: {fault.strerror}") from None


def _write(stream: BinaryIO, writer: Any, counts: Counter[str], bar: ProgressBar) -> None:
    """Copy a stream of records to files."""
    name = ""
    while (record := read_record(stream)) is not None:
        if isinstance(record, MailboxName):
            name = str(record)
            counts[name] = 0
            writer.begin(record)
        else:
            writer.add(record)
            counts[name] += 1
            bar.advance(1)
    writer.close()


# --- Import ---------------------------------------------------------------------------------------


def import_mail(session: Session) -> int:
    """C{trekctl import}; what was added before a failure stays."""
    options = session.options
    control = session.control()
    counts: Counter[str] = Counter()
    try:
        sources = list(_sources(options.source, options.mailbox))
        with ProgressBar("importing", _size(options.source)) as bar:
            for name, messages in sources:
                counts[str(name)] += _add(control, options.address, name, messages, bar)
    except OSError as fault:
        raise CommandFailure(f"{fault.filename or options.source}: {fault.strerror}") from None
    if session.json:
        print_json({"mailboxes": counts})
    else:
        print(f"{counts.total()} messages added to {len(counts)} mailboxes of {options.address}")
    return OK


def _sources(source: str, mailbox: str | None) -> Iterator[Source]:
    """What there is to import."""
    if not os.path.isdir(source):
        yield _named(mailbox), mbox.read_mbox(source)
        return
    if mailbox is not None:
        raise CommandFailure("--mailbox is for an mbox file; a folder names its mailboxes itself", status=USAGE)
    if maildir.is_maildir(source):
        for name, folder in maildir.find_folders(source):
            yield name, _maildir_messages(folder)
        return
    found = list(mbox.find_mboxes(source))
    if not found:
        raise CommandFailure(f"{source}: neither a Maildir nor a folder with {mbox.SUFFIX} files")
    for name, path in found:
        yield name, mbox.read_mbox(path)


def _named(mailbox: str | None) -> MailboxName:
    try:
        return INBOX if mailbox is None else MailboxName(mailbox)
    except BadMailboxName:
        raise CommandFailure(f"no mailbox can be named {mailbox!r}") from None


def _maildir_messages(folder: str) -> Iterator[tuple[StoredMessage, int]]:
    keywords = maildir.read_keywords(folder)
    for path in maildir.message_files(folder):
        message = maildir.read_message(path, keywords)
        yield message, os.path.getsize(path)


def _size(source: str) -> int:
    """Octets of the files to read, for the progress bar."""
    if not os.path.isdir(source):
        return os.path.getsize(source)
    return sum(os.path.getsize(os.path.join(folder, file)) for folder, _, files in os.walk(source) for file in files)


def _add(
    control: Control, address: str, name: MailboxName, messages: Iterator[tuple[StoredMessage, int]], bar: ProgressBar
) -> int:
    """Add one mailbox's messages, batch by batch; how many there were."""
    added, batch, octets, took = 0, 0, bytearray(), 0
    for message, size in messages:
        if batch and (len(octets) + len(message.octets) > BATCH_OCTETS or batch == BATCH_MESSAGES):
            added += _send(control, address, name, octets)
            bar.advance(took)
            batch, octets, took = 0, bytearray(), 0
        octets += message_record(message)
        batch, took = batch + 1, took + size
    added += _send(control, address, name, octets)
    bar.advance(took)
    return added


def _send(control: Control, address: str, name: MailboxName, octets: bytearray) -> int:
    path = ("mail", address, "messages")
    return int(control.ask("POST", path, bytes(octets) + END, mailbox=str(name))["appended"])
