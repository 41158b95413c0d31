"""
The live properties of calendars (RFC 4791 §5.2, §6.2, §7.5.1).

A calendar's colour and order, which Apple's programs began with, are kept as they are sent, as any dead property.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from trekd.calendar.folding import COLLATIONS
from trekd.calendar.objects import KINDS
from trekd.calendar.times import LATEST, utc_value
from trekd.dav.calendars.limits import EARLIEST, LIMITS
from trekd.dav.calendars.storing import supported
from trekd.dav.calendars.timezones import CALENDAR_TIMEZONE, check_timezone, zone_name_of
from trekd.dav.exchange import Exchange
from trekd.dav.live import accept_text
from trekd.dav.nodes import CollectionNode, HomeNode, Node, PrincipalNode
from trekd.dav.paths import Location
from trekd.dav.tables import Property
from trekd.dav.xml.names import caldav
from trekd.dav.xml.writing import element, href, tags, text_element
from trekd.store.collections import CollectionKind

COMPONENT_SET = caldav("supported-calendar-component-set")

_MEDIA_TYPES = tags(caldav("calendar-data"))[0][:-1] + b' content-type="text/calendar" version="2.0"/>'


def _is_calendar(node: Node) -> bool:
    return isinstance(node, CollectionNode) and node.state.kind is CollectionKind.CALENDAR


def _constant(content: bytes) -> Callable[[Exchange, Node], Awaitable[bytes | None]]:
    """Every calendar has the same."""

    async def read(exchange: Exchange, node: Node) -> bytes | None:
        return content if _is_calendar(node) else None

    return read


async def _none(exchange: Exchange, node: Node) -> bytes | None:
    return None


def _component(name: str) -> bytes:
    return tags(caldav("comp"))[0][:-1] + b' name="' + name.encode() + b'"/>'


async def _component_set(exchange: Exchange, node: Node) -> bytes | None:
    if not isinstance(node, CollectionNode) or not _is_calendar(node):
        return None
    return b"".join(map(_component, supported(node.state)))


async def _component_sets(exchange: Exchange, node: Node) -> bytes | None:
    """What a calendar in this home may be made for: anything (caldav extension of Apple's)."""
    if not isinstance(node, HomeNode) or CollectionKind.CALENDAR not in node.kinds:
        return None
    return b"".join(element(COMPONENT_SET, _component(name)) for name in KINDS)


async def _max_size(exchange: Exchange, node: Node) -> bytes | None:
    return b"%d" % exchange.site.config.max_item if _is_calendar(node) else None


async def _timezone_id(exchange: Exchange, node: Node) -> bytes | None:
    name = zone_name_of(node) if isinstance(node, CollectionNode) and _is_calendar(node) else None
    return None if name is None else name.encode()


async def _homes(exchange: Exchange, node: Node) -> bytes | None:
    if not isinstance(node, PrincipalNode) or node.owner is None:
        return None
    return href(Location(("calendars", node.owner)).path(True))


PROPERTIES = (
    Property(caldav("calendar-description"), _none, lambda state: None, check=accept_text),
    Property(CALENDAR_TIMEZONE, _none, lambda state: None, check=check_timezone),
    Property(caldav("calendar-timezone-id"), _timezone_id, lambda state: None),
    Property(COMPONENT_SET, _component_set, lambda state: None),
    Property(caldav("supported-calendar-component-sets"), _component_sets, lambda state: None),
    Property(caldav("supported-calendar-data"), _constant(_MEDIA_TYPES), lambda state: None),
    Property(caldav("max-resource-size"), _max_size, lambda state: None),
    Property(caldav("min-date-time"), _constant(utc_value(EARLIEST).encode()), lambda state: None),
    Property(caldav("max-date-time"), _constant(utc_value(LATEST).encode()), lambda state: None),
    Property(caldav("max-instances"), _constant(b"%d" % LIMITS.instances), lambda state: None),
    Property(caldav("max-attendees-per-instance"), _constant(b"%d" % LIMITS.attendees), lambda state: None),
    Property(
        caldav("supported-collation-set"),
        _constant(b"".join(text_element(caldav("supported-collation"), name) for name in COLLATIONS)),
        lambda state: None,
    ),
    Property(caldav("calendar-home-set"), _homes, lambda state: None),
)
