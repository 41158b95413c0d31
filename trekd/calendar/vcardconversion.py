"""
vCard 3.0 (RFC 2426) to 4.0 (RFC 6350) and back.

What both versions have goes over by its meaning; what only one has stays under its own name, which the other allows
(C{iana-token} and C{x-name} of both grammars), so that a card that goes over and comes back says what it said:
dates and times may come back in their other spelling.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from trekd.calendar.contentlines import Component, Parameter, Property, escape, unescape
from trekd.calendar.vcard import Card, kinds_of

_OCTETS = frozenset(("PHOTO", "LOGO", "SOUND", "KEY"))
"""Properties that hold octets, or say where they are."""

_RENAMED = {"X-ADDRESSBOOKSERVER-KIND": "KIND", "X-ADDRESSBOOKSERVER-MEMBER": "MEMBER"}
_RENAMED_BACK = {new: old for old, new in _RENAMED.items()}

_MEDIA_TYPES = {
    "PHOTO": "image",
    "LOGO": "image",
    "SOUND": "audio",
    "KEY": "application",
}
_KEY_TYPES = {"PGP": "pgp-keys", "X509": "pkix-cert"}
_KEY_TYPES_BACK = {new: old for old, new in _KEY_TYPES.items()}

_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):?(\d{2})(?::?(\d{2}))?(?:[.,]\d+)?(Z|[+-]\d{2}:?\d{2})?)?")
_BASIC = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})(\d{2})?(Z|[+-]\d{2}(?:\d{2})?)?)?")
_YEARLESS = re.compile(r"--(\d{2})-?(\d{2})")
_PARTIAL = re.compile(r"\d{4}(-\d{2})?|--\d{2}(-?\d{2})?|---\d{2}|T[\d-]{2,6}(Z|[+-]\d{2,4})?")
"""Dates and times of which something is left out (RFC 6350 §4.3)."""
_OFFSET = re.compile(r"([+-]\d{2}):?(\d{2})?")
_GEO = re.compile(r"\s*([+-]?[\d.]+)\s*;\s*([+-]?[\d.]+)\s*")
_GEO_URI = re.compile(r"geo:([+-]?[\d.]+),([+-]?[\d.]+)", re.I)
_INLINE_URI = re.compile(r"data:([^;,]*)((?:;[^;,]*)*);base64,", re.I)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_SPACE = re.compile(r"\s+")

_OMITTED_YEAR = "1604"
"""What Apple's programs write for a year that is not known, and say so with C{X-APPLE-OMIT-YEAR}."""


def converted(card: Card, version: str) -> Component:
    """
    A card in another version.

    @param version: one of L{VERSIONS <trekd.calendar.vcard.VERSIONS>}.
    """
    if card.version == version:
        return card.tree
    lines = _to_4(card.tree) if version == "4.0" else _to_3(card.tree)
    # RFC 6350 §6.7.9: VERSION comes first.
    return Component(card.tree.name, (Property("VERSION", version), *lines))


# --- 3.0 to 4.0 -----------------------------------------------------------------------------------


def _to_4(tree: Component) -> Iterator[Property]:
    labels = list(tree.every("LABEL"))
    sorting = tree.value("SORT-STRING")
    sorted_name = "FN" if tree.first("N") is None else "N"
    if tree.first("FN") is None:
        yield Property("FN", _full_name(tree))
    for each in tree.properties:
        name = each.name.upper()
        if name in ("VERSION", "LABEL", "SORT-STRING", "PROFILE"):
            continue
        changed = _TO_4.get(name, _same)(_shared_to_4(each))
        if name == "ADR":
            changed = _labelled(changed, labels)
        elif sorting and name == sorted_name:
            changed = _with(changed, "SORT-AS", unescape(sorting))
            sorting = ""
        yield changed
    for each in labels:
        # An address that is known by its label alone (RFC 6350 §6.3.1).
        yield replace(_shared_to_4(_with(each, "LABEL", unescape(each.value))), name="ADR", value=";;;;;;")


def _full_name(tree: Component) -> str:
    """What FN has to be there for in 4.0, of N."""
    parts = (*(tree.value("N").split(";")), "", "", "", "", "")[:5]
    family, given, middle, before, after = parts
    return " ".join(part for part in (before, given, middle, family, after) if part.strip())


