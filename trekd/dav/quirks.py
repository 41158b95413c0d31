"""
What particular clients need that no RFC asks for, all in one place (STYLE §10).

Each row says which client, since when it is known, what it does, what we do, and the test that shows it.  Code
that obeys a row names it in a comment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quirk:
    """One client's habit and our answer to it."""

    client: str
    known_since: str
    habit: str
    answer: str
    test: str


QUIRKS = {
    "brief": Quirk(
        "Apple Calendar, Outlook",
        "2010",
        "asks for little with Brief: t, older than Prefer",
        "Brief: t is Prefer: return=minimal",
        "tests/unit/dav/test_methods.py",
    ),
    "guessed-paths": Quirk(
        "Apple Calendar and Contacts",
        "2012",
        "looks for the principal at /, /principals/ and /calendar/dav/USER/user/ when it knows only the host's name",
        "PROPFIND there tells current-user-principal",
        "tests/unit/dav/test_resource.py",
    ),
    "sync-depth-1": Quirk(
        "clients of drafts of RFC 6578",
        "2011",
        "says Depth: 1 in place of sync-level",
        "it counts as sync-level 1",
        "tests/unit/dav/test_methods.py",
    ),
    "directory-gateway": Quirk(
        "Apple Contacts (macOS: AddressBookCore, iOS: dataaccessd)",
        "2010",
        "searches the book that CARDDAV:directory-gateway names, and would show it a second time from the home",
        "the directory is not listed in the homes that it asks for",
        "tests/unit/dav/contacts/test_directory.py",
    ),
    "raw-at": Quirk(
        "programs made with neon (cadaver, litmus)",
        "2005",
        "compares the path it asked for with the one in the answer, octet by octet",
        "an address's @ is written as it is, not as %40",
        "tests/clients/test_litmus.py",
    ),
}

_APPLE_CONTACTS = re.compile(r"AddressBook(Core|SourceSync)?/|dataaccessd/|Address%20Book|accountsd/")


def knows_directory_gateway(user_agent: str) -> bool:
    """Quirk directory-gateway: whether a program finds the directory without its being listed."""
    return _APPLE_CONTACTS.search(user_agent) is not None
