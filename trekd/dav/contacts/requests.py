"""
The request bodies of CardDAV as values (RFC 6352 §10).
"""

from __future__ import annotations

from dataclasses import dataclass

from trekd.calendar.vcard import VERSIONS
from trekd.calendar.vcardfilters import (
    HOWS,
    UNICODE,
    CardFilter,
    CardParam,
    CardProp,
    CardText,
    PropertyName,
    PropertyWanted,
)
from trekd.dav.errors import Fault
from trekd.dav.xml.names import carddav, dav
from trekd.dav.xml.reading import Element, child, text
from trekd.dav.xml.requests import PropertiesWanted, properties_wanted
from trekd.dav.xml.writing import element
from trekd.errors import SyntaxFault, UnsupportedCollation

ADDRESS_ELEMENT = carddav("address-data")

MAX_CONDITIONS = 50
"""Of one filter; each is a question to the index."""


@dataclass(frozen=True, slots=True)
class AddressWanted:
    """
    CARDDAV:address-data of a request (RFC 6352 §10.4).

    @ivar version: of vCard.  Deviates from RFC 6352 §10.4: without it a card comes as it was sent, not as 3.0, so
        that who stored a 4.0 card gets what it stored.
    @ivar parts: the properties of cards; none is all of them.
    """

    version: str = ""
    parts: tuple[PropertyWanted, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What a report is to tell of each card.

    @ivar address: C{None}: not the card itself.
    """

    properties: PropertiesWanted
    address: AddressWanted | None


@dataclass(frozen=True, slots=True)
class Query:
    """
    CARDDAV:addressbook-query (RFC 6352 §10.3).

    @ivar limit: cards at most; C{None} for no limit.
    """

    wanted: Wanted
    filter: CardFilter
    limit: int | None


@dataclass(frozen=True, slots=True)
class Multiget:
    """
    CARDDAV:addressbook-multiget (RFC 6352 §10.7).

    @ivar references: hrefs as they were sent, each once.
    """

    wanted: Wanted
    references: tuple[str, ...]


def addressbook_query(root: Element) -> Query:
    """
    @raise SyntaxFault: the filter is missing or breaks its grammar.
    @raise Fault: it asks for what is not offered (RFC 6352 §8.6).
    """
    found = child(root, carddav("filter"))
    if found is None:
        raise SyntaxFault("filter")
    limit = child(root, carddav("limit"))
    nresults = None if limit is None else text(child(limit, carddav("nresults")))
    if nresults is not None and not (nresults.isascii() and nresults.isdecimal()):
        raise SyntaxFault("nresults")
    return Query(_wanted(root), _filter(found), None if nresults is None else int(nresults[:18]))


def addressbook_multiget(root: Element) -> Multiget:
    """
    @raise SyntaxFault: the properties break their grammar.
    @raise Fault: it asks for what is not offered (RFC 6352 §8.7).
    """
    references = dict.fromkeys(text(each) for each in root.findall(dav("href")))
    return Multiget(_wanted(root), tuple(references))


# --- What of each card ----------------------------------------------------------------------------


def _wanted(root: Element) -> Wanted:
    """The properties; none are asked for where a request says nothing."""
    forms = ("prop", "allprop", "propname")
    is_said = any(child(root, dav(form)) is not None for form in forms)
    properties = properties_wanted(root) if is_said else PropertiesWanted()
    asked = next((found for form in ("prop", "include") if (found := _address_in(root, form)) is not None), None)
    names = tuple(name for name in properties.names if name != ADDRESS_ELEMENT)
    others = PropertiesWanted(names, properties.is_all, properties.names_only)
    return Wanted(others, None if asked is None else _address(asked))


def _address_in(root: Element, form: str) -> Element | None:
    around = child(root, dav(form))
    return None if around is None else child(around, ADDRESS_ELEMENT)


def _address(asked: Element) -> AddressWanted:
    """
    @raise Fault: it is asked for in a form that is not offered.
    """
    version = asked.get("version", "").strip()
    media_type = asked.get("content-type", "text/vcard").strip().lower()
    if media_type != "text/vcard" or version not in ("", *VERSIONS):
        raise Fault(403, carddav("supported-address-data"), "Contacts are given as text/vcard 3.0 or 4.0.")
    if child(asked, carddav("allprop")) is not None:
        return AddressWanted(version)
    parts = [
        PropertyWanted(PropertyName.read(_name(each)), each.get("novalue", "no") == "yes")
        for each in asked.findall(carddav("prop"))
    ]
    return AddressWanted(version, tuple(parts))


# --- Which cards ----------------------------------------------------------------------------------


def _filter(root: Element) -> CardFilter:
    """
    @raise Fault: supported-filter or supported-collation.
    """
    try:
        found = CardFilter(tuple(map(_prop, root.findall(carddav("prop-filter")))), _is_all(root))
    except UnsupportedCollation:
        raise Fault(403, carddav("supported-collation"), "There is no such collation here.") from None
    if found.size > MAX_CONDITIONS:
        content = element(carddav("prop-filter"))
        raise Fault(403, carddav("supported-filter"), f"At most {MAX_CONDITIONS} conditions are taken.", content)
    return found


def _prop(root: Element) -> CardProp:
    return CardProp(
        PropertyName.read(_name(root)),
        child(root, carddav("is-not-defined")) is not None,
        tuple(map(_text, root.findall(carddav("text-match")))),
        tuple(map(_param, root.findall(carddav("param-filter")))),
        _is_all(root),
    )


def _param(root: Element) -> CardParam:
    found = child(root, carddav("text-match"))
    is_not_defined = child(root, carddav("is-not-defined")) is not None
    return CardParam(_name(root).upper(), is_not_defined, None if found is None else _text(found))


def _text(root: Element) -> CardText:
    how = root.get("match-type", HOWS[0])
    if how not in HOWS:
        raise SyntaxFault("match-type")
    # White space counts: what is looked for may begin with it.
    sought = "".join(map(str, root.itertext()))
    return CardText(sought, root.get("collation", UNICODE), _is_yes(root, "negate-condition"), how)


def _is_all(root: Element) -> bool:
    test = root.get("test", "anyof")
    if test not in ("anyof", "allof"):
        raise SyntaxFault("anyof or allof")
    return test == "allof"


def _is_yes(root: Element, name: str) -> bool:
    value = root.get(name, "no")
    if value not in ("yes", "no"):
        raise SyntaxFault(f"{name}, yes or no")
    return value == "yes"


def _name(root: Element) -> str:
    name = root.get("name", "").strip()
    if not name:
        raise SyntaxFault("name")
    return name