def _shared_to_4(each: Property) -> Property:
    """Parameters that mean the same on every property."""
    parameters: list[Parameter] = []
    for name, values in each.parameters:
        upper = name.upper()
        if upper == "CHARSET" or (upper == "VALUE" and _first(values) in ("binary", "phone-number", "vcard")):
            continue
        if upper == "TYPE" or not values:
            kinds = kinds_of(values or (name,))
            others = tuple(kind for kind in kinds if kind.lower() != "pref")
            if len(others) < len(kinds) and each.parameter("PREF") is None:
                parameters.append(("PREF", ("1",)))
            if others:
                parameters.append(("TYPE", others))
            continue
        parameters.append((name, values))
    name = _RENAMED.get(each.name.upper(), each.name)
    return replace(each, name=name, parameters=tuple(parameters))


def _same(each: Property) -> Property:
    return each


def _octets_to_4(each: Property) -> Property:
    encoding = (each.parameter("ENCODING") or "").lower()
    kind, *others = each.parameter_values("TYPE") or ("",)
    media_type = _media_type(each.name.upper(), kind.strip())
    kept = _without(each, "ENCODING", "TYPE", "VALUE")
    if others:
        kept = replace(kept, parameters=(*kept.parameters, ("TYPE", tuple(others))))
    if encoding in ("b", "base64"):
        uri = f"data:{media_type or 'application/octet-stream'};base64,{_SPACE.sub('', each.value)}"
        return replace(kept, value=uri)
    if (each.parameter("VALUE") or "").lower() in ("uri", "url") or _URI.match(each.value):
        return _with(kept, "MEDIATYPE", media_type) if media_type else kept
    # Text, such as a key in letters.
    return _with(_without(each, "VALUE"), "VALUE", "text")


def _media_type(name: str, kind: str) -> str:
    if not kind:
        return ""
    if "/" in kind:
        return kind.lower()
    if name == "KEY":
        return "application/" + _KEY_TYPES.get(kind.upper(), kind.lower())
    return f"{_MEDIA_TYPES[name]}/{kind.lower()}"


def _date_to_4(each: Property) -> Property:
    omitted = each.parameter("X-APPLE-OMIT-YEAR")
    kept = _without(each, "VALUE", "X-APPLE-OMIT-YEAR")
    match = _DATE.fullmatch(each.value.strip()) or _BASIC.fullmatch(each.value.strip())
    if match is None:
        is_text = (each.parameter("VALUE") or "").lower() == "text" or not _PARTIAL.fullmatch(each.value.strip())
        return _with(kept, "VALUE", "text") if is_text else kept
    year, month, day, hour, minute, second, zone = match.groups()
    date = f"--{month}{day}" if omitted == year else f"{year}{month}{day}"
    time = f"T{hour}{minute}{second or '00'}{(zone or '').replace(':', '')}" if hour else ""
    return replace(kept, value=date + time)


def _timestamp_to_4(each: Property) -> Property:
    match = _DATE.fullmatch(each.value.strip())
    if match is None:
        return _without(each, "VALUE")
    year, month, day, hour, minute, second, zone = match.groups()
    time = f"T{hour or '00'}{minute or '00'}{second or '00'}{(zone or '').replace(':', '')}"
    return replace(_without(each, "VALUE"), value=f"{year}{month}{day}{time}")


def _mail_to_4(each: Property) -> Property:
    kinds = tuple(kind for kind in each.parameter_values("TYPE") if kind.lower() != "internet")
    kept = _without(each, "TYPE")
    return replace(kept, parameters=(*kept.parameters, ("TYPE", kinds))) if kinds else kept


def _geo_to_4(each: Property) -> Property:
    match = _GEO.fullmatch(each.value.replace("\\;", ";"))
    return replace(each, value=f"geo:{match[1]},{match[2]}") if match else each


def _zone_to_4(each: Property) -> Property:
    match = _OFFSET.fullmatch(each.value.strip())
    said = (each.parameter("VALUE") or "").lower()
    if match is None or said == "text":
        return each if said == "uri" else _without(each, "VALUE")
    return replace(_with(_without(each, "VALUE"), "VALUE", "utc-offset"), value=match[1] + (match[2] or "00"))


