"""Cards: nothing but a refusal comes of any octets, what goes over comes back, and the index misses nothing."""

from __future__ import annotations

from base64 import b64encode

import vobject
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fakes.davsite import ALICE, DAVHost
from trekd.calendar.contentlines import Component, Property, escape, join_values, write
from trekd.calendar.vcard import card_facts, card_of, read_card
from trekd.calendar.vcardconversion import converted
from trekd.calendar.vcardfilters import HOWS, CardFilter, CardParam, CardProp, CardText, PropertyName, matches
from trekd.dav.contacts.accepting import preferred_version
from trekd.dav.contacts.searching import search
from trekd.dav.exchange import Exchange
from trekd.dav.nodes import CollectionNode
from trekd.dav.paths import Location
from trekd.errors import InvalidCard, UnsupportedCard
from trekd.store.collections import CollectionKind, NewItem

WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\x85"), max_size=12
)
TEXTS = st.lists(WORDS, min_size=1, max_size=3).map("\n".join)
TYPES = st.sampled_from(("", "HOME", "WORK", "CELL", "HOME,WORK", "WORK,pref"))
GROUPS = st.sampled_from(("", "", "item1", "item2"))


def line(name: str, values: st.SearchStrategy[str], typed: bool = False) -> st.SearchStrategy[Property]:
    """A property with a value that is escaped already."""
    kinds = TYPES if typed else st.just("")
    return st.builds(
        lambda value, kind, group: Property(
            name, value, (("TYPE", tuple(kind.split(","))),) if kind else (), group
        ),
        values,
        kinds,
        GROUPS,
    )


PHOTOS = st.binary(min_size=1, max_size=30).map(lambda octets: b64encode(octets).decode())

LINES = st.one_of(
    line("EMAIL", st.from_regex(r"[a-z]{1,8}@[a-z]{1,8}\.example", fullmatch=True), typed=True).map(
        lambda each: Property(
            each.name, each.value, (("TYPE", ("INTERNET", *each.parameter_values("TYPE"))),), each.group
        )
    ),
    line("TEL", TEXTS.map(escape), typed=True),
    line("NOTE", TEXTS.map(escape)),
    line("ORG", st.lists(WORDS, min_size=1, max_size=3).map(lambda parts: join_values(parts, ";"))),
    line("ADR", st.lists(WORDS, min_size=7, max_size=7).map(lambda parts: join_values(parts, ";")), typed=True),
    line("CATEGORIES", st.lists(WORDS, min_size=1, max_size=3).map(join_values)),
    line("X-THING", TEXTS.map(escape)),
    line("BDAY", st.dates().map(lambda day: day.isoformat())),
    line("REV", st.datetimes().map(lambda at: at.replace(microsecond=0).isoformat() + "Z")),
    line("GEO", st.tuples(st.integers(-90, 90), st.integers(-180, 180)).map(lambda at: f"{at[0]}.5;{at[1]}.25")),
    line("URL", st.just("http://example.com/a;b?c=d,e")),
    PHOTOS.map(lambda text: Property("PHOTO", text, (("ENCODING", ("b",)), ("TYPE", ("PNG",))))),
)

CARDS = st.builds(
    lambda name, lines: card_of(
        Component(
            "VCARD",
            (
                Property("VERSION", "3.0"),
                Property("UID", "urn:x"),
                Property("FN", escape(name)),
                Property("N", join_values((name, "", "", "", ""), ";")),
                *lines,
            ),
        )
    ),
    WORDS,
    st.lists(LINES, max_size=8),
)


@settings(max_examples=100, deadline=None)
@given(CARDS)
def test_a_card_that_goes_over_comes_back(card) -> None:
    over = card_of(converted(card, "4.0"))
    assert over == read_card(write(over.tree)) and over.version == "4.0"
    assert converted(over, "3.0") == card.tree


@settings(max_examples=100, deadline=None)
@given(CARDS)
def test_another_program_reads_what_is_written(card) -> None:
    """vobject knows 3.0."""
    tree = converted(card_of(converted(card, "4.0")), "3.0")
    theirs = vobject.readOne(write(tree).decode())
    for name in ("FN", "NOTE", "EMAIL", "TEL"):
        ours = [each.text for each in tree.every(name)]
        assert [str(each.value) for each in theirs.contents.get(name.lower(), ())] == ours
    assert len(theirs.contents.get("photo", ())) == sum(1 for _ in tree.every("PHOTO"))


OCTETS = st.one_of(
    st.binary(max_size=200),
    st.lists(
        st.sampled_from(
            [
                b"BEGIN:VCARD\r\n", b"END:VCARD\r\n", b"VERSION:3.0\r\n", b"VERSION:4.0\n", b"UID:1\r\n", b"FN:x\r\n",
                b"N:;;;\r\n", b" fold\r\n", b"PHOTO;ENCODING=b:=\r\n", b"BDAY:--13\r\n", b"GEO:;\r\n", b"TZ:+1\r\n",
                b"LABEL:\\\r\n", b"ADR;LABEL=:\r\n", b"EMAIL;TYPE=:\r\n", b"TEL;PREF;PREF=1;VALUE=uri:tel:\r\n",
                b"KEY;VALUE=text;MEDIATYPE=/:\r\n", b"RELATED;TYPE=agent:\r\n", b"SORT-STRING:\r\n", b"\xff\r\n",
                b"N;SORT-AS=:\r\n", b"REV:T\r\n", b"UID;VALUE=text:1\r\n", b"AGENT:\\;\r\n", b"a.b.C:\r\n",
            ]
        ),
        max_size=14,
    ).map(lambda lines: b"BEGIN:VCARD\nVERSION:3.0\nUID:1\nFN:x\n" + b"".join(lines) + b"END:VCARD\n"),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(OCTETS)
def test_any_octets_are_a_card_or_refused(octets: bytes) -> None:
    try:
        card = read_card(octets)
    except (InvalidCard, UnsupportedCard):
        return
    card_facts(card)
    for version in ("3.0", "4.0"):
        over = card_of(converted(card, version))
        assert over.version == version and over.uid == card.uid
        assert read_card(write(over.tree)).uid == card.uid


ACCEPTED = ("text/vcard", ";", "q=0.5", ",", "version=4.0", "*/*")


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60) | st.lists(st.sampled_from(ACCEPTED)).map("".join))
@example("text/vcard;q=nan")
def test_any_accept_field_is_understood(accept: str) -> None:
    assert preferred_version(accept, "3.0") in ("3.0", "4.0", None)


