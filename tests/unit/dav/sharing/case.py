"""Three accounts on one host whose calendars and address books take anything."""

from __future__ import annotations

from tests.fakes.davsite import ALICE, BOB, DAVClient, DAVHost, Reply
from trekd.config.schema import DAVConfig
from trekd.dav.methods.put import read_file
from trekd.dav.nodes import COLLECTION
from trekd.dav.sharing.rows import ROWS
from trekd.dav.tables import Kind, Rows, Tables, joined
from trekd.dav.tree import CORE
from trekd.dav.xml.names import caldav, carddav
from trekd.directory.interfaces import Account
from trekd.store.collections import CollectionKind
from trekd.values import Address

CAROL = "carol@example.com"
DAVE = "dave@example.org"
WORK = f"/dav/calendars/{ALICE}/calendar/"
HOME = f"/dav/calendars/{BOB}/"
MOUNT = f"{HOME}calendar-{ALICE}/"
BOOK = f"/dav/addressbooks/{ALICE}/contacts/"
PRINCIPALS = "/dav/principals/"
XML = "application/xml"


def rows() -> Tables:
    """The core and sharing; every kind takes any item."""
    calendar, book = caldav("calendar"), carddav("addressbook")
    kinds = (
        Kind(CollectionKind.CALENDAR, "calendars", (COLLECTION, calendar), read_file, suffix=".ics"),
        Kind(CollectionKind.ADDRESS_BOOK, "addressbooks", (COLLECTION, book), read_file, suffix=".vcf"),
    )
    return joined(CORE, ROWS, Rows(kinds=kinds))


def host(quota: int = 0, directory_book: str = "domain") -> DAVHost:
    """Alice, Bob and Carol, who has a full name and an alias; all have logged in once.  Dave has another domain."""
    found = DAVHost(DAVConfig(directory_book=directory_book), rows=rows, quota=quota)
    found.directory.accounts[DAVE] = Account(Address("dave", "example.org"), "nano", "Dave Example")
    carol = Account(
        Address("carol", "example.com"), "nano", "Carol Example", aliases=(Address("cc", "example.com"),)
    )
    found.directory.accounts[CAROL] = carol
    for name in (ALICE, BOB, CAROL):
        found.client(name).request("OPTIONS", "/dav/")
    return found


def entry(principal: str, *privileges: str, form: str = "grant") -> str:
    """One ACE."""
    inside = "".join(f"<privilege>{each}</privilege>" for each in privileges)
    return f"<ace><principal>{principal}</principal><{form}>{inside}</{form}></ace>"


READ, WRITE, BUSY = "<read/>", "<write/>", '<read-free-busy xmlns="urn:ietf:params:xml:ns:caldav"/>'


def person(address: str) -> str:
    """Somebody's principal."""
    return f"<href>{PRINCIPALS}{address}/</href>"


def acl(client: DAVClient, path: str, *entries: str, **headers: str) -> Reply:
    """An ACL request."""
    return client.request("ACL", path, f'<acl xmlns="DAV:">{"".join(entries)}</acl>', **headers)


def properties(client: DAVClient, path: str, *names: str, depth: str = "0") -> Reply:
    """PROPFIND; names of WebDAV, or with a prefix of Calendar Server's."""
    inside = "".join(f"<D:{name}/>" if ":" not in name else f"<{name}/>" for name in names)
    spaces = 'xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/" xmlns:C="urn:ietf:params:xml:ns:caldav"'
    return client.request("PROPFIND", path, f"<D:propfind {spaces}><D:prop>{inside}</D:prop></D:propfind>", Depth=depth)


def local_names(reply: Reply, path: str) -> list[str]:
    """Local names of the elements that an XPath finds."""
    return [str(each.tag).rpartition("}")[2] for each in reply.find(path)]
