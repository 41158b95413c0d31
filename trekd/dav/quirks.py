"""
What particular clients need that no RFC asks for, all in one place (STYLE §10).

Each row says which client, since when it is known, what it does, what we do, and the test that shows it.  Code
that obeys a row names it in a comment.
"""

from __future__ import annotations

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
    "raw-at": Quirk(
        "programs made with neon (cadaver, litmus)",
        "2005",
        "compares the path it asked for with the one in the answer, octet by octet",
        "an address's @ is written as it is, not as %40",
        "tests/clients/test_litmus.py",
    ),
}
