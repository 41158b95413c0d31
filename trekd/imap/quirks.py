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
    "idle-by-tag": Quirk(
        "iOS Mail 18",
        "2024-11",
        "ends IDLE with a tagged command, such as another IDLE, instead of DONE",
        "IDLE ends with its tagged OK, then the command runs",
        "tests/wire/imap/idle-by-tag.txt",
    ),
    "partial-past-end": Quirk(
        "iOS Mail",
        "2014",
        "always asks BODY.PEEK[1]<0.393216>, also past the end of the part",
        "the label carries the origin only, the literal is truncated or empty",
        "tests/wire/imap/partials.txt",
    ),
    "changed-since-zero": Quirk(
        "iOS Mail",
        "2012",
        "asks CHANGEDSINCE 0, which RFC 7162 §7 does not allow",
        "every message is told, as one would think",
        "tests/wire/imap/condstore.txt",
    ),
    "lsub-special-use": Quirk(
        "Outlook 2013 and later",
        "2013",
        "finds Sent and Drafts by XLIST, or by attributes in LSUB",
        "XLIST is answered, and LIST and LSUB show special use unasked",
        "tests/wire/imap/special-use.txt",
    ),
    "move-of-vanished": Quirk(
        "iOS Mail",
        "2024",
        "shows messages again when UID MOVE of UIDs already moved is answered NO",
        "UID MOVE and UID COPY of nothing are OK",
        "tests/wire/imap/move.txt",
    ),
    "unavailable-shows-text": Quirk(
        "Thunderbird, K-9",
        "2010",
        "takes any refused login but NO [UNAVAILABLE] for a bad password and asks for it again",
        "the refusal for too many connections is NO [UNAVAILABLE]",
        "tests/unit/imap/test_responses.py",
    ),
    "idle-heartbeat": Quirk(
        "K-9 and others behind carrier NAT",
        "2018",
        "an IDLE connection is forgotten by address translators after a few minutes of silence",
        "* OK Still here is sent every [imap] heartbeat seconds",
        "tests/wire/imap/idle.txt",
    ),
}
