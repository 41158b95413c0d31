"""
Expanded names, C{{namespace}local}, and the prefixes that answers write for their namespaces.
"""

from __future__ import annotations

from collections.abc import Mapping

DAV = "DAV:"
CALDAV = "urn:ietf:params:xml:ns:caldav"
CARDDAV = "urn:ietf:params:xml:ns:carddav"
CALENDAR_SERVER = "http://calendarserver.org/ns/"
APPLE_ICAL = "http://apple.com/ns/ical/"

PREFIXES: Mapping[str, str] = {
    DAV: "D",
    CALDAV: "C",
    CARDDAV: "CR",
    CALENDAR_SERVER: "CS",
    APPLE_ICAL: "IC",
}
"""Every document of ours declares these on its root."""


def dav(local: str) -> str:
    """A name in the namespace of WebDAV."""
    return f"{{{DAV}}}{local}"


def caldav(local: str) -> str:
    """A name in the namespace of RFC 4791."""
    return f"{{{CALDAV}}}{local}"


def carddav(local: str) -> str:
    """A name in the namespace of RFC 6352."""
    return f"{{{CARDDAV}}}{local}"


def calendar_server(local: str) -> str:
    """A name in the namespace of Apple's Calendar Server."""
    return f"{{{CALENDAR_SERVER}}}{local}"


def apple_ical(local: str) -> str:
    """A name in the namespace of Apple's calendar programs."""
    return f"{{{APPLE_ICAL}}}{local}"


def split(name: str) -> tuple[str, str]:
    """Namespace ('' for none) and local part of an expanded name."""
    namespace, brace, local = name.removeprefix("{").partition("}")
    return (namespace, local) if brace else ("", name)
