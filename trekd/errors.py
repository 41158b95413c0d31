"""
The one tree of errors (STYLE §7).

An error holds facts, never wire text; each protocol's table (C{imap/responses.py}, C{smtp/replies.py},
C{dav/errors.py}) turns a class into an answer.  The five roots say what the other side should do:
L{Refused} do not try again, L{Unavailable} try later, L{SyntaxFault} send something else, L{ConfigFault}
ask the administrator, L{Broken} our fault.
"""

from __future__ import annotations


class TrekError(Exception):
    """Base of every error that TrekMail raises on purpose."""


class Refused(TrekError):
    """Permanent: the same request will be refused again until something changes."""


class Unavailable(TrekError):
    """Temporary: the same request may succeed later; nothing was changed."""


class SyntaxFault(TrekError):
    """
    Octets that break a grammar.

    @ivar rule: the ABNF rule that was expected.
    @ivar offset: 0-based octet offset in what was being parsed.
    """

    def __init__(self, rule: str, offset: int = 0) -> None:
        super().__init__(rule, offset)
        self.rule = rule
        self.offset = offset

    def __str__(self) -> str:
        return f"expected {self.rule} at octet {self.offset}"


class ConfigFault(TrekError):
    """
    The configuration cannot be used.

    @ivar complaints: one line each, naming file, line and key.
    """

    def __init__(self, *complaints: str) -> None:
        super().__init__(*complaints)
        self.complaints = complaints

    def __str__(self) -> str:
        return "\n".join(self.complaints)


class Broken(TrekError):
    """An invariant of ours does not hold; logged whole, answered with one fixed sentence."""


# --- Limits of a grammar -------------------------------------------------------------------------


class LimitExceeded(SyntaxFault):
    """Octets that are well formed but larger, longer or deeper than configured."""


class UnknownCommand(SyntaxFault):
    """A well-formed command by a name that nobody knows."""


class UnknownParameter(SyntaxFault):
    """A command parameter that belongs to no extension offered here."""


class BadCharset(SyntaxFault):
    """Text in a charset that cannot be decoded here (RFC 3501 §7.1, BADCHARSET)."""


# --- Credentials and connections -----------------------------------------------------------------


class BadCredentials(Refused):
    """Unknown account or wrong password; the two are never told apart."""


class AddressIncomplete(BadCredentials):
    """The login name is no full address (C{alice} instead of C{alice@example.com})."""


class ChannelMismatch(BadCredentials):
    """
    The proof was right, but made for another TLS connection or after another list of mechanisms: somebody may stand
    between client and server (RFC 5802 §6).
    """


class ChannelBindingImpossible(Refused):
    """The connection has no data of the type of channel binding that the client wants."""


class AccountSuspended(Refused):
    """The password was right, but the account may not log in now."""


class TooManyConnections(Refused):
    """
    The plan's concurrent connections are all in use (DESIGN §6).

    @ivar used: connections counted now.
    @ivar allowed: what the plan allows in this scope.
    @ivar peer: the peer's address, or C{None} when the account's total was reached.
    @ivar plan: the plan's name.
    """

    def __init__(self, used: int, allowed: int, peer: str | None, plan: str) -> None:
        super().__init__(used, allowed, peer, plan)
        self.used = used
        self.allowed = allowed
        self.peer = peer
        self.plan = plan


class TooManyUnauthenticated(Unavailable):
    """The peer's address prefix holds too many connections that have not logged in."""


class TooManyFailures(Unavailable):
    """Too many failed logins from this address prefix or for this account; try later."""


class DirectoryDown(Unavailable):
    """No directory server answered; never a verdict on a password."""


class NoSuchAccount(Refused):
    """The directory knows no such account, alias or group."""


class AccountExists(Refused):
    """The address is already taken by an account, an alias or a group."""


class NoSuchPlan(Refused):
    """The configuration has no plan of that name."""


class NotPermitted(Refused):
    """The principal may not do this."""


class NoSuchKey(Refused):
    """There is no signing key of that selector."""


# --- Store ----------------------------------------------------------------------------------------


class NoSuchMailbox(Refused):
    """The mailbox does not exist (or was deleted meanwhile)."""


class MailboxExists(Refused):
    """The target name is taken."""


class MailboxHasChildren(Refused):
    """The operation needs a mailbox without inferior names."""


class BadMailboxName(Refused):
    """The name cannot be a mailbox (empty level, control character, too long, not Unicode)."""


class NoSuchMessage(Refused):
    """The message is expunged or never existed."""


class OverQuota(Refused):
    """
    The account's quota does not allow this.

    @ivar limit: the quota in octets or messages.
    """

    def __init__(self, limit: int = 0) -> None:
        super().__init__(limit)
        self.limit = limit


class MailboxFull(Unavailable):
    """A mailbox takes nothing until its owner has made room; asked before there is a message."""


class MessageTooLarge(Refused):
    """
    The message is larger than one message may be.

    @ivar limit: in octets.
    """

    def __init__(self, limit: int = 0) -> None:
        super().__init__(limit)
        self.limit = limit


