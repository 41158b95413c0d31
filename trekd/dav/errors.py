"""
Error to answer: status, precondition element and one sentence.  The only place that decides (STYLE §7).

L{Fault} is what DAV itself refuses; every other error is found in the table by its class, or the nearest above it.
An error that is no L{TrekError}, and every L{Broken}, gets one fixed sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from trekd import errors
from trekd.dav.xml.names import caldav, carddav, dav
from trekd.dav.xml.reading import DoctypeRefused
from trekd.dav.xml.writing import document, element, escape

REALM = b'Basic realm="TrekMail", charset="UTF-8"'
"""RFC 7617 §2."""

Headers = tuple[tuple[bytes, bytes], ...]


class Fault(Exception):
    """
    A request that DAV refuses.

    @ivar status: HTTP's.
    @ivar condition: expanded name of the precondition or postcondition that does not hold (RFC 4918 §16), or ''.
    @ivar text: one sentence for people.
    @ivar content: octets inside the precondition's element.
    """

    def __init__(
        self, status: int, condition: str = "", text: str = "", content: bytes = b"", headers: Headers = ()
    ) -> None:
        super().__init__(status, condition)
        self.status = status
        self.condition = condition
        self.text = text
        self.content = content
        self.headers = headers


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """
    What an error comes to.

    @ivar condition: expanded name, or ''.
    @ivar text: one sentence.
    """

    status: int
    condition: str = ""
    text: str = ""
    content: bytes = b""
    headers: Headers = ()

    @property
    def error_element(self) -> bytes:
        """C{DAV:error}, as multistatus holds it too; nothing without a precondition."""
        return element(dav("error"), element(self.condition, self.content)) if self.condition else b""

    @property
    def body(self) -> bytes:
        """A whole document; the sentence stands beside the precondition."""
        inside = element(self.condition, self.content) if self.condition else b""
        if self.text:
            inside += element(dav("responsedescription"), escape(self.text))
        return document(dav("error"), inside)


INTERNAL = ErrorAnswer(500, "", "Something went wrong here; the administrator finds it in the log.")


def _retry(seconds: int) -> Headers:
    return ((b"retry-after", b"%d" % seconds),)


def _syntax(error: errors.TrekError) -> ErrorAnswer:
    assert isinstance(error, errors.SyntaxFault)
    return ErrorAnswer(400, "", f"Expected: {error.rule}.")


def _too_large(error: errors.TrekError) -> ErrorAnswer:
    assert isinstance(error, errors.SyntaxFault)
    return ErrorAnswer(413, "", f"Too large or too deep: expected {error.rule}.")


def _conflicting_uid(error: errors.TrekError) -> ErrorAnswer:
    return ErrorAnswer(409, "", "Another item of the collection has the same UID.")


def _invalid_card(error: errors.TrekError) -> ErrorAnswer:
    assert isinstance(error, errors.InvalidCard)
    return ErrorAnswer(403, carddav("valid-address-data"), f"This is no valid vCard: {error.reason}.")


def _invalid_calendar(error: errors.TrekError) -> ErrorAnswer:
    assert isinstance(error, errors.InvalidCalendar)
    return ErrorAnswer(403, caldav("valid-calendar-data"), f"This is no valid iCalendar: {error.reason}.")


def _invalid_calendar_object(error: errors.TrekError) -> ErrorAnswer:
    assert isinstance(error, errors.InvalidCalendarObject)
    text = f"This cannot be one entry of a calendar: {error.reason}."
    return ErrorAnswer(403, caldav("valid-calendar-object-resource"), text)


def _calendar_limit(condition: str, text: str) -> Callable[[errors.TrekError], ErrorAnswer]:
    def answer(error: errors.TrekError) -> ErrorAnswer:
        assert isinstance(error, errors.CalendarLimit)
        return ErrorAnswer(403, caldav(condition), f"{text}; the limit is {error.limit}.")

    return answer


_CHALLENGE: Headers = ((b"www-authenticate", REALM),)
_FULL_ADDRESS = "Wrong user name or password; the user name is the full address, such as alice@example.com."

_ANSWERS: Mapping[type[errors.TrekError], ErrorAnswer | Callable[[errors.TrekError], ErrorAnswer]] = {
    errors.TrekError: INTERNAL,
    errors.Broken: INTERNAL,
    errors.ConfigFault: INTERNAL,
    errors.Refused: ErrorAnswer(403, "", "This is not possible."),
    errors.Unavailable: ErrorAnswer(503, "", "Not possible at the moment; try again later.", headers=_retry(30)),
    errors.SyntaxFault: _syntax,
    errors.LimitExceeded: _too_large,
    DoctypeRefused: ErrorAnswer(403, dav("no-external-entities"), "Document types are not accepted."),
    errors.BadCredentials: ErrorAnswer(401, "", _FULL_ADDRESS, headers=_CHALLENGE),
    errors.AccountSuspended: ErrorAnswer(403, "", "This account is suspended; ask your administrator."),
    errors.TooManyFailures: ErrorAnswer(429, "", "Too many failed logins; try again later.", headers=_retry(300)),
    errors.TooManyConnections: ErrorAnswer(503, "", "Too many connections; try again later.", headers=_retry(60)),
    errors.DirectoryDown: ErrorAnswer(
        503, "", "Passwords cannot be verified at the moment; try again later.", headers=_retry(30)
    ),
    errors.NotPermitted: ErrorAnswer(403, dav("need-privileges"), "You may not do this."),
    errors.NoSuchCollection: ErrorAnswer(404, "", "There is nothing at this address."),
    errors.NoSuchItem: ErrorAnswer(404, "", "There is nothing at this address."),
    errors.CollectionExists: ErrorAnswer(405, dav("resource-must-be-null"), "The name is taken."),
    errors.ConditionFailed: ErrorAnswer(412, "", "It is not in the state that was asked for."),
    errors.UIDTaken: _conflicting_uid,
    errors.OrganizersDiffer: ErrorAnswer(
        403, caldav("same-organizer-in-all-components"), "All parts of one entry have the same organizer."
    ),
    errors.OrganizerChangeRefused: ErrorAnswer(
        403, caldav("allowed-organizer-scheduling-object-change"), "Nobody answers for somebody else."
    ),
    errors.AttendeeChangeRefused: ErrorAnswer(
        403, caldav("allowed-attendee-scheduling-object-change"), "Only the organizer can change this."
    ),
    errors.InvalidCard: _invalid_card,
    errors.UnsupportedCard: ErrorAnswer(
        403, carddav("supported-address-data"), "Contacts are vCards of version 3.0 or 4.0."
    ),
    errors.InvalidCalendar: _invalid_calendar,
    errors.InvalidCalendarObject: _invalid_calendar_object,
    errors.UnsupportedComponent: ErrorAnswer(
        403, caldav("supported-calendar-component"), "The calendar does not take entries of this kind."
    ),
    errors.UnsupportedCollation: ErrorAnswer(403, caldav("supported-collation"), "There is no such collation here."),
    errors.UnsupportedFilter: ErrorAnswer(
        403, caldav("valid-filter"), "A time range is asked of something that has no time."
    ),
    errors.TooManyInstances: _calendar_limit("max-instances", "It takes place too often"),
    errors.TooManyAttendees: _calendar_limit("max-attendees-per-instance", "It has too many attendees"),
    errors.DateTooEarly: ErrorAnswer(403, caldav("min-date-time"), "It names a time that is too long ago."),
    errors.DateTooLate: ErrorAnswer(403, caldav("max-date-time"), "It names a time that is too far away."),
    errors.SyncTokenExpired: ErrorAnswer(403, dav("valid-sync-token"), "Synchronise from the beginning."),
    errors.OverQuota: ErrorAnswer(507, dav("quota-not-exceeded"), "The account is full."),
    errors.LimitReached: ErrorAnswer(507, dav("quota-not-exceeded"), "The account has as many as it may have."),
    errors.StoreFull: ErrorAnswer(507, dav("sufficient-disk-space"), "There is no space left here."),
    errors.StoreBusy: ErrorAnswer(503, "", "Storage does not answer; try again later.", headers=_retry(10)),
    errors.MessageTooLarge: ErrorAnswer(413, "", "Too large."),
}


def answer_to(error: BaseException) -> ErrorAnswer:
    """What a client is told."""
    if isinstance(error, Fault):
        return ErrorAnswer(error.status, error.condition, error.text, error.content, error.headers)
    found = next((_ANSWERS[kind] for kind in type(error).__mro__ if kind in _ANSWERS), INTERNAL)
    if isinstance(found, ErrorAnswer):
        return found
    assert isinstance(error, errors.TrekError)
    return found(error)


def is_expected(error: BaseException) -> bool:
    """Whether it is the client's or the world's doing, not ours; ours is logged whole."""
    return answer_to(error) is not INTERNAL
