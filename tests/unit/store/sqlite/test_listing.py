"""Listings: in SQL or message by message the same octets, in bounded pieces, also of messages that vanish."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.contract.storecase import everything, fill, flags, listed, message, pieces_of, view_of
from tests.fakes.mime import PlainFacts, PlainReader
from tests.unit.store.sqlite.conftest import Site
from trekd.errors import StoreCorrupt
from trekd.store.interfaces import Column, Extract, LineTemplate, Listing, NewMessage
from trekd.store.rendering import PIECE_OCTETS
from trekd.store.sqlite import lines, listing, templates
from trekd.values import INBOX

CHEAP = (
    b"* ",
    Column.SEQ,
    b" FETCH (UID ",
    Column.UID,
    b" FLAGS ",
    Column.FLAGS,
    b" ",
    Column.INTERNALDATE,
    Column.SIZE,
    Column.MODSEQ,
    Column.ENVELOPE,
    Column.BODYSTRUCTURE,
    Column.BODY,
    b"\0\xff%s",
    Column.HEADER,
    b")\r\n",
)
HEADERS = (
    b"* ",
    Column.SEQ,
    b" FETCH (UID ",
    Column.UID,
    b" HEADER ",
    Extract(None, lambda header: header[::-1]),
    Extract(partial=(3, 4)),
    b" 100% ",
    Column.FLAGS,
    Column.ENVELOPE,
    b" \xff ",
    Extract(),
    b")\r\n",
)
WHOLE = Extract(lambda parts, header_length, size: (0, size))


def large(octet: bytes, size: int = 200_000) -> NewMessage:
    """A message that is in a file."""
    return NewMessage(b"Subject: " + octet + b"\r\n\r\n" + octet * size, b"", flags("\\Seen"))


@pytest.mark.parametrize("fewest_dense", [1, 32])
@pytest.mark.parametrize("recent_from", [0, 4])
@pytest.mark.parametrize("template", [CHEAP, HEADERS])
def test_both_ways_render_the_same(
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    template: tuple[bytes | Column | Extract, ...],
    recent_from: int,
    fewest_dense: int,
) -> None:
    """With gaps in UIDs and positions."""
    monkeypatch.setattr(listing, "FEWEST_DENSE", fewest_dense)
    site.reactor.run(fill(site.alice, 4, INBOX, "\\Deleted"))
    odd = NewMessage(b"Subject: \0nul,\xe9%d\r\n\r\ntext")
    messages = [message("a"), message("b", "\\Seen", "k"), large(b"c"), odd]
    site.reactor.run(site.alice.append(INBOX, messages * 4))
    view = site.reactor.run(view_of(site.alice))
    site.reactor.run(site.alice.expunge(view.mailbox, view.uids[1:3]))
    places = (range(3), range(4, 5), range(6, 15), range(17, 20))
    in_sql = site.reactor.run(listed(site.alice, view, template, places, recent_from))
    monkeypatch.setattr(listing, "bulk_of", lambda template: None)
    one_by_one = site.reactor.run(listed(site.alice, view, template, places, recent_from))
    assert in_sql == one_by_one
    assert in_sql.count(b"* ") == 14
    assert (b"\\Recent" in in_sql) == bool(recent_from)


def test_headers_of_many_messages_need_one_statement(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many they are, none is rendered by itself; without gaps, nor is any UID named."""
    site.reactor.run(fill(site.alice, 60))
    view = site.reactor.run(view_of(site.alice))
    monkeypatch.setattr(listing, "Lines", None)
    monkeypatch.setattr(listing, "json", None)
    octets = site.reactor.run(listed(site.alice, view, (Column.SEQ, b" ", Column.UID, b" ", Extract(), b"\n")))
    assert octets.startswith(b"1 1 {")
    assert b"\n60 60 {" in octets
    assert octets.count(b"Subject: ") == 60


def test_stored_nul_is_rendered_one_by_one(site: Site) -> None:
    """It stands between the lines that come together."""
    site.reactor.run(fill(site.alice, 3))
    site.reactor.run(site.alice.settled())
    site.tamper("UPDATE email SET envelope = x'61006200' WHERE subject_key = 'm2'")
    view = site.reactor.run(view_of(site.alice))
    octets = site.reactor.run(listed(site.alice, view, (Column.UID, Column.ENVELOPE, Extract(partial=(0, 1)), b"\n")))
    assert b"\n2a\0b\0{1}\r\n" in octets
    assert octets.count(b"{1}\r\n") == 3
    site.stop()


