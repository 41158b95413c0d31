"""The text index: it finds what reading the messages finds, and whatever befalls it, searches are right."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.storecase import everything, uid_set, view_of
from tests.unit.store.sqlite.conftest import Site
from trekd.mime.reader import MimeReader
from trekd.store.interfaces import FlagOperation, NewMessage
from trekd.store.sqlite import indexing, textindex
from trekd.store.sqlite.paths import AccountFiles
from trekd.store.sqlite.textindex import Answers
from trekd.store.terms import AllOf, AnyOf, BodyText, HasFlag, HasUID, Not, Term
from trekd.values import INBOX, SEEN, Flag

_TEXT = st.text(alphabet='abAB "*^:\r\n.é\xad', max_size=12)
_NEEDLE = st.text(alphabet='abA "*^:\r\n.é', min_size=1, max_size=5)
_LEAF: st.SearchStrategy[Term] = st.one_of(
    st.builds(BodyText, _NEEDLE, st.booleans()),
    st.sampled_from([HasFlag(SEEN), HasUID(uid_set(1, 3, 5)), BodyText("")]),
)
_TERM: st.SearchStrategy[Term] = st.recursive(
    _LEAF,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, max_size=3).map(lambda terms: AllOf(tuple(terms))),
        st.lists(inner, max_size=3).map(lambda terms: AnyOf(tuple(terms))),
    ),
    max_leaves=5,
)


def letter(text: str, subject: str = "x") -> NewMessage:
    """A message with this text."""
    return NewMessage(b"Subject: %b\r\n\r\n%b" % (subject.encode("latin-1"), text.encode("latin-1")))


def fill(site: Site, *texts: str) -> None:
    """Append messages with these texts."""
    site.reactor.run(site.alice.append(INBOX, [letter(text) for text in texts]))


def search(site: Site, term: Term) -> list[int]:
    """The UIDs in INBOX that match."""
    return list(site.reactor.run(site.alice.search(site.reactor.run(view_of(site.alice)), term)))


def index(site: Site, most: int = 1000) -> int:
    """Index some messages now."""
    return site.alice._shop.indexer.add(site.alice._files, most)


@pytest.fixture
def asked(site: Site, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The messages that were read for their text."""
    read: list[bytes] = []
    reader = site.alice._around.reader
    contains: Callable[..., bool] = reader.text_contains

    def counted(octets: bytes, parts: bytes, needle: str, with_header: bool) -> bool:
        read.append(octets)
        return contains(octets, parts, needle, with_header)

    monkeypatch.setattr(reader, "text_contains", counted)
    return read


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(texts=st.lists(_TEXT, min_size=1, max_size=6), terms=st.lists(_TERM, min_size=1, max_size=4), data=st.data())
def test_index_finds_what_reading_finds(site: Site, texts: list[str], terms: list[Term], data: st.DataObject) -> None:
    """Whatever part of the messages is indexed, wherever the terms stand in the query."""
    view = site.reactor.run(view_of(site.alice))
    site.reactor.run(site.alice.change_flags(view, everything(view), FlagOperation.ADD, frozenset({Flag("\\Deleted")})))
    site.reactor.run(site.alice.expunge(view.mailbox))
    fill(site, *texts)
    site.alice._shop.indexer.is_on = False
    expected = [search(site, term) for term in terms]
    site.alice._shop.indexer.is_on = True
    index(site, data.draw(st.integers(1, 20)))
    assert [search(site, term) for term in terms] == expected


def test_messages_in_the_index_are_not_read(site: Site, asked: list[bytes]) -> None:
    """Those that came later are."""
    fill(site, "the calendar invoice", "another thing", "CALENDAR entry")
    assert index(site) == 3
    assert index(site) == 0
    assert search(site, BodyText("calendar")) == [1, 3]
    assert search(site, Not(BodyText("calendar"))) == [2]
    assert search(site, BodyText("ca")) == [1, 3]
    assert not asked
    fill(site, "late calendar")
    assert search(site, BodyText("calendar")) == [1, 3, 4]
    assert len(asked) == 1


def test_header_is_searched_by_text_only(site: Site, asked: list[bytes]) -> None:
    """TEXT looks at header and body, BODY at the body; nothing is found across their border."""
    site.reactor.run(site.alice.append(INBOX, [letter("body words", "Header words")]))
    index(site)
    assert search(site, BodyText("header w")) == []
    assert search(site, BodyText("header w", header=True)) == [1]
    assert search(site, BodyText("body w", header=True)) == [1]
    assert search(site, BodyText("words\r\n\r\nbody", header=True)) == []
    assert not asked


def test_end_of_a_text_is_found(site: Site, asked: list[bytes]) -> None:
    """The last characters begin no trigram of the text itself."""
    fill(site, "xyz", "x", "")
    index(site)
    assert search(site, BodyText("z")) == [1]
    assert search(site, BodyText("x")) == [1, 2]
    assert search(site, BodyText("yz")) == [1]
    assert search(site, BodyText("zy")) == []
    assert not asked


