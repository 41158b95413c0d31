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
    "done-with-commands": Quirk(
        "iOS Mail 18",
        "2024-09",
        "sends DONE, NAMESPACE and LIST with RETURN (SPECIAL-USE) in one packet",
        "IDLE takes its own line; what follows runs after its tagged OK",
        "tests/wire/imap/quirks-ios.txt",
    ),
    "tagged-in-order": Quirk(
        "macOS Mail",
        "2007",
        "sends ID before login, pipelines, and takes tagged responses in the order of its commands; makes INBOX/INBOX",
        "commands run one after the other; ID is answered in every state; INBOX may have inferior names",
        "tests/wire/imap/quirks-macos.txt",
    ),
    "rfc822-peek": Quirk(
        "Outlook",
        "2003",
        "asks RFC822.PEEK and RFC822.TEXT.PEEK, which RFC 1730 had, where IMAP4rev1 is not announced",
        "IMAP4rev1 always is, and they are answered as RFC822 and RFC822.TEXT, without \\Seen",
        "tests/wire/imap/quirks-outlook.txt",
    ),
    "chunks": Quirk(
        "Thunderbird",
        "2005",
        "reads a message in chunks until one is short or empty, and counts on EXISTS as an answer to NOOP",
        "a chunk is short only at the end, and empty behind it; NOOP tells what arrived",
        "tests/wire/imap/quirks-thunderbird.txt",
    ),
    "one-capability": Quirk(
        "K-9",
        "2019",
        "takes a second CAPABILITY response behind STARTTLS for the answer to another command",
        "CAPABILITY is told in the greeting and in the tagged OK of a login, and untagged only when it is asked for",
        "tests/wire/imap/quirks-k9.txt",
    ),
    "found-at-once": Quirk(
        "offlineimap, mbsync, imapsync, MailKit",
        "2010",
        "search a header right after APPEND; ask UIDs far above the last; append flags and octets that no RFC allows",
        "what is appended is found at once; ranges end at the last message; foreign flags are left out, octets kept",
        "tests/wire/imap/quirks-sync.txt",
    ),
    "logout-in-exchange": Quirk(
        "eM Client",
        "2023",
        "leaves a login that it does not like by a tagged LOGOUT where a response or * is due",
        "the exchange ends with BAD, and another login is possible; SCRAM-SHA-256-PLUS is not offered unasked",
        "tests/wire/imap/quirks-emclient.txt",
    ),
}