def test_very_long_template(site: Site) -> None:
    """Beyond the depth of an expression that SQLite takes."""
    site.reactor.run(fill(site.alice, 2))
    view = site.reactor.run(view_of(site.alice))
    octets = site.reactor.run(listed(site.alice, view, (Column.UID, b",") * 2000 + (b"\n",)))
    assert octets == b"1," * 2000 + b"\n" + b"2," * 2000 + b"\n"


class LongReader(PlainReader):
    """Gives some messages an ENVELOPE that is very long."""

    def scan(self, octets: bytes) -> PlainFacts:
        """Read a whole message."""
        facts = super().scan(octets)
        return replace(facts, envelope=b"(%b)" % (b"x" * 40_000)) if facts.subject_key == "long" else facts


def test_long_stored_values_take_bounded_memory(site: Site) -> None:
    """They are rendered one at a time, in order with the others, never a hundred in one string."""
    object.__setattr__(site.alice._around, "reader", LongReader())
    messages = [message("long" if number % 3 == 0 else f"m{number}") for number in range(30)]
    site.reactor.run(site.alice.append(INBOX, messages))
    view = site.reactor.run(view_of(site.alice))
    pieces = site.reactor.run(
        pieces_of(site.alice.list_messages(view, everything(view), LineTemplate((Column.ENVELOPE, b"\n"))))
    )
    lines = b"".join(piece.octets for piece in pieces).split(b"\n")[:-1]
    assert [len(line) > 40_000 for line in lines] == [number % 3 == 0 for number in range(30)]
    assert max(len(piece.octets) for piece in pieces) <= PIECE_OCTETS
    assert sum(piece.messages for piece in pieces) == 30


