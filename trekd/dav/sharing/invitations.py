"""
Apple's sharing by invitation (caldav-sharing): POST to a collection, or to the home of who was invited.

Nobody has to accept: what is shared is shown at once, as C{CS:invite-accepted}.  Removing it from one's home declines;
who did so can accept again, as long as the owner's grant lasts.
"""

from __future__ import annotations

from trekd.dav.changes import own_place
from trekd.dav.conditions import submitted_tokens
from trekd.dav.errors import Fault
from trekd.dav.exchange import Answer, Exchange, xml_answer
from trekd.dav.locks import require_unlocked
from trekd.dav.nodes import CollectionNode, HomeNode, Node, find, require
from trekd.dav.paths import read_reference
from trekd.dav.rights import account_of, grants_of, known_account
from trekd.dav.sharing import notifications
from trekd.dav.sharing.mounts import MountNode
from trekd.dav.sharing.shares import SHAREABLE, Change, is_shareable, share, show, shown_to, shows, title_of
from trekd.dav.xml.names import calendar_server, dav
from trekd.dav.xml.reading import Element, child, elements, text
from trekd.dav.xml.writing import document, element, escape, href, text_element
from trekd.directory.interfaces import Account
from trekd.errors import NotPermitted, SyntaxFault
from trekd.portal.access import Permission
from trekd.store.collections import EVERYONE, Right
from trekd.values import Address, PrincipalId

MAX_TITLE = 200
_CACHE = (b"cache-control", b"no-cache")


def takes(exchange: Exchange, node: Node) -> bool:
    """Whether a POST is about sharing: XML, to a collection or to one's home."""
    media_type = exchange.header("content-type").partition(";")[0].strip().lower()
    is_ours = is_shareable(node) or (isinstance(node, HomeNode) and node.owner == exchange.principal)
    return is_ours and not exchange.query and media_type in ("application/xml", "text/xml")


async def perform(exchange: Exchange, node: CollectionNode | HomeNode) -> Answer:
    """Invite others to a collection, or answer an invitation."""
    await own_place(exchange)
    root = await exchange.required_document()
    if isinstance(node, CollectionNode) and root.tag == calendar_server("share"):
        return await _share(exchange, node, root)
    if isinstance(node, HomeNode) and root.tag == calendar_server("invite-reply"):
        return await _reply(exchange, node, root)
    raise Fault(403, text="This document is not for this resource.")


async def _share(exchange: Exchange, node: CollectionNode, root: Element) -> Answer:
    """caldav-sharing §5.3.2: all of it or nothing."""
    await require(exchange, node, Permission.WRITE_ACL)
    require_unlocked(exchange.site.locks, node.real, submitted_tokens(exchange), exchange.principal)
    rights: dict[PrincipalId, Right | None] = {}
    titles: dict[PrincipalId, str] = {}
    for each in elements(root):
        if each.tag not in (calendar_server("set"), calendar_server("remove")):
            continue
        account = await _invited(exchange, each)
        principal = _known(exchange, each) if account is None else account.principal
        if each.tag == calendar_server("remove"):
            rights[principal] = None
            continue
        if account is None:
            raise Fault(403, dav("recognized-principal"), "There is no such account here.")
        if principal == exchange.principal:
            raise Fault(403, dav("allowed-principal"), "It is your own already.")
        can_write = child(each, calendar_server("read-write")) is not None
        rights[principal] = Right.WRITE if can_write else Right.READ
        titles[principal] = text(child(each, calendar_server("summary")))[:MAX_TITLE]
    if not rights:
        raise SyntaxFault("set or remove")
    await share(exchange, node, Change(rights, titles, is_invitation=True))
    return Answer(200, b"", (_CACHE,))


async def _invited(exchange: Exchange, each: Element) -> Account | None:
    """The account that a principal's URL or a calendar user address names; an alias leads to its account."""
    reference = text(child(each, dav("href")))
    if reference.lower().startswith("mailto:"):
        try:
            found = await exchange.site.directory.find(Address.parse(reference[len("mailto:") :]))
        except SyntaxFault:
            return None
        return await known_account(exchange, found.principal) if isinstance(found, Account) else None
    location = read_reference(reference, exchange.header("host"))
    if location is None or len(location.segments) != 2 or location.segments[0] != "principals":
        return None
    return await known_account(exchange, location.name)


