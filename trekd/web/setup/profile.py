"""
Apple's configuration profile: mail, calendars and contacts of one address in one file, without a password.
"""

from __future__ import annotations

import plistlib
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from trekd.values import Address
from trekd.web.setup.settings import ClientSettings

KIND = "application/x-apple-aspen-config"
"""The media type."""


def profile(settings: ClientSettings, address: Address) -> bytes:
    """
    The profile as an unsigned property list.

    Identifiers depend on host and address alone, so that a profile that is installed again replaces the old one.
    """
    contents = [*_mail(settings, address), *_dav(settings, address)]
    whole = {
        **_payload(settings, address, "Configuration", "profile"),
        "PayloadDisplayName": f"{address} at {settings.hostname}",
        "PayloadDescription": "Mail, calendars and contacts. The password is asked for when they are first used.",
        "PayloadOrganization": settings.hostname,
        "PayloadContent": contents,
    }
    return plistlib.dumps(whole)


def _payload(settings: ClientSettings, address: Address, kind: str, part: str) -> dict[str, Any]:
    """What every payload has."""
    identity = uuid5(NAMESPACE_URL, f"https://{settings.hostname}/setup/{address.principal}#{part}")
    reverse = ".".join(reversed(settings.hostname.split(".")))
    return {
        "PayloadType": kind,
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{reverse}.{part}.{identity}",
        "PayloadUUID": str(identity).upper(),
        "PayloadDisplayName": f"{part} {address}",
    }


def _mail(settings: ClientSettings, address: Address) -> list[dict[str, Any]]:
    """Nothing where mail can only be read or only be sent: the payload needs both."""
    if not settings.incoming or not settings.outgoing:
        return []
    mail: dict[str, Any] = {
        **_payload(settings, address, "com.apple.mail.managed", "mail"),
        "EmailAccountDescription": str(address),
        "EmailAccountType": "EmailTypeIMAP",
        "EmailAddress": str(address),
        "OutgoingPasswordSameAsIncomingPassword": True,
    }
    for prefix, server in (("IncomingMailServer", settings.incoming[0]), ("OutgoingMailServer", settings.outgoing[0])):
        mail |= {
            f"{prefix}Authentication": "EmailAuthPassword",
            f"{prefix}HostName": server.hostname,
            f"{prefix}PortNumber": server.port,
            # STARTTLS, too: Apple Mail finds out which.
            f"{prefix}UseSSL": True,
            f"{prefix}Username": str(address),
        }
    return [mail]


def _dav(settings: ClientSettings, address: Address) -> list[dict[str, Any]]:
    """Without paths: programs find them below C{/.well-known/} (RFC 6764 §6)."""
    return [
        {
            **_payload(settings, address, f"com.apple.{name.lower()}.account", part),
            f"{name}AccountDescription": str(address),
            f"{name}HostName": settings.hostname,
            f"{name}Port": settings.web_port,
            f"{name}UseSSL": True,
            f"{name}Username": str(address),
        }
        for name, part in (("CalDAV", "calendars"), ("CardDAV", "contacts"))
    ]
