"""
Thunderbird's documents, which K-9, Evolution, KMail, FairEmail and others read as well: version 1.1, and 1.2 of
draft-ietf-mailmaint-autoconfig, which writes calendars and contacts another way.
"""

from __future__ import annotations

from lxml import etree

from trekd.web.setup.settings import ClientSettings, Server

_LOGIN = "%EMAILADDRESS%"
"""What programs put the address in place of."""
_DAV = ("addressBook", "carddav"), ("calendar", "caldav")
_DAV_1_2 = ("addressbook", "carddav"), ("calendar", "caldav"), ("fileShare", "webdav")


def config_1_1(settings: ClientSettings, domain: str) -> bytes:
    """
    The document that Thunderbird asks for.

    @param domain: of the user's address, A-labels.
    """
    root = _root("1.1", settings, domain)
    for name, kind in _DAV:
        place = etree.SubElement(root, name, type=kind)
        _fill(place, username=_LOGIN, authentication="http-basic", serverURL=settings.dav)
    return _octets(root)


def config_1_2(settings: ClientSettings, domain: str) -> bytes:
    """
    C{/.well-known/mail-v1.xml}.

    @param domain: of the user's address, A-labels.
    """
    root = _root("1.2", settings, domain)
    for name, kind in _DAV_1_2:
        place = etree.SubElement(root, name, type=kind)
        _fill(place, url=settings.dav, authentication="basic", username=_LOGIN)
    return _octets(root)


def _root(version: str, settings: ClientSettings, domain: str) -> etree._Element:
    """What both versions have: the mail servers."""
    root = etree.Element("clientConfig", version=version)
    provider = etree.SubElement(root, "emailProvider", id=domain)
    _fill(provider, domain=domain, displayName=domain[:60], displayShortName=domain[:20])
    for server in settings.incoming:
        _server(etree.SubElement(provider, "incomingServer", type="imap"), server)
    for server in settings.outgoing:
        _server(etree.SubElement(provider, "outgoingServer", type="smtp"), server)
    documentation = etree.SubElement(provider, "documentation", url=settings.page)
    etree.SubElement(documentation, "descr", lang="en").text = "How to set up mail, calendars and contacts"
    return root


def _server(place: etree._Element, server: Server) -> None:
    _fill(
        place,
        hostname=server.hostname,
        port=str(server.port),
        socketType="SSL" if server.is_implicit else "STARTTLS",
        authentication="password-cleartext",
        username=_LOGIN,
    )


def _fill(place: etree._Element, **texts: str) -> None:
    for name, text in texts.items():
        etree.SubElement(place, name).text = text


def _octets(root: etree._Element) -> bytes:
    octets: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return octets
