"""
Commands about calendars and address books: C{calendar} and C{contacts}, each with C{list}, C{import}, C{export}.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

from trekd.calendar.collection import split
from trekd.calendar.vcard import split_cards
from trekd.cli.control import Control
from trekd.cli.failures import FAILED, OK, CommandFailure
from trekd.cli.output import ProgressBar, print_json, print_table, size_text
from trekd.cli.session import Session
from trekd.errors import SyntaxFault

BATCH_OCTETS = 4 * 1024 * 1024
BATCH_ENTRIES = 200
"""What one request of an import holds at most, unless one entry is larger."""

_PIECE = 64 * 1024

EntryText = tuple[str, bytes]
"""What names an entry to people, and its octets."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """
    What commands of one name are about.

    @ivar word: in requests.
    @ivar whole: what one collection is called.
    @ivar form: of the file.
    @ivar split: the entries of a file.
    """

    word: str
    whole: str
    form: str
    split: Callable[[bytes], Iterator[EntryText]]


def _events(octets: bytes) -> Iterator[EntryText]:
    return ((each.uid, each.octets) for each in split(octets))


def _cards(octets: bytes) -> Iterator[EntryText]:
    for each in split_cards(octets):
        yield ("" if each.card is None else each.card.uid), each.octets


_SHELVES = {
    "calendar": Shelf("calendars", "calendar", "iCalendar", _events),
    "contacts": Shelf("contacts", "address book", "vCard", _cards),
}


def register(commands: Any) -> None:
    """Add the commands to the command line."""
    for name, shelf in _SHELVES.items():
        parser = commands.add_parser(name, help=f"list, import and export {shelf.whole}s")
        actions = parser.add_subparsers(metavar="ACTION", required=True)
        listing = actions.add_parser("list", help=f"the {shelf.whole}s of an account")
        listing.add_argument("address", metavar="ADDRESS")
        listing.set_defaults(function=partial(list_all, shelf=shelf))
        adding = actions.add_parser("import", help=f"add the entries of an {shelf.form} file")
        _add_places(adding, shelf)
        adding.add_argument("file", metavar="FILE", help="- for standard input")
        adding.add_argument(
            "--existing",
            choices=("skip", "replace"),
            default="skip",
            help="what happens to an entry whose UID is there already; default: %(default)s",
        )
        adding.set_defaults(function=partial(import_entries, shelf=shelf))
        writing = actions.add_parser("export", help=f"write all entries to a new {shelf.form} file")
        _add_places(writing, shelf)
        writing.add_argument("file", metavar="FILE", help="new; - for standard output")
        writing.set_defaults(function=partial(export, shelf=shelf))


def _add_places(parser: Any, shelf: Shelf) -> None:
    parser.add_argument("address", metavar="ADDRESS")
    parser.add_argument("name", metavar="NAME", nargs="?", help=f"of the {shelf.whole}; default: the account's first")


def _query(name: str | None) -> dict[str, str]:
    return {} if name is None else {"name": name}


def list_all(session: Session, shelf: Shelf) -> int:
    """C{trekctl calendar list}"""
    found = session.control().ask("GET", (shelf.word, session.options.address))
    if session.json:
        print_json(found)
    else:
        rows = [(each["name"], each["title"], each["entries"], size_text(each["octets"])) for each in found]
        print_table(("name", "title", "entries", "size"), rows)
    return OK


# --- Export ---------------------------------------------------------------------------------------


def export(session: Session, shelf: Shelf) -> int:
    """C{trekctl calendar export}"""
    options, control = session.options, session.control()
    expected = _octets(control, shelf, options.address, options.name)
    stream = control.fetch((shelf.word, options.address, "entries"), **_query(options.name))
    try:
        if options.file == "-":
            written = _copy(stream, sys.stdout.buffer, expected)
        else:
            with open(options.file, "xb") as file:
                written = _copy(stream, file, expected)
    except FileExistsError:
        raise CommandFailure(f"{options.file}: is there already; an export makes a new file") from None
    except OSError as fault:
        raise CommandFailure(f"{options.file}: {fault.strerror or fault}") from None
    except Exception:
        if options.file != "-":
            os.unlink(options.file)
        raise
    if session.json and options.file != "-":
        print_json({"file": options.file, "octets": written})
    elif options.file != "-":
        print(f"{size_text(written)} written to {options.file}")
    return OK


def _octets(control: Control, shelf: Shelf, address: str, name: str | None) -> int:
    """Octets of the collection's entries, for the progress bar; 0 when it is not told apart."""
    found = control.ask("GET", (shelf.word, address))
    return sum(each["octets"] for each in found if name in (each["name"], each["title"]))


def _copy(stream: BinaryIO, file: BinaryIO, expected: int) -> int:
    written = 0
    with ProgressBar("exporting", expected) as bar:
        while piece := stream.read(_PIECE):
            file.write(piece)
            written += len(piece)
            bar.reach(written)
    file.flush()
    return written


# --- Import ---------------------------------------------------------------------------------------


def import_entries(session: Session, shelf: Shelf) -> int:
    """C{trekctl calendar import}; entries that cannot be stored are named, the others go in."""
    options, control = session.options, session.control()
    entries = _read(options.file, shelf)
    counts: Counter[str] = Counter()
    failed: list[dict[str, Any]] = []
    with ProgressBar("importing", len(entries)) as bar:
        for start, batch in _batches(entries):
            body = {
                "existing": options.existing,
                "entries": [
                    {"number": start + place, "text": octets.decode("utf-8", "replace")}
                    for place, (_, octets) in enumerate(batch, 1)
                ],
            }
            answer = control.ask("POST", (shelf.word, options.address, "entries"), body, **_query(options.name))
            counts.update({word: answer[word] for word in ("added", "replaced", "skipped")})
            failed += [{**each, "uid": entries[each["number"] - 1][0]} for each in answer["failed"]]
            bar.advance(len(batch))
    if session.json:
        print_json({**counts, "failed": failed})
    else:
        _tell(counts, failed)
    return FAILED if failed else OK


def _read(path: str, shelf: Shelf) -> Sequence[EntryText]:
    """
    The entries of a file.

    @raise CommandFailure: it cannot be read, or is none.
    """
    try:
        if path == "-":
            octets = sys.stdin.buffer.read()
        else:
            with open(path, "rb") as file:
                octets = file.read()
    except OSError as fault:
        raise CommandFailure(f"{path}: {fault.strerror}") from None
    try:
        return list(shelf.split(octets))
    except SyntaxFault as fault:
        raise CommandFailure(f"{path}: no {shelf.form} file: {fault}") from None


def _batches(entries: Sequence[EntryText]) -> Iterator[tuple[int, Sequence[EntryText]]]:
    """Entries that go in one request, and how many were before them."""
    start, octets = 0, 0
    for place, (_, text) in enumerate(entries):
        if place > start and (octets + len(text) > BATCH_OCTETS or place - start == BATCH_ENTRIES):
            yield start, entries[start:place]
            start, octets = place, 0
        octets += len(text)
    if entries:
        yield start, entries[start:]


def _tell(counts: Counter[str], failed: Sequence[dict[str, Any]]) -> None:
    for each in failed:
        about = f" ({_shown(each['uid'])})" if each["uid"] else ""
        print(f"trekctl: entry {each['number']}{about}: {each['reason']}", file=sys.stderr)
    told = f"{counts['added']} entries added, {counts['replaced']} replaced, {counts['skipped']} skipped"
    print(f"{told}, {len(failed)} refused" if failed else told)


def _shown(uid: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in uid[:60])