class LimitReached(Refused):
    """A count that the configuration bounds (mailboxes of an account, keywords) is used up."""


class StoreFull(Unavailable):
    """The file system is full or refuses writes; nothing was changed."""


class StoreBusy(Unavailable):
    """The account's storage did not answer in time, or its queue is full; nothing was changed."""


class StoreCorrupt(Broken):
    """Stored octets contradict themselves; found by a read or by C{check()}."""


# --- Collections ----------------------------------------------------------------------------------


class CollectionRefused(Refused):
    """What only calendars, address books and files refuse; to a mail protocol these are all alike."""


class NoSuchCollection(CollectionRefused):
    """The calendar, address book or folder does not exist (or was removed meanwhile)."""


class CollectionExists(CollectionRefused):
    """The name is taken by a collection."""


class NoSuchItem(CollectionRefused):
    """The item does not exist (or was removed meanwhile)."""


class ConditionFailed(CollectionRefused):
    """The item is not in the state that the client asked for (RFC 9110 §13.1)."""


class UIDTaken(CollectionRefused):
    """
    Another item of the collection has the same UID (RFC 4791 §5.3.2.1, RFC 6352 §6.3.2.1).

    @ivar name: of that item.
    """

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self.name = name


class SyncTokenExpired(CollectionRefused):
    """The changes behind a sync token are not remembered any more, or it was never given out (RFC 6578 §3.2)."""


# --- Calendars ------------------------------------------------------------------------------------


class InvalidCalendar(CollectionRefused):
    """
    No valid iCalendar (RFC 4791 §5.3.2.1, valid-calendar-data).

    @ivar reason: what is wrong, one line without text of the object but names of properties and components.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class InvalidCalendarObject(CollectionRefused):
    """
    Valid iCalendar that cannot be one calendar object (RFC 4791 §4.1, valid-calendar-object-resource).

    @ivar reason: what is wrong, as above.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnsupportedComponent(CollectionRefused):
    """
    The collection takes no components of this kind (RFC 4791 §5.3.2.1, supported-calendar-component).

    @ivar component: such as C{VTODO}.
    """

    def __init__(self, component: str) -> None:
        super().__init__(component)
        self.component = component


class InvalidCard(CollectionRefused):
    """
    No valid vCard, or not just one (RFC 6352 §6.3.2.1, valid-address-data).

    @ivar reason: what is wrong, one line without text of the card but names of properties.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnsupportedCard(CollectionRefused):
    """A vCard of a version that is not kept (RFC 6352 §6.3.2.1, supported-address-data); the argument names it."""


class UnsupportedCollation(CollectionRefused):
    """A text match by a collation that is not offered (RFC 4791 §7.5.1); the first argument is its name."""


class UnsupportedFilter(CollectionRefused):
    """
    A condition of a query that cannot be asked (RFC 4791 §7.8, supported-filter); the first argument names the
    component, property or parameter.
    """


class CalendarLimit(CollectionRefused):
    """
    A calendar object beyond what one may be.

    @ivar limit: what is allowed: a count; Unix seconds for times.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class TooManyInstances(CalendarLimit):
    """It takes place too often, or finding out how often costs too much (RFC 4791 §5.3.2.1, max-instances)."""


class TooManyAttendees(CalendarLimit):
    """One instance has too many attendees (RFC 4791 §5.3.2.1, max-attendees-per-instance)."""


class DateTooEarly(CalendarLimit):
    """A time lies before the first that is taken (RFC 4791 §5.3.2.1, min-date-time)."""


class DateTooLate(CalendarLimit):
    """A time lies at or after the end of what is taken (RFC 4791 §5.3.2.1, max-date-time)."""


class OrganizersDiffer(CollectionRefused):
    """Components of one object name different organizers (RFC 6638 §3.2.4.2, same-organizer-in-all-components)."""


class OrganizerChangeRefused(CollectionRefused):
    """An organizer may not change this (RFC 6638 §3.2.4.3, allowed-organizer-scheduling-object-change)."""


