"""
CARDDAV:filter and CARDDAV:address-data: which cards a query asks for, and what of them (RFC 6352 §10.4, §10.5).

A filter is a value; L{matches} puts it to one card, L{index_questions} says what of it an index can answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from trekd.calendar.contentlines import Component, Property, write
from trekd.calendar.folding import COLLATIONS, collated, fold
from trekd.calendar.vcard import kinds_of, searchable
from trekd.errors import UnsupportedCollation

UNICODE = "i;unicode-casemap"

HOWS = ("contains", "equals", "starts-with", "ends-with")


@dataclass(frozen=True, slots=True)
class CardText:
    """
    CARDDAV:text-match (RFC 6352 §10.5.4).

    @ivar collation: C{default} stands for C{i;unicode-casemap} (RFC 6352 §8.3).
    @ivar how: one of L{HOWS}.
    @raise UnsupportedCollation: nobody knows it.
    """

    text: str
    collation: str = UNICODE
    negate: bool = False
    how: str = "contains"
    _wanted: str = field(init=False, repr=False, compare=False, default="")

    def __post_init__(self) -> None:
        if self.collation == "default":
            object.__setattr__(self, "collation", UNICODE)
        if self.collation not in COLLATIONS:
            raise UnsupportedCollation(self.collation)
        object.__setattr__(self, "_wanted", collated(self.text, self.collation))

    def is_in(self, value: str) -> bool:
        """Whether a value without escapes has the text, whatever C{negate} says."""
        found = collated(value, self.collation)
        if self.how == "equals":
            return found == self._wanted
        if self.how == "starts-with":
            return found.startswith(self._wanted)
        if self.how == "ends-with":
            return found.endswith(self._wanted)
        return self._wanted in found


@dataclass(frozen=True, slots=True)
class CardParam:
    """
    CARDDAV:param-filter (RFC 6352 §10.5.2).

    @ivar name: in upper case.
    @ivar is_not_defined: the other condition does not matter then.
    """

    name: str
    is_not_defined: bool = False
    match: CardText | None = None

    def fits(self, each: Property) -> bool:
        """Whether a property fulfils it; a negated text is one that no value has."""
        if self.is_not_defined or self.match is None:
            return any(name.upper() == self.name for name, _ in each.parameters) != self.is_not_defined
        if not any(name.upper() == self.name for name, _ in each.parameters):
            return False
        values = each.parameter_values(self.name)
        if self.name == "TYPE":
            values = kinds_of(values)
        return any(map(self.match.is_in, values)) != self.match.negate


@dataclass(frozen=True, slots=True)
class PropertyName:
    """
    What names properties of a card (RFC 6352 §10.4.2, §10.5.1); letter case is ignored.

    @ivar name: in upper case.
    @ivar group: in upper case; '' is with any group or none.
    """

    name: str
    group: str = ""

    @classmethod
    def read(cls, text: str) -> PropertyName:
        """From C{NAME} or C{GROUP.NAME}."""
        group, _, name = text.strip().upper().rpartition(".")
        return cls(name, group)

    def names(self, each: Property) -> bool:
        """Whether a property is meant."""
        return each.is_named(self.name) and (not self.group or each.group.upper() == self.group)


@dataclass(frozen=True, slots=True)
class CardProp:
    """
    CARDDAV:prop-filter (RFC 6352 §10.5.1).

    @ivar is_not_defined: the other conditions do not matter then.
    @ivar is_all: one property has to fulfil all conditions, else any of them.
    """

    name: PropertyName
    is_not_defined: bool = False
    texts: tuple[CardText, ...] = ()
    params: tuple[CardParam, ...] = ()
    is_all: bool = False

    def fits(self, tree: Component) -> bool:
        """Whether a card fulfils it."""
        named = [each for each in tree.properties if self.name.names(each)]
        if self.is_not_defined:
            return not named
        if not self.texts and not self.params:
            return bool(named)
        return any(map(self._is_fulfilled, named))

    def _is_fulfilled(self, each: Property) -> bool:
        value = searchable(each) if self.texts else ""
        tests = [
            *(wanted.is_in(value) != wanted.negate for wanted in self.texts),
            *(wanted.fits(each) for wanted in self.params),
        ]
        return all(tests) if self.is_all else any(tests)


@dataclass(frozen=True, slots=True)
class CardFilter:
    """
    CARDDAV:filter (RFC 6352 §10.5); one without conditions is for every card.

    @ivar is_all: all have to be fulfilled, else any.
    """

    props: tuple[CardProp, ...] = ()
    is_all: bool = False

    @property
    def size(self) -> int:
        """How many conditions it has."""
        return sum(1 + len(each.texts) + len(each.params) for each in self.props)


def matches(wanted: CardFilter, tree: Component) -> bool:
    """Whether a card fulfils a filter."""
    if not wanted.props:
        return True
    tests = (each.fits(tree) for each in wanted.props)
    return all(tests) if wanted.is_all else any(tests)


# --- The index ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IndexQuestion:
    """
    What to ask L{CardFacts.texts <trekd.calendar.vcard.CardFacts>}.

    @ivar name: of the property.
    @ivar text: folded.
    @ivar how: one of L{HOWS}.
    @ivar is_exact: what the index finds fulfils the condition; else it only may.
    """

    name: str
    text: str = ""
    how: str = "contains"
    is_exact: bool = False


def index_questions(wanted: CardProp) -> tuple[IndexQuestion, ...]:
    """
    The questions of which one at least finds every card that fulfils a condition, but for those marked
    L{LONG <trekd.calendar.vcard.LONG>}.

    @param wanted: not C{is_not_defined}.
    """
    name, exact = wanted.name.name, not wanted.name.group
    defined = (IndexQuestion(name, is_exact=exact and not wanted.texts and not wanted.params),)
    usable = [each for each in wanted.texts if not each.negate and (each.collation == UNICODE or each.text.isascii())]
    if wanted.is_all:
        alone = exact and len(wanted.texts) == 1 and not wanted.params
        return (_question(name, usable[0], alone),) if usable else defined
    if wanted.texts and not wanted.params and len(usable) == len(wanted.texts):
        return tuple(_question(name, each, exact) for each in usable)
    return defined


def _question(name: str, wanted: CardText, exact: bool) -> IndexQuestion:
    return IndexQuestion(name, fold(wanted.text), wanted.how, exact and wanted.collation == UNICODE)


# --- Parts of a card ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PropertyWanted:
    """
    CARDDAV:prop (RFC 6352 §10.4.2).

    @ivar without_value: only what stands before the colon.
    """

    name: PropertyName
    without_value: bool = False


def part_of(tree: Component, wanted: tuple[PropertyWanted, ...]) -> bytes:
    """A card with nothing but these properties, and its version."""
    kept = []
    for each in tree.properties:
        named = [name for name in wanted if name.name.names(each)]
        if named and all(name.without_value for name in named):
            kept.append(replace(each, value=""))
        elif named or each.is_named("VERSION"):
            kept.append(each)
    return write(replace(tree, properties=tuple(kept), components=()))