def test_guess_of_size_that_was_wrong(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces keep their bound."""
    monkeypatch.setattr(templates, "_EXPECTED", {})
    templates.bulk_of.cache_clear()
    site.reactor.run(site.alice.append(INBOX, [message("x" * 900) for _ in range(300)]))
    view = site.reactor.run(view_of(site.alice))
    pieces = site.reactor.run(
        pieces_of(site.alice.list_messages(view, everything(view), LineTemplate((Column.ENVELOPE, b"\n"))))
    )
    assert max(len(piece.octets) for piece in pieces) <= PIECE_OCTETS
    assert sum(piece.messages for piece in pieces) == 300
    assert b"".join(piece.octets for piece in pieces).count(b"\n") == 300


async def first_piece(pieces: AsyncIterator[Listing]) -> Listing:
    """The first piece."""
    return await anext(pieces)


async def rest(pieces: AsyncIterator[Listing]) -> bytes:
    """The octets of the pieces that are left."""
    return b"".join([piece.octets async for piece in pieces])


def test_message_in_a_file_is_whole_though_it_is_expunged_meanwhile(site: Site) -> None:
    """Its length was promised already."""
    site.reactor.run(site.alice.append(INBOX, [replace(large(b"x", 3_000_000), flags=flags("\\Deleted")), message()]))
    view = site.reactor.run(view_of(site.alice))
    pieces = site.alice.list_messages(view, everything(view), LineTemplate((Column.OCTETS, b"\n")))
    first = site.reactor.run(first_piece(pieces))
    assert len(first.octets) <= PIECE_OCTETS
    assert first.messages == 1
    site.reactor.run(site.alice.expunge(view.mailbox))
    site.reactor.run(site.alice.settled())
    assert os.listdir(site.files / "bodies") == []
    octets = first.octets + site.reactor.run(rest(pieces))
    start, _, octets = octets.partition(b"\r\n")
    assert start == b"{3000014}"
    assert octets.startswith(b"Subject: x\r\n\r\nxxx")
    assert octets[3_000_013:].startswith(b"x\n{")


def test_listing_that_is_given_up_leaves_no_open_file(site: Site) -> None:
    site.reactor.run(site.alice.append(INBOX, [large(b"x", 3_000_000)] * 2))
    view = site.reactor.run(view_of(site.alice))

    async def give_up() -> None:
        pieces = site.alice.list_messages(view, everything(view), LineTemplate((Column.OCTETS,)))
        await anext(pieces)
        await pieces.aclose()  # type: ignore[attr-defined]

    site.reactor.run(give_up())
    site.stop()
    links = [os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
    assert not any("bodies" in os.readlink(link) for link in links if os.path.islink(link))


def test_file_that_went_with_its_message_is_left_out(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The row was read before the expunge, the file looked for after it."""
    removed = replace(large(b"x"), flags=flags("\\Deleted"))
    site.reactor.run(site.alice.append(INBOX, [message("a"), removed, message("b")]))
    view = site.reactor.run(view_of(site.alice))
    def late(*arguments: object) -> object:
        if b"x" not in gone:
            gone.append(b"x")
            path = next((site.files / "bodies").iterdir())
            site.tamper(*(f"DELETE FROM {row}" for row in ("slot WHERE key & 255 = 2", "email WHERE file = 1")))
            path.unlink()
        return lines.in_file(*arguments)  # type: ignore[arg-type]

    gone: list[bytes] = []
    monkeypatch.setattr(listing, "in_file", late)
    octets = site.reactor.run(listed(site.alice, view, (Column.UID, b" ", Column.OCTETS, b"\n")))
    assert gone
    assert octets.startswith(b"1 {")
    assert b"\n3 {" in octets
    assert b"xxx" not in octets
    site.stop()


def test_missing_file_is_damage(site: Site) -> None:
    site.reactor.run(site.alice.append(INBOX, [large(b"x")]))
    view = site.reactor.run(view_of(site.alice))
    (path,) = (site.files / "bodies").iterdir()
    path.rename(site.files / "elsewhere")
    with pytest.raises(StoreCorrupt):
        site.reactor.run(listed(site.alice, view, (Column.OCTETS,)))
    path.write_bytes(b"short")
    with pytest.raises(StoreCorrupt):
        site.reactor.run(listed(site.alice, view, (Column.OCTETS,)))
    (site.files / "elsewhere").rename(path)


def test_extracts_of_a_message_in_a_file(site: Site) -> None:
    """They read what they need; the octets are those of a message in the database."""
    whole = large(b"x", 50_000)
    assert isinstance(whole.content, bytes)
    site.reactor.run(site.alice.append(INBOX, [whole]))
    view = site.reactor.run(view_of(site.alice))
    content = whole.content

    def extract(wanted: Extract) -> bytes:
        return site.reactor.run(listed(site.alice, view, (wanted,)))

    def literal(octets: bytes) -> bytes:
        return b"{%d}\r\n%b" % (len(octets), octets)

    assert extract(WHOLE) == literal(content)
    assert extract(replace(WHOLE, partial=(10, 20))) == literal(content[10:30])
    assert extract(replace(WHOLE, partial=(50_000, 2**32))) == literal(content[50_000:])
    assert extract(replace(WHOLE, partial=(2**32, 5))) == b"{0}\r\n"
    assert extract(replace(WHOLE, select=bytes.upper, partial=(0, 12))) == literal(content.upper()[:12])
    assert extract(Extract(lambda *_: (14, 2**40))) == literal(content[14:])
    assert extract(Extract(lambda *_: None)) == b"NIL"
    header = Extract()
    assert extract(header) == literal(b"Subject: x\r\n\r\n")


def test_header_larger_than_the_threshold(site: Site) -> None:
    """Then the header is in the file alone."""
    header = b"Subject: h\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"
    site.reactor.run(site.alice.append(INBOX, [NewMessage(header + b"text")]))
    view = site.reactor.run(view_of(site.alice))
    assert site.reactor.run(listed(site.alice, view, (Column.HEADER,))) == b"{%d}\r\n%b" % (len(header), header)
    assert site.reactor.run(listed(site.alice, view, (Column.TEXT,))) == b"{4}\r\ntext"
    within = Extract(None, lambda octets: octets[:10])
    assert site.reactor.run(listed(site.alice, view, (within,))) == b"{10}\r\nSubject: h"
