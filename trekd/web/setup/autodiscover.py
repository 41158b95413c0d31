"""
Microsoft's Autodiscover: version 1, XML by POST ([MS-OXDSCLI]), and version 2, which only says where version 1 is.

Programs send the user's password with the request, unasked.  It is not looked at, and nothing of a request but its
path and status is logged: the answer is the same for every address of a domain.
"""

from __future__ import annotations

import json
from typing import Any

from lxml import etree

from trekd.dav.xml.reading import elements, parse, text
from trekd.errors import SyntaxFault
from trekd.values import Address
from trekd.web.setup.settings import ClientSettings, Server

_ENVELOPE = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
_SCHEMA = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"

_INVALID = (600, "Invalid Request")
_OTHER_SCHEMA = (601, "Schema Version Mismatch")
_NOT_OURS = (500, "The email address can't be found.")
"""Codes of [MS-OXDSCLI] §2.2.4.1.1.2.3."""


def answer_to(settings: ClientSettings, body: bytes) -> bytes:
    """
    Answer a request of version 1.

    @param body: XML that is not trusted; its size was bounded.
    @return: XML; what was wrong is said in it, by a code.
    """
    try:
        root = parse(body)
    except SyntaxFault:
        return _fault(*_INVALID)
    asked = {etree.QName(each).localname: text(each) for request in elements(root) for each in elements(request)}
    if not asked.get("EMailAddress"):
        return _fault(*_INVALID)
    if asked.get("AcceptableResponseSchema", _SCHEMA) != _SCHEMA:
        return _fault(*_OTHER_SCHEMA)
    address = settings.address(asked["EMailAddress"])
    return _fault(*_NOT_OURS) if address is None else _settings(settings, address)


def _settings(settings: ClientSettings, address: Address) -> bytes:
    root = _root()
    response = etree.SubElement(root, f"{{{_SCHEMA}}}Response", nsmap=_default(_SCHEMA))
    user, account = _place(response, "User"), _place(response, "Account")
    _fill(user, DisplayName=str(address))
    _fill(account, AccountType="email", Action="settings")
    # One of each: given two, some programs try STARTTLS on the port of the other.
    for server in settings.incoming[:1]:
        _server(_place(account, "Protocol"), "IMAP", server, address)
    for server in settings.outgoing[:1]:
        place = _place(account, "Protocol")
        _server(place, "SMTP", server, address)
        _fill(place, UsePOPAuth="off", SMTPLast="off")
    return _octets(root)


def _server(place: etree._Element, kind: str, server: Server, address: Address) -> None:
    _fill(
        place,
        Type=kind,
        Server=server.hostname,
        Port=str(server.port),
        DomainRequired="off",
        LoginName=str(address),
        SPA="off",
        SSL="on",
        Encryption="SSL" if server.is_implicit else "TLS",
        AuthRequired="on",
    )


def _fault(code: int, message: str) -> bytes:
    root = _root()
    error = etree.SubElement(etree.SubElement(root, f"{{{_ENVELOPE}}}Response"), f"{{{_ENVELOPE}}}Error")
    for name, content in (("ErrorCode", str(code)), ("Message", message), ("DebugData", "")):
        etree.SubElement(error, f"{{{_ENVELOPE}}}{name}").text = content
    return _octets(root)


def _root() -> etree._Element:
    return etree.Element(f"{{{_ENVELOPE}}}Autodiscover", nsmap=_default(_ENVELOPE))


def _default(namespace: str) -> Any:
    """A namespace without a prefix, which the stubs of lxml do not know."""
    return {None: namespace}


def _place(parent: etree._Element, name: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{_SCHEMA}}}{name}")


def _fill(place: etree._Element, **texts: str) -> None:
    for name, content in texts.items():
        _place(place, name).text = content


def _octets(root: etree._Element) -> bytes:
    octets: bytes = etree.tostring(root, xml_declaration=True, encoding="utf-8")
    return octets


def where(settings: ClientSettings, protocol: str) -> tuple[int, bytes]:
    """
    Answer a request of version 2.

    @param protocol: what the program wants to know of.
    @return: status, and JSON.
    """
    if not protocol:
        message = "A valid value must be provided for Protocol."
        return 400, _json(ErrorCode="MandatoryParameterMissing", ErrorMessage=message)
    if protocol.lower() != "autodiscoverv1":
        return 400, _json(ErrorCode="InvalidProtocol", ErrorMessage="The supported protocol is AutodiscoverV1.")
    return 200, _json(Protocol="AutodiscoverV1", Url=f"{settings.origin}/autodiscover/autodiscover.xml")


def _json(**texts: str) -> bytes:
    return json.dumps(texts).encode()