def _known(exchange: Exchange, each: Element) -> PrincipalId:
    """Whom a reference names that the directory does not know any more."""
    reference = text(child(each, dav("href")))
    name = reference.removeprefix("mailto:").rstrip("/").rpartition("/")[2].replace("%40", "@")
    return PrincipalId(name.lower())


async def _reply(exchange: Exchange, home: HomeNode, root: Element) -> Answer:
    """caldav-sharing §5.4.1."""
    source = child(root, calendar_server("hosturl"))
    accepted = child(root, calendar_server("invite-accepted")) is not None
    if source is None or accepted == (child(root, calendar_server("invite-declined")) is not None):
        raise SyntaxFault("invite-reply")
    node = await _shared(exchange, text(source))
    title = text(child(root, calendar_server("summary")))[:MAX_TITLE]
    answer = Answer(200, b"", (_CACHE,))
    if accepted:
        mount = await show(exchange, exchange.shelf, node, title)
        where = href(home.location.child(mount.name).path(True))
        answer = xml_answer(200, document(calendar_server("shared-as"), where), _CACHE)
    else:
        await exchange.shelf.unmount(node.shelf.principal, node.state.id)
    await notifications.tell_of_reply(exchange, node.shelf, node, accepted, title or title_of(node.state))
    exchange.forget()
    return answer


async def _shared(exchange: Exchange, reference: str) -> CollectionNode:
    """
    The owner's collection that an invitation is about.

    @raise NotPermitted: there is none that may be read; nobody learns which.
    """
    location = read_reference(reference, exchange.header("host"))
    node = None if location is None else await find(exchange, location)
    if not isinstance(node, CollectionNode) or node.is_link or node.owner == exchange.principal:
        raise NotPermitted()
    if not is_shareable(node) or Permission.READ not in await node.permission(exchange):
        raise NotPermitted()
    return node


# Properties


async def invite(exchange: Exchange, node: Node) -> bytes | None:
    """
    C{CS:invite} (caldav-sharing §5.2.2): to whom the owner's collection is open; others see the owner and themselves.
    """
    if not isinstance(node, CollectionNode) or node.state.kind not in SHAREABLE:
        return None
    grants = await grants_of(exchange, node.shelf, node.state)
    if node.owner == exchange.principal:
        named = [each for each in sorted(grants) if each != EVERYONE and shows(grants[each])]
        users = [await _user(exchange, node, each, grants[each]) for each in named]
        return b"".join(users) or None
    owner = await account_of(exchange, node.shelf.principal)
    own = grants.get(exchange.principal)
    found = b"" if owner is None else notifications.organizer(owner)
    return found + (await _user(exchange, node, exchange.principal, own) if own is not None and shows(own) else b"")


async def _user(exchange: Exchange, node: CollectionNode, grantee: PrincipalId, right: Right) -> bytes:
    account = await account_of(exchange, grantee)
    if account is None:
        status = "invite-invalid"
    else:
        status = "invite-accepted" if await shown_to(exchange, node, grantee) else "invite-declined"
    parts = href(b"mailto:" + escape(grantee))
    if account is not None and account.display_name:
        parts += text_element(calendar_server("common-name"), account.display_name)
    access = element(calendar_server("read-write" if right is Right.WRITE else "read"))
    parts += element(calendar_server(status)) + element(calendar_server("access"), access)
    return element(calendar_server("user"), parts)


async def allowed_modes(exchange: Exchange, node: Node) -> bytes | None:
    """C{CS:allowed-sharing-modes} (caldav-sharing §5.2.3)."""
    if is_shareable(node) and node.owner == exchange.principal:
        return element(calendar_server("can-be-shared"))
    return None


async def shared_url(exchange: Exchange, node: Node) -> bytes | None:
    """C{CS:shared-url}: the owner's own address of what is shared (caldav-sharing §5.2.4)."""
    return href(node.real.path(True)) if isinstance(node, MountNode) else None
