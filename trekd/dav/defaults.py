"""
What an account has from its first login on: a calendar, a list of tasks, an address book, a place for files.
"""

from __future__ import annotations

from trekd.dav.nodes import FILES
from trekd.dav.xml.names import dav
from trekd.errors import CollectionExists
from trekd.store.collections import CollectionKind, ICollections, NewCollection


def _named(text: str) -> dict[str, str]:
    return {dav("displayname"): f'<D:displayname xmlns:D="DAV:">{text}</D:displayname>'}


FIRST_COLLECTIONS = (
    NewCollection("calendar", CollectionKind.CALENDAR, None, ("VEVENT",), _named("Calendar")),
    NewCollection("tasks", CollectionKind.CALENDAR, None, ("VTODO",), _named("Tasks")),
    NewCollection("contacts", CollectionKind.ADDRESS_BOOK, None, (), _named("Contacts")),
    # The last one, which nobody can remove: it tells that the others were made, and may be gone since.
    NewCollection(FILES, CollectionKind.FILES),
)


async def make_first_collections(shelf: ICollections) -> None:
    """
    Make them, once for an account: what its owner removes later stays away.

    @raise Unavailable: the store cannot make them now; the next login tries again.
    """
    states = await shelf.collections()
    if any((state.kind, state.name, state.parent) == (CollectionKind.FILES, FILES, None) for state in states):
        return
    for new in FIRST_COLLECTIONS:
        try:
            await shelf.create_collection(new)
        except CollectionExists:
            continue
