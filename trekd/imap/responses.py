"""
What a client is told: each error's tagged answer, and the small pieces of responses (RFC 3501 §7.1, RFC 5530 §3).

This is the only place where an error becomes wire text (STYLE §7).  An error that is no L{TrekError}, and every
L{Broken}, gets one fixed sentence; its text never leaves the process.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from trekd import errors
from trekd.values import Flag


@dataclass(frozen=True, slots=True)
class Answer:
    """
    The end of a command.

    @ivar condition: C{NO} or C{BAD}.
    @ivar text: response text with its response code, US-ASCII without line ends.
    """

    condition: bytes
    text: bytes

    def __bytes__(self) -> bytes:
        return self.condition + b" " + self.text


SERVER_BUG = Answer(b"NO", b"[SERVERBUG] Internal error; the administrator can find it in the log")
TRY_CREATE = Answer(b"NO", b"[TRYCREATE] No such mailbox")
"""For APPEND, COPY and MOVE into a mailbox that CREATE can make (RFC 3501 §6.3.11)."""
EXPUNGE_ISSUED = b"NO [EXPUNGEISSUED] Some of the messages are expunged"

_URL_TEXT = re.compile(rb"[!#-\[^-~]+")
"""url-resp-text as a quoted string (RFC 4469 §5): no space, quote, backslash or closing bracket."""
_LONGEST_URL = 1000

_Writer = Callable[[errors.TrekError], Answer]


def _no(text: str) -> _Writer:
    answer = Answer(b"NO", text.encode("ascii"))
    return lambda _: answer


def _bad(text: str) -> _Writer:
    answer = Answer(b"BAD", text.encode("ascii"))
    return lambda _: answer


def _syntax(error: errors.TrekError) -> Answer:
    """The rule that was expected; never the octets that stood there."""
    assert isinstance(error, errors.SyntaxFault)
    return Answer(b"BAD", b"Syntax error: expected " + _printable(error.rule))


def _limit(error: errors.TrekError) -> Answer:
    assert isinstance(error, errors.LimitExceeded)
    return Answer(b"BAD", b"Too large: " + _printable(error.rule))


def _too_many_connections(error: errors.TrekError) -> Answer:
    """
    C{UNAVAILABLE}, because Thunderbird and K-9 then show the text and do not ask for a password.
    """
    assert isinstance(error, errors.TooManyConnections)
    source = f" from {error.peer}" if error.peer else " in total"
    text = (
        f"[UNAVAILABLE] Maximum connections exceeded ({error.used} of {error.allowed}{source} on plan {error.plan}); "
        "close another mail program and try again"
    )
    return Answer(b"NO", _printable(text))


def _over_quota(error: errors.TrekError) -> Answer:
    assert isinstance(error, errors.OverQuota)
    limit = f" ({_megabytes(error.limit)})" if error.limit else ""
    return Answer(b"NO", f"[OVERQUOTA] The mailbox is full{limit}; delete something first".encode())


def _too_large(error: errors.TrekError) -> Answer:
    assert isinstance(error, errors.MessageTooLarge)
    limit = f"; at most {_megabytes(error.limit)}" if error.limit else ""
    return Answer(b"NO", f"[TOOBIG] The message is too large{limit}".encode())


def _bad_url(error: errors.TrekError) -> Answer:
    """The URL is repeated (RFC 4469 §4.1) when it may stand in a response code."""
    assert isinstance(error, errors.BadURL)
    if len(error.url) > _LONGEST_URL or not _URL_TEXT.fullmatch(error.url):
        return Answer(b"NO", b"A URL names nothing that can be appended")
    return Answer(b"NO", b'[BADURL "' + error.url + b'"] The URL names nothing that can be appended')


def _megabytes(octets: int) -> str:
    return f"{octets / 1_000_000:.1f} MB"


def _printable(text: str) -> bytes:
    """C{text} as TEXT-CHAR of US-ASCII."""
    return bytes(octet if 32 <= octet < 127 else 63 for octet in text.encode("ascii", "replace"))


_ANSWERS: dict[type[errors.TrekError], _Writer] = {
    errors.TrekError: lambda _: SERVER_BUG,
    errors.Refused: _no("[CANNOT] This is not possible"),
    errors.Unavailable: _no("[UNAVAILABLE] This is not possible at the moment; try again later"),
    errors.SyntaxFault: _syntax,
    errors.ConfigFault: lambda _: SERVER_BUG,
    errors.Broken: lambda _: SERVER_BUG,
    errors.StoreCorrupt: lambda _: SERVER_BUG,
    errors.LimitExceeded: _limit,
    errors.UnknownCommand: _bad("Unknown command"),
    errors.UnknownParameter: _bad("Unknown parameter"),
    errors.BadCharset: _no("[BADCHARSET (US-ASCII UTF-8)] Unknown charset"),
    errors.BadCredentials: _no("[AUTHENTICATIONFAILED] Authentication failed"),
    errors.AddressIncomplete: _no(
        "[AUTHENTICATIONFAILED] Authentication failed: use your full address as the user name, "
        "such as alice@example.com"
    ),
    errors.ChannelMismatch: _no("[AUTHENTICATIONFAILED] Authentication failed"),
    errors.ChannelBindingImpossible: _no("[CANNOT] That channel binding is not possible on this connection"),
    errors.AccountSuspended: _no("[CONTACTADMIN] This account is suspended; ask your administrator"),
    errors.TooManyConnections: _too_many_connections,
    errors.TooManyUnauthenticated: _no("[UNAVAILABLE] Too many connections from your network that have not logged in"),
    errors.TooManyFailures: _no("[UNAVAILABLE] Too many failed logins; try again later"),
    errors.DirectoryDown: _no("[UNAVAILABLE] Passwords cannot be verified at the moment; try again later"),
    errors.NoSuchAccount: _no("[NONEXISTENT] No such account"),
    errors.AccountExists: _no("[ALREADYEXISTS] The address is taken"),
    errors.NoSuchPlan: _no("[NONEXISTENT] No such plan"),
    errors.NoSuchKey: _no("[NONEXISTENT] No such key"),
    errors.NotPermitted: _no("[NOPERM] This is not permitted"),
    errors.NoSuchMailbox: _no("[NONEXISTENT] No such mailbox"),
    errors.MailboxExists: _no("[ALREADYEXISTS] A mailbox of that name exists"),
    errors.MailboxHasChildren: _no("[HASCHILDREN] The mailbox has inferior ones"),
    errors.BadMailboxName: _no("[CANNOT] That cannot be the name of a mailbox"),
    errors.NoSuchMessage: _no("[EXPUNGEISSUED] The message is expunged"),
    errors.OverQuota: _over_quota,
    errors.MessageTooLarge: _too_large,
    errors.LimitReached: _no("[LIMIT] That is more than there may be"),
    errors.StoreFull: _no("[UNAVAILABLE] The server cannot store anything at the moment; try again later"),
    errors.StoreBusy: _no("[UNAVAILABLE] The server is busy; try again later"),
    errors.NotOwner: _no("[NOPERM] That is not your address"),
    errors.RelayDenied: _no("[NOPERM] Sending there is not permitted"),
    errors.PlanForbidsRelay: _no("[NOPERM] Your plan does not permit sending there"),
    errors.SendingLimit: _no("[LIMIT] You have sent as much as your plan allows for now"),
    errors.TooManyMessages: _no("[LIMIT] You have sent as much as your plan allows for now"),
    errors.TooManyNewRecipients: _no("[LIMIT] You have written to as many new recipients as your plan allows for now"),
    errors.TooManyRecipients: _no("[LIMIT] That is more recipients than a message may have"),
    errors.NoSuchProfile: _no("[NONEXISTENT] No such SMTP server is set up"),
    errors.ProfileExists: _no("[ALREADYEXISTS] An SMTP server of that name is set up"),
    errors.ProfileGone: _no("[NONEXISTENT] Your SMTP server is set up no longer"),
    errors.SecretSealed: _no("[UNAVAILABLE] The server cannot read what it needs; try again later"),
    errors.RemoteRefused: _no("[CANNOT] Another server refused that"),
    errors.AddressSuppressed: _no("[CANNOT] Mail to that address came back"),
    errors.Unauthentic: _no("[CANNOT] The message is not from whom it says"),
    errors.Unwanted: _no("[CANNOT] The message is unwanted"),
    errors.NoSuchEntry: _no("[NONEXISTENT] No such message waits"),
    errors.MailboxFull: _no("[OVERQUOTA] The mailbox is full"),
    errors.Greylisted: _no("[UNAVAILABLE] Try again later"),
    errors.ScannerDown: _no("[UNAVAILABLE] The message cannot be checked now; try again later"),
    errors.RemoteDeferred: _no("[UNAVAILABLE] Another server does not take that now"),
    errors.RemoteUnreached: _no("[UNAVAILABLE] Another server cannot be reached now"),
    errors.LaneClosed: _no("[UNAVAILABLE] Another server does not take that now"),
    errors.NameServiceDown: _no("[UNAVAILABLE] No name server answers; try again later"),
    errors.NoSuchRecipient: _no("[NONEXISTENT] No such recipient"),
    errors.MailLoop: _no("[CANNOT] The message goes in circles"),
    errors.BadURL: _bad_url,
    errors.UnknownEncoding: _no("[UNKNOWN-CTE] The part has a transfer encoding that is not known"),
    errors.BadMessage: _no("[CANNOT] The message is malformed"),
    errors.QueueFull: _no("[UNAVAILABLE] The server is busy; try again later"),
    errors.CollectionRefused: _no("[CANNOT] The calendar or address book does not permit that"),
}


def answer(error: BaseException) -> Answer:
    """The answer for an error: its own row, the nearest base's when it has none."""
    for kind in type(error).__mro__:
        writer = _ANSWERS.get(kind)
        if writer is not None:
            assert isinstance(error, errors.TrekError)
            return writer(error)
    return SERVER_BUG


def has_row(kind: type[errors.TrekError]) -> bool:
    """Whether an error class has an answer of its own (a test asks for every one)."""
    return kind in _ANSWERS


def highest_modseq(modseq: int) -> bytes:
    """The selected mailbox's modification sequence (RFC 7162 §3.1.2.1)."""
    return b"* OK [HIGHESTMODSEQ %d] Modification sequence\r\n" % modseq


def flag_list(flags: Iterable[Flag | str]) -> bytes:
    r"""A parenthesised flag list, C{(\Seen $Forwarded)}."""
    return f"({' '.join(map(str, flags))})".encode("ascii")
