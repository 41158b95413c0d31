"""
Errors as C{trekctl} sees them: an HTTP status, a short code and a sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trekd.errors import (
    AccountExists,
    BadMailboxName,
    Broken,
    ConfigFault,
    DateTooEarly,
    DateTooLate,
    DirectoryDown,
    InvalidCalendar,
    InvalidCalendarObject,
    InvalidCard,
    LimitReached,
    MessageTooLarge,
    NoSuchAccount,
    NoSuchCollection,
    NoSuchEntry,
    NoSuchKey,
    NoSuchMailbox,
    NoSuchPlan,
    NoSuchProfile,
    NotPermitted,
    OverQuota,
    ProfileExists,
    Refused,
    SecretSealed,
    StoreBusy,
    StoreFull,
    SyntaxFault,
    TooManyAttendees,
    TooManyInstances,
    TrekError,
    UIDTaken,
    Unavailable,
    UnsupportedCard,
    UnsupportedComponent,
)

Answer = tuple[int, str, Callable[[Any], str]]
"""HTTP status, code, and the sentence made of the error's facts."""


def _about(text: str) -> Callable[[TrekError], str]:
    """A sentence about what the error names."""
    return lambda error: text.format(error.args[0] if error.args else "it")


_INSIDE = "something went wrong inside; the daemon's log, or trekctl --debug, has the whole story"

_ANSWERS: dict[type[TrekError], Answer] = {
    AccountExists: (409, "account-exists", _about("{} is already taken by an account or an alias")),
    NoSuchAccount: (404, "no-such-account", _about("there is no account {}")),
    NoSuchKey: (404, "no-such-key", _about("{}")),
    NoSuchPlan: (422, "no-such-plan", _about("there is no plan {}")),
    NoSuchMailbox: (404, "no-such-mailbox", _about("there is no mailbox {}")),
    NoSuchEntry: (404, "no-such-entry", _about("nothing waits as {}")),
    BadMailboxName: (422, "bad-mailbox-name", lambda error: f"no mailbox can be named {error.args[0]!r}"),
    OverQuota: (409, "over-quota", lambda error: f"the account's quota of {error.limit} octets is used up"),
    MessageTooLarge: (409, "message-too-large", lambda error: f"a message is larger than {error.limit} octets"),
    LimitReached: (409, "limit-reached", _about("the account has as many as it may have")),
    NotPermitted: (409, "not-permitted", _about("{}")),
    NoSuchCollection: (404, "no-such-collection", _about("there is no calendar or address book {}")),
    InvalidCalendar: (422, "invalid-calendar", lambda error: f"no valid iCalendar: {error.reason}"),
    InvalidCalendarObject: (422, "invalid-entry", lambda error: f"cannot be one entry: {error.reason}"),
    InvalidCard: (422, "invalid-card", lambda error: f"no valid vCard: {error.reason}"),
    UnsupportedCard: (422, "unsupported-card", _about("vCards are kept in version 3.0 or 4.0, not {}")),
    UnsupportedComponent: (409, "unsupported-component", _about("this calendar takes no {}")),
    TooManyInstances: (409, "too-many-instances", _about("takes place more than {} times")),
    TooManyAttendees: (409, "too-many-attendees", _about("has more than {} attendees")),
    DateTooEarly: (409, "date-too-early", lambda error: "names a time that is too long ago"),
    DateTooLate: (409, "date-too-late", lambda error: "names a time that is too far away"),
    UIDTaken: (409, "uid-taken", _about("the UID is that of {}")),
    SyntaxFault: (422, "bad-syntax", lambda error: f"expected {error.rule}"),
    ConfigFault: (422, "bad-configuration", lambda error: str(error)),
    NoSuchProfile: (404, "no-such-profile", _about("there is no SMTP profile {}")),
    ProfileExists: (409, "profile-exists", _about("there is an SMTP profile {} already; see trekctl smtp set")),
    SecretSealed: (409, "secret-sealed", _about("the stored passwords cannot be used: {}")),
    DirectoryDown: (503, "directory-down", lambda error: "the directory does not answer; try later"),
    StoreFull: (507, "store-full", lambda error: "the file system is full or refuses writes"),
    StoreBusy: (503, "store-busy", lambda error: "the account's storage is busy; try later"),
    Unavailable: (503, "unavailable", lambda error: "not possible now; try later"),
    Refused: (409, "refused", lambda error: f"refused ({type(error).__name__})"),
    Broken: (500, "broken", lambda error: _INSIDE),
    TrekError: (500, "broken", lambda error: _INSIDE),
}


def describe(error: Exception) -> tuple[int, dict[str, str]]:
    """
    Give the HTTP status and the answer for an error; what is not ours is C{broken}.
    """
    known = next((each for each in type(error).__mro__ if each in _ANSWERS), Broken)
    status, code, text = _ANSWERS[known]
    return status, {"code": code, "text": text(error)}