def _uid_to_4(each: Property) -> Property:
    """Not every UID is the URI that 4.0 takes it for (RFC 6350 §6.7.6)."""
    kept = _without(each, "VALUE")
    return kept if _URI.match(each.value.strip()) else _with(kept, "VALUE", "text")


def _agent_to_4(each: Property) -> Property:
    is_uri = (each.parameter("VALUE") or "").lower() in ("uri", "url")
    kept = replace(_without(each, "VALUE", "TYPE"), name="RELATED")
    kept = _with(kept, "TYPE", "agent")
    return kept if is_uri else _with(kept, "VALUE", "text")


def _labelled(address: Property, labels: list[Property]) -> Property:
    """An address with its label in it (RFC 6350 §6.3.1): of the same group or types; that one is taken."""
    kinds = _kinds(address)
    for at, label in enumerate(labels):
        if (label.group and label.group == address.group) or _kinds(_shared_to_4(label)) == kinds:
            return _with(address, "LABEL", unescape(labels.pop(at).value))
    return address


def _kinds(each: Property) -> frozenset[str]:
    return frozenset(kind.lower() for kind in kinds_of(each.parameter_values("TYPE")))


_TO_4: Mapping[str, Callable[[Property], Property]] = {
    **dict.fromkeys(_OCTETS, _octets_to_4),
    **dict.fromkeys(("BDAY", "ANNIVERSARY"), _date_to_4),
    "REV": _timestamp_to_4,
    "EMAIL": _mail_to_4,
    "GEO": _geo_to_4,
    "TZ": _zone_to_4,
    "UID": _uid_to_4,
    "AGENT": _agent_to_4,
}


# --- 4.0 to 3.0 -----------------------------------------------------------------------------------


def _to_3(tree: Component) -> Iterator[Property]:
    sorting = next((found for each in tree.properties if (found := _sort_as(each))), "")
    if tree.first("N") is None:
        # RFC 2426 §3.1.2: N is needed.
        yield Property("N", f"{tree.value('FN').replace(';', ' ')};;;;")
    if tree.first("FN") is None:
        yield Property("FN", _full_name(tree))
    for each in tree.properties:
        name = each.name.upper()
        if name == "VERSION":
            continue
        label = each.parameter("LABEL") if name == "ADR" else None
        changed = _shared_to_3(_TO_3.get(name, _same)(each))
        if label is None or each.value.strip(";"):
            yield changed
        if label is not None:
            yield replace(changed, name="LABEL", value=escape(label))
    if sorting:
        yield Property("SORT-STRING", escape(sorting))


def _sort_as(each: Property) -> str:
    """What N or FN is sorted as; of several parts the whole."""
    return ",".join(each.parameter_values("SORT-AS")) if each.name.upper() in ("N", "FN") else ""


def _shared_to_3(each: Property) -> Property:
    """Parameters that mean the same on every property."""
    parameters: list[Parameter] = []
    kinds: list[str] = []
    preferred: tuple[str, ...] = ()
    for name, values in each.parameters:
        upper = name.upper()
        if upper == "PREF" and values == ("1",):
            preferred = ("pref",)
        elif upper == "TYPE":
            kinds += kinds_of(values)
        elif upper == "SORT-AS" and each.name.upper() in ("N", "FN"):
            continue
        elif not (upper == "LABEL" and each.name.upper() == "ADR"):
            parameters.append((name, values))
    if kinds or preferred:
        parameters.append(("TYPE", tuple(dict.fromkeys((*kinds, *preferred)))))
    name = _RENAMED_BACK.get(each.name.upper(), each.name)
    return replace(each, name=name, parameters=tuple(parameters))


def _octets_to_3(each: Property) -> Property:
    match = _INLINE_URI.match(each.value)
    media_type = (match[1] if match else each.parameter("MEDIATYPE") or "").lower()
    kept = _without(each, "MEDIATYPE", "VALUE", "TYPE")
    kind = _type_of(media_type)
    types = ((("TYPE", (kind,)),) if kind else ()) + tuple(
        (name, values) for name, values in each.parameters if name.upper() == "TYPE"
    )
    if match:
        parameters = (("ENCODING", ("b",)), *types, *kept.parameters)
        return replace(kept, parameters=parameters, value=each.value[match.end() :])
    if (each.parameter("VALUE") or "").lower() == "text":
        return replace(kept, parameters=(*types, *kept.parameters))
    return replace(kept, parameters=(("VALUE", ("uri",)), *types, *kept.parameters))