class AttendeeChangeRefused(CollectionRefused):
    """
    An attendee may not change this (RFC 6638 §3.2.4.4, allowed-attendee-scheduling-object-change).

    @ivar what: name of a property.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


# --- Mail transport -------------------------------------------------------------------------------


class NotOwner(Refused):
    """The authenticated account may not use this sender address."""


class RelayDenied(Refused):
    """The recipient is not ours and the client may not relay."""


class PlanForbidsRelay(RelayDenied):
    """
    The account's plan sends outside mail only through the user's own SMTP provider, and none is set up (DESIGN §7).

    @ivar address: of the account, C{""} when it does not matter.
    @ivar help: where the user reads what to do; C{""} for nowhere.
    """

    def __init__(self, address: str = "", help: str = "") -> None:
        super().__init__(address, help)
        self.address = address
        self.help = help


class ProfileGone(Refused):
    """
    The own-SMTP profile that a message was to take is assigned to its sender no longer, and no other one is: the
    message takes no other route by itself.

    @ivar profile: its name.
    """

    def __init__(self, profile: str) -> None:
        super().__init__(profile)
        self.profile = profile


class SendingLimit(Unavailable):
    """
    The account has sent as much as its plan allows in a time.

    @ivar used: counted now.
    @ivar allowed: what the plan allows.
    @ivar hours: the time in which these are counted: any so many hours.
    @ivar frees: Unix seconds at which the first place is free again.
    """

    def __init__(self, used: int, allowed: int, hours: int, frees: float) -> None:
        super().__init__(used, allowed, hours, frees)
        self.used = used
        self.allowed = allowed
        self.hours = hours
        self.frees = frees


class TooManyMessages(SendingLimit):
    """So many messages to other domains."""


class TooManyNewRecipients(SendingLimit):
    """So many outside recipients to whom the account never wrote before."""


class TooManyRecipients(Unavailable):
    """
    The message has as many outside recipients as the account's plan allows; the others go in another message.

    @ivar allowed: outside recipients of one message.
    """

    def __init__(self, allowed: int) -> None:
        super().__init__(allowed)
        self.allowed = allowed


class NoSuchProfile(Refused):
    """There is no own-SMTP profile of that name; the first argument is the name."""


class ProfileExists(Refused):
    """An own-SMTP profile of that name is there already; the first argument is the name."""


class SecretSealed(Unavailable):
    """
    A stored secret cannot be read: the key that sealed it is not at hand.  The first argument says for an
    administrator which key is missing and what to do.
    """


class NoSuchRecipient(Refused):
    """The recipient's domain is ours, but nobody has the address."""


class AddressSuppressed(Refused):
    """
    The account's mail to this address bounced for good a short while ago.

    @ivar address: the recipient.
    @ivar reply: what the other server said.
    @ivar until: Unix seconds after which the account may try again.
    """

    def __init__(self, address: str, reply: str = "", until: float = 0.0) -> None:
        super().__init__(address, reply, until)
        self.address = address
        self.reply = reply
        self.until = until


class MailLoop(Refused):
    """The message passed here, or anywhere, too often."""


class BadURL(Refused):
    """
    A URL names no message of the account, or no part of one.

    @ivar url: as it was given.
    """

    def __init__(self, url: bytes = b"") -> None:
        super().__init__(url)
        self.url = url


class UnknownEncoding(Refused):
    """A part of a message has a transfer encoding that cannot be undone (RFC 2045 §6.3)."""


class BadMessage(Refused):
    """The message's octets break RFC 5322 or the transport's rules in a way that is not mended."""


class Unauthentic(Refused):
    """
    The message is not from whom it says, and its author's domain asks to refuse such mail (RFC 7489 §6.3), or the
    reverse-path's does (RFC 7208 §8.4).

    @ivar domain: whose policy it is.
    @ivar rule: C{DMARC} or C{SPF}.
    """

    def __init__(self, domain: str, rule: str = "DMARC") -> None:
        super().__init__(domain, rule)
        self.domain = domain
        self.rule = rule


class Unwanted(Refused):
    """A content scanner took the message for spam or worse; the first argument is its reason, if any."""


class Greylisted(Unavailable):
    """First mail of this kind: the sender is asked to come back."""


class ScannerDown(Unavailable):
    """A content scanner wants to see the message later, or gave no verdict."""


class RemoteRefused(Refused):
    """
    The next server refused a recipient or the message for good.

    @ivar host: who said so.
    @ivar reply: its reply code, enhanced status code and text, one line of printable ASCII.
    @ivar status: enhanced status code (RFC 3463), such as C{5.1.1}.
    """

    def __init__(self, host: str, reply: str, status: str = "5.0.0") -> None:
        super().__init__(f"{host} said: {reply}")
        self.host = host
        self.reply = reply
        self.status = status


class RemoteDeferred(Unavailable):
    """
    The next server cannot be reached, or wants to be asked later.

    @ivar host: who said so, C{""} when no server was reached.
    @ivar reply: what it said; what happened instead when it said nothing.
    @ivar status: enhanced status code (RFC 3463), such as C{4.4.1}.
    """

    def __init__(self, host: str, reply: str, status: str = "4.0.0") -> None:
        super().__init__(f"{host} said: {reply}" if host else reply)
        self.host = host
        self.reply = reply
        self.status = status


class RemoteUnreached(RemoteDeferred):
    """
    No session with a server came about: no connection, no greeting, or not the TLS that is demanded.  That says
    nothing of the mail; whatever else takes the same way waits with it.
    """


class LaneClosed(RemoteDeferred):
    """
    The route itself cannot be used until its owner has changed something, such as the password of an own-SMTP
    profile: everything on the lane waits, and the owner is told.
    """


class NameServiceDown(Unavailable):
    """No name server gave a verdict: a timeout, a failure, or an answer that makes no sense."""


class NoSuchEntry(Refused):
    """Nothing of that identifier waits in the queue."""


class QueueFull(Unavailable):
    """The outbound queue cannot take more now."""
