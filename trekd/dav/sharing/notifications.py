"""
The collection of an account's notifications (caldav-notifications, caldav-sharing §4): what became of invitations.

It lies beside the account's file area and is shown in the home of its calendars.  There is at most one notification
about a collection from each account: a later one takes the place of the one before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from twisted.logger import Logger

from trekd.dav.defaults import make_first_collections
from trekd.dav.errors import Fault
from trekd.dav.exchange import Exchange
from trekd.dav.nodes import COLLECTION, CollectionNode, HomeNode, Node
from trekd.dav.tables import Kind
from trekd.dav.xml.names import caldav, calendar_server
from trekd.dav.xml.writing import attribute_element, document, element, escape, href, text_element
from trekd.directory.interfaces import Account
from trekd.errors import CollectionExists, LimitReached, StoreFull, TrekError
from trekd.portal.access import GIVEN, Permission
from trekd.store.collections import (
    CollectionKind,
    CollectionState,
    ICollections,
    ItemState,
    NewCollection,
    NewItem,
    Right,
)

NAME = "notifications"
TYPE = calendar_server("notificationtype")
MAX_NOTIFICATIONS = 1000
"""Of one account; of more nobody is told."""

_log = Logger()


def _refuse(collection: CollectionNode, state: ItemState) -> None:
    raise Fault(403, text="Clients put nothing here.")


_KIND = Kind(
    CollectionKind.FILES,
    "calendars",
    (COLLECTION, calendar_server("notification")),
    suffix=".xml",
    can_be_made=False,
    require_fit=_refuse,
)


@dataclass(frozen=True, slots=True)
class NotificationsNode(CollectionNode):
    """C{/dav/calendars/ADDRESS/notifications/}; C{is_home}, as it stays."""

    keeps_properties: ClassVar[bool] = False

    def kind(self, exchange: Exchange) -> Kind:
        """A kind of its own: clients read and remove."""
        return _KIND


async def in_home(exchange: Exchange, home: HomeNode, name: str | None) -> Sequence[Node]:
    """The notifications, in the home of calendars; none where there is no room for them."""
    if CollectionKind.CALENDAR not in home.kinds or name not in (None, NAME):
        return []
    state = await _find(exchange.shelf)
    if state is None:
        try:
            state = await _make(exchange.shelf)
        except (LimitReached, StoreFull):
            return []
        exchange.forget()
    return [NotificationsNode(home.location.child(NAME), home.owner, home.shelf, state, is_home=True)]


async def tell_of_share(
    exchange: Exchange, shelf: ICollections, node: CollectionNode, right: Right | None, title: str
) -> None:
    """Tell somebody that a collection was opened to them, or closed (caldav-sharing §6.15)."""
    is_given = right is not None and Permission.READ in GIVEN[right]
    can_write = right is not None and Permission.WRITE in GIVEN[right]
    uid = _uid(node, "invite")
    parts = [
        text_element(calendar_server("uid"), uid),
        href(b"mailto:" + escape(shelf.principal)),
        # Nobody has to answer: what is shared is shown at once.
        element(calendar_server("invite-accepted" if is_given else "invite-deleted")),
        element(
            calendar_server("access"), element(calendar_server("read-write" if can_write else "read"))
        ),
        element(calendar_server("hosturl"), href(node.path)),
        organizer(exchange.user.account),
        text_element(calendar_server("summary"), title),
    ]
    if node.state.components:
        components = (
            attribute_element(caldav("comp"), {"name": each}) for each in node.state.components
        )
        parts.append(element(caldav("supported-calendar-component-set"), b"".join(components)))
    shared = "calendar" if node.state.kind is CollectionKind.CALENDAR else "addressbook"
    await _tell(exchange, shelf, uid, calendar_server("invite-notification"), shared, b"".join(parts))


async def tell_of_reply(
    exchange: Exchange, shelf: ICollections, node: CollectionNode, accepted: bool, title: str
) -> None:
    """Tell an owner what somebody made of an invitation (caldav-sharing §6.22)."""
    parts = [
        href(b"mailto:" + escape(exchange.principal)),
        element(calendar_server("invite-accepted" if accepted else "invite-declined")),
        element(calendar_server("hosturl"), href(node.path)),
        text_element(calendar_server("in-reply-to"), _uid(node, "invite")),
        text_element(calendar_server("summary"), title),
    ]
    name = calendar_server("invite-reply")
    await _tell(exchange, shelf, _uid(node, "reply " + exchange.principal), name, "calendar", b"".join(parts))


def organizer(account: Account) -> bytes:
    """C{CS:organizer} (caldav-sharing §6.18)."""
    parts = href(b"mailto:" + escape(account.principal))
    if account.display_name:
        parts += text_element(calendar_server("common-name"), account.display_name)
    return element(calendar_server("organizer"), parts)


def type_of(state: ItemState) -> bytes | None:
    """What stands in C{CS:notificationtype} of a notification."""
    kept = state.properties.get(TYPE)
    return None if kept is None else kept.encode()


def _uid(node: CollectionNode, what: str) -> str:
    """The same for all notifications of one sort about one collection."""
    return hashlib.sha256(f"{what}\n{node.shelf.principal}\n{node.state.id}".encode()).hexdigest()[:32]


async def _tell(
    exchange: Exchange, shelf: ICollections, uid: str, name: str, shared: str, content: bytes
) -> None:
    """Put a notification into somebody's collection; it is a courtesy: if it fails, it is not there."""
    stamp = datetime.fromtimestamp(exchange.site.time_of_day(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    marks = {"shared-type": shared}
    root = text_element(calendar_server("dtstamp"), stamp) + attribute_element(name, marks, content)
    properties = {TYPE: attribute_element(name, marks).decode()}
    new = NewItem(
        f"{uid}.xml",
        document(calendar_server("notification"), root),
        media_type="application/xml; charset=utf-8",
        properties=properties,
    )
    try:
        await make_first_collections(shelf)
        state = await _find(shelf) or await _make(shelf)
        if state.items < MAX_NOTIFICATIONS:
            await shelf.put(state.id, new)
    except TrekError as error:
        _log.warn("{principal} was not told of a share: {error!r}", principal=shelf.principal, error=error)


async def _find(shelf: ICollections) -> CollectionState | None:
    for state in await shelf.collections():
        if (state.parent, state.kind, state.name) == (None, CollectionKind.FILES, NAME):
            return state
    return None


async def _make(shelf: ICollections) -> CollectionState:
    try:
        return await shelf.create_collection(NewCollection(NAME, CollectionKind.FILES))
    except CollectionExists:
        found = await _find(shelf)
        assert found is not None
        return found
