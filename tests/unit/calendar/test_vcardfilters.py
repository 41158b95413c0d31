"""L{trekd.calendar.vcardfilters}: which cards a filter is for, and what of them is wanted."""

from __future__ import annotations

from itertools import pairwise, product

import pytest

from tests.unit.calendar.test_vcard import card
from trekd.calendar.vcard import LONG, card_facts, read_card
from trekd.calendar.vcardfilters import (
    HOWS,
    CardFilter,
    CardParam,
    CardProp,
    CardText,
    PropertyName,
    PropertyWanted,
    index_questions,
    matches,
    part_of,
)
from trekd.errors import UnsupportedCollation

ANN = read_card(
    card(
        "N:Müller;Ann;;;",
        "item1.EMAIL;TYPE=home,pref:ann@home.example",
        "EMAIL;TYPE=work:ann@work.example",
        "TEL;X-NOTE=\"a:b\":+1 555",
        "X-FLAVOUR:Vanilla",
    )
)  # fmt: skip


def prop(name: str, *texts: CardText, params: tuple[CardParam, ...] = (), **others: bool) -> CardProp:
    return CardProp(PropertyName.read(name), texts=texts, params=params, **others)


def finds(*props: CardProp, is_all: bool = False) -> bool:
    return matches(CardFilter(props, is_all), ANN.tree)


@pytest.mark.parametrize(
    ("how", "text", "expected"),
    [
        ("contains", "HOME", True),
        ("contains", "nobody", False),
        ("equals", "ANN@work.example", True),
        ("equals", "ann@work", False),
        ("starts-with", "Ann@", True),
        ("starts-with", "nn@", False),
        ("ends-with", ".EXAMPLE", True),
        ("ends-with", "ann", False),
    ],
)
def test_text_is_matched_as_asked(how: str, text: str, expected: bool) -> None:
    """RFC 6352 §10.5.4."""
    assert finds(prop("email", CardText(text, how=how))) is expected


@pytest.mark.parametrize(
    ("collation", "text", "expected"),
    [
        ("i;unicode-casemap", "MÜLLER", True),
        ("default", "MÜLLER", True),
        ("i;ascii-casemap", "MÜLLER", False),
        ("i;ascii-casemap", "MüLLER", True),
        ("i;octet", "Müller", True),
        ("i;octet", "müller", False),
    ],
)
def test_collations_differ(collation: str, text: str, expected: bool) -> None:
    """RFC 6352 §8.3."""
    assert finds(prop("N", CardText(text, collation))) is expected


def test_an_unknown_collation_is_refused() -> None:
    with pytest.raises(UnsupportedCollation):
        CardText("x", "i;klingon")


def test_properties_are_there_or_not() -> None:
    assert finds(prop("X-Flavour")) and not finds(prop("NICKNAME"))
    assert finds(prop("NICKNAME", is_not_defined=True)) and not finds(prop("TEL", is_not_defined=True))


def test_a_group_is_part_of_a_name_only_when_it_is_said() -> None:
    """RFC 6352 §10.5.1."""
    assert finds(prop("ITEM1.EMAIL", CardText("home"))) and not finds(prop("item1.EMAIL", CardText("work")))
    assert not finds(prop("item2.EMAIL")) and finds(prop("item2.EMAIL", is_not_defined=True))


def test_conditions_are_for_any_or_all() -> None:
    yes, no = prop("TEL"), prop("NOTE")
    assert finds(yes, no) and not finds(yes, no, is_all=True) and finds(yes, yes, is_all=True) and finds()


def test_all_conditions_are_for_one_property() -> None:
    home, work = CardText("home"), CardText("work")
    assert finds(prop("EMAIL", home, work))
    assert not finds(prop("EMAIL", home, work, is_all=True))
    assert finds(prop("EMAIL", home, CardText("work", negate=True), is_all=True))


def test_negation() -> None:
    """RFC 6352 §10.5.4: some property has to be there, without the text."""
    assert finds(prop("EMAIL", CardText("home", negate=True)))
    assert not finds(prop("TEL", CardText("555", negate=True)))
    assert not finds(prop("NOTE", CardText("x", negate=True)))


@pytest.mark.parametrize(
    ("param", "expected"),
    [
        (CardParam("TYPE"), True),
        (CardParam("LANGUAGE"), False),
        (CardParam("LANGUAGE", is_not_defined=True), True),
        (CardParam("TYPE", match=CardText("HOME", how="equals")), True),
        (CardParam("TYPE", match=CardText("cell")), False),
        (CardParam("TYPE", match=CardText("cell", negate=True)), True),
        (CardParam("LANGUAGE", match=CardText("cell", negate=True)), False),
    ],
)
def test_parameters(param: CardParam, expected: bool) -> None:
    """RFC 6352 §10.5.2."""
    assert finds(prop("EMAIL", params=(param,))) is expected


def test_types_in_one_quoted_value_are_several() -> None:
    """RFC 6350 §5.6."""
    tree = read_card(card('TEL;TYPE="voice,home":+1')).tree
    home = CardParam("TYPE", match=CardText("home", how="equals"))
    assert matches(CardFilter((prop("TEL", params=(home,)),)), tree)


def test_a_parameter_belongs_to_its_property() -> None:
    home = CardParam("TYPE", match=CardText("home"))
    assert not finds(prop("EMAIL", CardText("work"), params=(home,), is_all=True))
    assert finds(prop("EMAIL", CardText("ann@home"), params=(home,), is_all=True))


# --- The index ------------------------------------------------------------------------------------

_TESTS = {
    "contains": str.__contains__,
    "equals": str.__eq__,
    "starts-with": str.startswith,
    "ends-with": str.endswith,
}

_TEXTS = [
    CardText(text, collation, negate, how)
    for text, collation, negate, how in product(
        ("", "ann@", "ANN", "müller", "Müller;Ann;;;", "home.example"),
        ("i;unicode-casemap", "i;ascii-casemap", "i;octet"),
        (False, True),
        HOWS,
    )
]


@pytest.mark.parametrize("is_all", [False, True])
@pytest.mark.parametrize("name", ["EMAIL", "item1.EMAIL", "N", "NOTE"])
def test_the_index_finds_every_card_that_matches(name: str, is_all: bool) -> None:
    facts = card_facts(ANN).texts
    conditions = [(), *((text,) for text in _TEXTS), *pairwise(_TEXTS)]
    for texts in conditions:
        wanted = prop(name, *texts, is_all=is_all)
        found = {
            question: any(
                question.name == each and _TESTS[question.how](value, question.text) for each, value in facts
            )
            for question in index_questions(wanted)
        }
        if wanted.fits(ANN.tree):
            assert any(found.values()), wanted
        else:
            assert not any(hit and question.is_exact for question, hit in found.items()), wanted


def test_common_questions_are_answered_by_the_index_alone() -> None:
    (one,) = index_questions(prop("FN", CardText("Ann")))
    (two,) = index_questions(prop("FN"))
    assert (one.is_exact, one.text, two.is_exact) == (True, "ann", True)
    assert LONG not in one.name


# --- Parts ----------------------------------------------------------------------------------------


def test_parts_of_a_card_keep_their_order_and_groups() -> None:
    """RFC 6352 §10.4.2."""
    wanted = (PropertyWanted(PropertyName.read("TEL"), True), PropertyWanted(PropertyName.read("item1.email")))
    assert part_of(ANN.tree, wanted).decode().splitlines() == [
        "BEGIN:VCARD",
        "VERSION:3.0",
        "item1.EMAIL;TYPE=home,pref:ann@home.example",
        'TEL;X-NOTE="a:b":',
        "END:VCARD",
    ]