def test_only_the_beginning_of_a_long_text_is_indexed(
    site: Site, asked: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is read as well."""
    monkeypatch.setattr(textindex, "CHARACTERS", 100)
    fill(site, "short needle", "y" * 300 + "needle", "y" * 300)
    index(site)
    assert search(site, BodyText("needle")) == [1, 2]
    assert len(asked) == 2
    assert search(site, AllOf((BodyText("yyy"), Not(BodyText("needle"))))) == [3]


def test_only_the_beginning_of_a_large_file_is_read(
    site: Site, asked: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few characters it decodes to; the rest is found by asking the message."""
    monkeypatch.setattr(textindex, "OCTETS", 6000)
    fill(site, "first " + "x" * 10_000 + " needle", "first " + "x" * 4500 + " needle")
    index(site)
    assert search(site, BodyText("needle")) == [1, 2]
    assert len(asked) == 1
    assert ask(site, "first").found[BodyText("first")] != []


def test_messages_in_files(site: Site, asked: list[bytes]) -> None:
    """One that cannot be read now is asked later."""
    fill(site, "x" * 5000 + " needle one", "x" * 5000 + " needle two")
    bodies = sorted((site.files / "bodies").iterdir())
    octets = bodies[0].read_bytes()
    bodies[0].unlink()
    assert index(site) == 2
    bodies[0].write_bytes(octets)
    assert search(site, BodyText("needle")) == [1, 2]
    assert len(asked) == 1


def test_long_needles_and_odd_ones_are_sought_by_reading(site: Site, asked: list[bytes]) -> None:
    """What the index cannot answer is answered."""
    fill(site, "a" * 400, "b\0c")
    index(site)
    assert search(site, BodyText("a" * 300)) == [1]
    assert search(site, BodyText("b\0c")) == [2]
    assert len(asked) == 4


def test_decoded_text_is_indexed(site: Site, asked: list[bytes]) -> None:
    """With the real reader: charsets, base64, several parts, letter case and ligatures."""
    reader = MimeReader()
    object.__setattr__(site.alice._around, "reader", reader)
    site.alice._shop.indexer._reader = reader
    encoded = base64.encodebytes("Größe und Straße, oﬃce 東京都".encode())
    parts = (
        b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encoded + b"\r\n"
        b"--b\r\nContent-Type: image/png\r\n\r\nneedle\r\n--b--\r\n"
    )
    site.reactor.run(site.alice.append(INBOX, [NewMessage(parts), NewMessage(b"Subject: x\r\n\r\nother\r\n")]))
    assert index(site) == 2
    for needle in ("GRÖSSE", "straße", "größe und", "office", "京都", "都"):
        expected = [1] if reader.text_contains(parts, reader.scan(parts).parts, reader.fold(needle), False) else []
        assert search(site, BodyText(needle)) == expected, needle
    assert search(site, BodyText("京都")) == [1]
    assert search(site, BodyText("needle")) == []
    assert search(site, BodyText("grüße", header=True)) == [1]
    assert search(site, BodyText("grüße")) == []


def test_messages_that_are_gone_are_forgotten(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once they are most of the index; until then they are not found."""
    monkeypatch.setattr(textindex, "_FEW", 3)
    fill(site, *["secret"] * 5, "open")
    index(site)
    view = site.reactor.run(view_of(site.alice))
    deleted = frozenset({Flag("\\Deleted")})
    site.reactor.run(site.alice.change_flags(view, (range(5),), FlagOperation.ADD, deleted))
    site.reactor.run(site.alice.expunge(view.mailbox))
    assert search(site, BodyText("secret")) == []
    assert ask(site, "secret").found[BodyText("secret")]
    assert index(site) == 1
    assert ask(site, "secret").found[BodyText("secret")] == []
    assert search(site, BodyText("open")) == [6]


def ask(site: Site, needle: str) -> Answers:
    """What the index says."""
    return site.alice._shop.indexer.ask(site.alice._files, [BodyText(needle)])


def test_account_put_back_to_an_earlier_day(site: Site, tmp_path: Path) -> None:
    """Row numbers are given again then; the index is made anew."""
    fill(site, "first")
    site.stop()
    saved = (site.files / "mail.db").read_bytes()
    site.start()
    fill(site, "second needle")
    index(site)
    site.stop()
    (site.files / "mail.db").write_bytes(saved)
    site.start()
    assert index(site) == 1
    fill(site, "another second")
    index(site)
    assert search(site, BodyText("needle")) == []
    assert search(site, BodyText("second")) == [2]


@pytest.mark.parametrize("damage", [b"", b"no database at all" * 1000])
def test_damaged_index_is_made_anew(site: Site, damage: bytes, asked: list[bytes]) -> None:
    """The search that meets it reads the messages."""
    fill(site, "a needle", "none")
    index(site)
    site.stop()
    path = site.files / "text.db"
    path.write_bytes(damage)
    site.start()
    assert search(site, BodyText("needle")) == [1]
    index(site)
    assert search(site, BodyText("needle")) == [1]


def test_mail_is_indexed_when_it_is_quiet(site: Site, asked: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """By a thread of its own, which ends with the store."""
    monkeypatch.setattr(indexing, "QUIET", 0.01)
    ended = Event()
    indexer = site.alice._shop.indexer
    add = indexer.add

    def added(files: AccountFiles) -> int:
        count = add(files)
        if indexer.progress(files) == (50, 50):
            ended.set()
        return count

    monkeypatch.setattr(indexer, "add", added)
    fill(site, *["some needle"] * 50)
    assert ended.wait(60)
    assert len(search(site, BodyText("needle"))) == 50
    assert not asked
    thread = site.alice._shop.indexer._thread
    site.stop()
    assert thread is not None
    assert not thread.is_alive()
    site.start()


def test_without_index(site: Site, asked: list[bytes]) -> None:
    """C{text_index = false}: no file, and all is read."""
    site.stop()
    site.start(text_index=False)
    fill(site, "needle")
    assert search(site, BodyText("needle")) == [1]
    assert not (site.files / "text.db").exists()