def _type_of(media_type: str) -> str:
    """What 3.0 calls a media type."""
    kind = media_type.partition("/")[2]
    return "" if kind in ("", "octet-stream") else _KEY_TYPES_BACK.get(kind, kind).upper()


def _date_to_3(each: Property) -> Property:
    kept = _without(each, "VALUE")
    yearless = _YEARLESS.fullmatch(each.value.strip())
    if yearless:
        dated = replace(kept, value=f"{_OMITTED_YEAR}-{yearless[1]}-{yearless[2]}")
        return _with(dated, "X-APPLE-OMIT-YEAR", _OMITTED_YEAR)
    value = _extended(each.value.strip())
    if value is None:
        return each
    return _with(replace(kept, value=value), "VALUE", "date-time") if "T" in value else replace(kept, value=value)


def _timestamp_to_3(each: Property) -> Property:
    value = _extended(each.value.strip())
    return each if value is None else replace(_without(each, "VALUE"), value=value)


def _extended(value: str) -> str | None:
    """A date, with or without time, in ISO 8601's form with hyphens and colons; C{None}: it is none."""
    match = _BASIC.fullmatch(value)
    if match is None:
        return value if _DATE.fullmatch(value) else None
    year, month, day, hour, minute, second, zone = match.groups()
    if not hour:
        return f"{year}-{month}-{day}"
    if zone and zone != "Z":
        zone = f"{zone[:3]}:{zone[3:] or '00'}"
    return f"{year}-{month}-{day}T{hour}:{minute}:{second or '00'}{zone or ''}"


def _mail_to_3(each: Property) -> Property:
    """RFC 2426 §3.3.2: an address is C{internet} when nothing else is said."""
    return replace(each, parameters=(("TYPE", ("INTERNET",)), *each.parameters))


def _phone_to_3(each: Property) -> Property:
    value = each.value.strip()
    is_uri = (each.parameter("VALUE") or "").lower() == "uri"
    number = value[4:] if is_uri and value[:4].lower() == "tel:" else value
    return replace(_without(each, "VALUE"), value=number)


def _geo_to_3(each: Property) -> Property:
    match = _GEO_URI.match(each.value.strip())
    return replace(_without(each, "VALUE"), value=f"{match[1]};{match[2]}") if match else each


def _zone_to_3(each: Property) -> Property:
    kept = _without(each, "VALUE")
    match = _OFFSET.fullmatch(each.value.strip())
    if match:
        return replace(kept, value=f"{match[1]}:{match[2] or '00'}")
    return _with(kept, "VALUE", "uri" if (each.parameter("VALUE") or "").lower() == "uri" else "text")


def _uid_to_3(each: Property) -> Property:
    return _without(each, "VALUE")


def _related_to_3(each: Property) -> Property:
    """An agent; other relations stay what they are."""
    if _kinds(each) != {"agent"}:
        return each
    is_text = (each.parameter("VALUE") or "").lower() == "text"
    kept = replace(_without(each, "VALUE", "TYPE"), name="AGENT")
    return kept if is_text else _with(kept, "VALUE", "uri")


_TO_3: Mapping[str, Callable[[Property], Property]] = {
    **dict.fromkeys(_OCTETS, _octets_to_3),
    **dict.fromkeys(("BDAY", "ANNIVERSARY"), _date_to_3),
    "REV": _timestamp_to_3,
    "EMAIL": _mail_to_3,
    "TEL": _phone_to_3,
    "GEO": _geo_to_3,
    "TZ": _zone_to_3,
    "UID": _uid_to_3,
    "RELATED": _related_to_3,
}


# --- Parameters -----------------------------------------------------------------------------------


def _first(values: Iterable[str]) -> str:
    return next(iter(values), "").lower()


def _with(each: Property, name: str, value: str) -> Property:
    return replace(each, parameters=(*each.parameters, (name, (value,))))


def _without(each: Property, *names: str) -> Property:
    if not each.parameters:
        return each
    kept = tuple(pair for pair in each.parameters if pair[0].upper() not in names)
    return replace(each, parameters=kept)
