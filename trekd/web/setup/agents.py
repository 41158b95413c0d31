"""
C{/.well-known/user-agent-configuration.json} (draft-ietf-mailmaint-pacc): one document for all domains, whose digest
stands in the DNS of each.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from trekd.web.setup.settings import ClientSettings, Server

_IMAPS = 993
_SUBMISSIONS = 465


def configuration(settings: ClientSettings) -> bytes:
    """
    The document, the same octets for the same settings.

    Mail is named by host alone, and means TLS from the start at the usual port: a service elsewhere is left out.
    """
    web = {name: {"url": settings.dav} for name in ("caldav", "carddav", "webdav")}
    mail = {"imap": _host(settings.incoming, _IMAPS), "smtp": _host(settings.outgoing, _SUBMISSIONS)}
    document = {
        "protocols": {**{name: place for name, place in mail.items() if place}, **web},
        "authentication": {"password": True},
        "info": {"provider": {"name": settings.hostname}, "help": {"documentation": settings.page}},
    }
    return json.dumps(document, indent=1).encode() + b"\n"


def _host(servers: Sequence[Server], port: int) -> dict[str, Any]:
    return next(({"host": one.hostname} for one in servers if one.is_implicit and one.port == port), {})


def digest_record(settings: ClientSettings) -> str:
    """The text of C{_ua-auto-config} before a domain, by which programs know that the document is its owner's."""
    digest = hashlib.sha256(configuration(settings)).digest()
    return f"v=UAAC1; a=sha256; d={base64.b64encode(digest).decode('ascii')}"
