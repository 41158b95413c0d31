"""
NOTIFY (RFC 5465 §3.1).
"""

from __future__ import annotations

from trekd.imap.commands.fetch import template_items
from trekd.imap.grammar.commands import Notify
from trekd.imap.grammar.fetch import FetchItem
from trekd.imap.grammar.notify import SELECTED_FILTERS, EventGroup, NotifyEvent
from trekd.imap.notifications import Notifications
from trekd.imap.selected import Told
from trekd.imap.session import Session

_BAD_EVENT = b"NO [BADEVENT (%b)] Those events are supported, no others" % b" ".join(
    event.value.encode() for event in NotifyEvent
)


async def notify(session: Session, command: Notify) -> bytes:
    """
    From now on tell what is asked for, and nothing else.

    What happened in the selected mailbox until now is told with this command.
    """
    wishes = command.wishes
    if wishes.unsupported:
        return _BAD_EVENT
    here = next((group for group in wishes.groups if group.mailboxes in SELECTED_FILTERS and group.events), None)
    notifications = Notifications(wishes.groups, _told(here) if here is not None else None)
    session.watch()
    await notifications.start(session.store)
    if session.selected is not None and notifications.selected is not None:
        session.mailbox.must_look()
    session.notifications = notifications
    if wishes.status:
        session.wire.write(notifications.status_now(session.selected.id if session.selected is not None else None))
    return b"OK NOTIFY completed"


def _told(group: EventGroup) -> Told:
    r"""
    What a group wants to know of the selected mailbox; each FETCH response has the UID, and none sets C{\Seen}.
    """
    attributes = group.attributes
    if attributes and FetchItem.UID not in attributes:
        attributes = (FetchItem.UID, *attributes)
    return Told(NotifyEvent.FLAG_CHANGE in group.events, template_items(attributes) if attributes else ())