# --- Requests -------------------------------------------------------------------------------------

ATTRIBUTES = st.dictionaries(
    st.sampled_from(
        ("name", "test", "collation", "match-type", "negate-condition", "novalue", "version", "content-type")
    ),
    st.sampled_from(
        ("", "FN", "a.EMAIL", "anyof", "allof", "yes", "contains", "equals", "i;octet", "4.0", "x", "TYPE")
    ),
    max_size=3,
)
INSIDE = st.sampled_from(
    (
        "D:prop", "D:allprop", "D:include", "D:href", "D:getetag", "CR:address-data", "CR:allprop", "CR:prop",
        "CR:filter", "CR:prop-filter", "CR:param-filter", "CR:text-match", "CR:is-not-defined", "CR:limit",
        "CR:nresults",
    )
)  # fmt: skip


def _written(name: str, attributes: dict[str, str], inner: list[str]) -> str:
    said = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f"<{name}{said}>{''.join(inner)}</{name}>"


TREES = st.recursive(
    st.sampled_from(("", "7", "/dav/addressbooks/alice@example.com/contacts/0.vcf", "ann")),
    lambda inner: st.builds(_written, INSIDE, ATTRIBUTES, st.lists(inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(("addressbook-query", "addressbook-multiget")), st.lists(TREES, max_size=4), st.booleans())
def test_any_request_is_answered_or_refused(report: str, inner: list[str], is_gateway: bool) -> None:
    client = REQUESTED.client()
    path = "/dav/directory/" if is_gateway else f"/dav/addressbooks/{ALICE}/contacts/"
    client.request("PUT", f"/dav/addressbooks/{ALICE}/contacts/0.vcf", write(ANN.tree))
    spaces = 'xmlns:D="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"'
    reply = client.request("REPORT", path, f"<CR:{report} {spaces}>{''.join(inner)}</CR:{report}>", Depth="1")
    assert reply.status in (207, 400, 403)
    assert reply.xml is not None


ANN = read_card(b"BEGIN:VCARD\nVERSION:3.0\nUID:1\nFN:Ann\na.EMAIL;TYPE=x:ann@x\nEND:VCARD\n")
REQUESTED = DAVHost()


# --- The index ------------------------------------------------------------------------------------

NAMES = st.sampled_from(("FN", "EMAIL", "TEL", "NOTE", "X-THING", "PHOTO", "item1.TEL", "item2.EMAIL", "NICKNAME"))
CONDITIONS = st.builds(
    CardText,
    st.sampled_from(("", "a", "A", "home", "é", "ß", "ss", "example", ";")) | WORDS,
    st.sampled_from(("i;unicode-casemap", "i;ascii-casemap", "i;octet")),
    st.booleans(),
    st.sampled_from(HOWS),
)
PARAMS = st.builds(CardParam, st.sampled_from(("TYPE", "X-Y")), st.booleans(), st.none() | CONDITIONS)
FILTERS = st.builds(
    CardFilter,
    st.lists(
        st.builds(
            CardProp,
            NAMES.map(PropertyName.read),
            st.sampled_from((False, False, False, True)),
            st.lists(CONDITIONS, max_size=2).map(tuple),
            st.lists(PARAMS, max_size=1).map(tuple),
            st.booleans(),
        ),
        max_size=3,
    ).map(tuple),
    st.booleans(),
)


def book_of(host: DAVHost, cards: list) -> tuple[Exchange, CollectionNode]:
    """An address book with these cards, and who asks."""
    host.client().request("OPTIONS", "/dav/")
    state = host.collection("contacts", CollectionKind.ADDRESS_BOOK)
    shelf = host.shelf()
    for number, card in enumerate(cards):
        uid = Property("UID", f"{number}")
        tree = Component("VCARD", tuple(uid if each.name == "UID" else each for each in card.tree.properties))
        found = card_of(tree)
        new = NewItem(f"{number:03}.vcf", write(tree), card_facts(found), "text/vcard")
        host.run(shelf.put(state.id, new))
    exchange = Exchange.__new__(Exchange)
    exchange.site = host.site
    return exchange, CollectionNode(Location(("addressbooks", ALICE, "contacts")), shelf.principal, shelf, state)


@settings(max_examples=60, deadline=None)
@given(st.lists(CARDS, max_size=6), st.lists(FILTERS, min_size=1, max_size=6))
def test_the_index_finds_what_looking_at_every_card_finds(cards: list, filters: list[CardFilter]) -> None:
    host = DAVHost()
    exchange, book = book_of(host, cards)
    for wanted in filters:
        expected = [f"{number:03}.vcf" for number, card in enumerate(cards) if matches(wanted, card.tree)]
        found, is_cut = host.run(search(exchange, book, wanted, None))
        assert ([state.name for state in found], is_cut) == (expected, False)
        limited, is_cut = host.run(search(exchange, book, wanted, 1))
        assert ([state.name for state in limited], is_cut) == (expected[:1], len(expected) > 1)
