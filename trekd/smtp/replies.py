"""
Errors to replies (STYLE §7): reply code, enhanced code (RFC 3463, RFC 5248) and a text that helps.

Every class of L{trekd.errors} has an answer, its own or that of the nearest class above it.  A few errors
mean something else in a login than they do for a message; those have a second table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from trekd import errors
from trekd.errors import TrekError
from trekd.smtp.grammar.reply import Reply, reply

OK = reply(250, "2.0.0", "OK")
RESET = reply(250, "2.0.0", "Reset")
GO_AHEAD = reply(354, None, "Go ahead; end with <CRLF>.<CRLF>")
GOODBYE = reply(221, "2.0.0", "Goodbye")
READY_FOR_TLS = reply(220, "2.0.0", "Ready to start TLS")
LOGGED_IN = reply(235, "2.7.0", "Authentication succeeded")
CANNOT_VERIFY = reply(252, "2.5.0", "Cannot verify; will take mail and attempt delivery")
HELP = reply(214, "2.0.0", "EHLO MAIL RCPT DATA BDAT RSET NOOP VRFY AUTH STARTTLS QUIT", "See RFC 5321")

BAD_SEQUENCE = reply(503, "5.5.1", "Bad sequence of commands")
NEED_HELLO = reply(503, "5.5.1", "Say hello first")
NEED_MAIL = reply(503, "5.5.1", "MAIL first")
NEED_RECIPIENT = reply(503, "5.5.1", "No valid recipients")
NOT_HERE = reply(500, "5.5.1", "Command not recognized")
NOT_IMPLEMENTED = reply(502, "5.5.1", "Command not implemented")
NEED_TLS = reply(530, "5.7.0", "Must issue a STARTTLS command first")
NEED_TLS_TO_LOG_IN = reply(538, "5.7.11", "Encryption required: issue STARTTLS first")
NEED_LOGIN = reply(530, "5.7.0", "Authentication required; log in with your full address")
NO_SUCH_MECHANISM = reply(504, "5.5.4", "Mechanism not supported; use PLAIN or LOGIN")
LOGIN_CANCELLED = reply(501, "5.7.0", "Authentication cancelled")
LOGIN_LINE_TOO_LONG = reply(500, "5.5.6", "Authentication line too long")
TOO_MANY_RECIPIENTS = reply(452, "4.5.3", "Too many recipients; send the message again to the others")
NEED_SMTPUTF8 = reply(553, "5.6.7", "This address needs SMTPUTF8")

NEED_TLS_TO_REQUIRE_IT = reply(530, "5.7.0", "REQUIRETLS is for encrypted connections: issue STARTTLS first")
HOLD_TOO_LONG = reply(501, "5.5.4", "The message may not be held that long")
TALKED_FIRST = reply(554, "5.5.1", "You spoke before the greeting; closing")

TIMED_OUT = reply(421, "4.4.2", "Timeout; closing")
SHUTTING_DOWN = reply(421, "4.3.2", "Shutting down; try again shortly")
TOO_MANY_ERRORS = reply(421, "4.7.0", "Too many errors; closing")
TOO_MANY_COMMANDS = reply(421, "4.7.0", "Too many commands without a message; closing")
LINE_WITHOUT_END = reply(500, "5.5.2", "Line too long; closing")
OUR_FAULT = reply(451, "4.3.0", "Internal error; it was logged. Try again later")

Answer = Callable[[TrekError], Reply]


def _fixed(reply_code: int, enhanced_code: str, text: str) -> Answer:
    made = reply(reply_code, enhanced_code, text)
    return lambda error: made


def _syntax(error: TrekError) -> Reply:
    """501 says which rule was expected; a path has a code of its own (RFC 3463 §3.2)."""
    rule = str(getattr(error, "rule", ""))
    enhanced = {"Reverse-path": "5.1.7", "Forward-path": "5.1.3"}.get(rule, "5.5.4")
    if rule.startswith("command line"):
        return reply(500, "5.5.2", f"Syntax error: expected {rule}")
    return reply(501, enhanced, f"Syntax error: expected {rule}")


def _bad_message(error: TrekError) -> Reply:
    reason = str(error.args[0]) if error.args else "its octets break the standards of mail"
    return reply(550, "5.6.0", f"Message refused: {reason}")


def _not_owner(error: TrekError) -> Reply:
    address = str(error.args[0]) if error.args else "that address"
    text = f"You may not send as {address}; use your own address or one of its aliases"
    return reply(550, "5.7.1", text)


def _too_large(error: TrekError) -> Reply:
    limit = int(getattr(error, "limit", 0))
    return reply(552, "5.3.4", f"Message larger than {limit} octets" if limit else "Message too large")


def _suppressed(error: TrekError) -> Reply:
    """What the other server said, and what to do."""
    address, said = str(getattr(error, "address", "")), str(getattr(error, "reply", ""))[:200]
    until = datetime.fromtimestamp(float(getattr(error, "until", 0.0)), UTC).strftime("%Y-%m-%d")
    lines = (
        f"Mail to {address} bounced a short while ago: {said}",
        f"Check the address. If it is right, try again after {until}, or ask your administrator to run",
        f"trekctl queue suppressions remove {address}",
    )
    return reply(550, "5.1.1", *(line.encode("ascii", "replace").decode() for line in lines))


def _plan_forbids(error: TrekError) -> Reply:
    address, help = getattr(error, "address", ""), getattr(error, "help", "")
    whose = f" for {address}" if address else ""
    todo = f"see {help}" if help else "ask your administrator for it"
    text = f"Your plan sends outside mail only through your own SMTP server, and none is set up{whose}; {todo}"
    return reply(550, "5.7.1", text)


def _too_many(what: str) -> Answer:
    """A limit that time lifts: how much, how long, and when the next may go."""

    def answer(error: TrekError) -> Reply:
        used, allowed, hours = (int(getattr(error, name, 0)) for name in ("used", "allowed", "hours"))
        time = datetime.fromtimestamp(getattr(error, "frees", 0.0), UTC).strftime("%H:%M")
        span = "the last hour" if hours == 1 else f"the last {hours} hours"
        verb = "written to" if what == "new recipients" else "sent"
        text = f"You have {verb} {used} of {allowed} {what} in {span}; the next can go at {time} UTC"
        return reply(452, "4.7.1", text)

    return answer


def _too_many_recipients(error: TrekError) -> Reply:
    allowed = int(getattr(error, "allowed", 0))
    text = f"Your plan allows {allowed} outside recipients in a message; send it again to the others"
    return reply(452, "4.5.3", text)


def _unauthentic(error: TrekError) -> Reply:
    domain, rule = str(getattr(error, "domain", "")), str(getattr(error, "rule", "DMARC"))
    return reply(550, "5.7.1", f"Not authentic: {domain} asks to refuse such mail in its name ({rule})")


def _unwanted(error: TrekError) -> Reply:
    reason = str(error.args[0]) if error.args else ""
    return reply(550, "5.7.1", f"Message refused: {reason}" if reason else "Message refused as spam")


def _come_back(error: TrekError) -> Reply:
    reason = str(error.args[0]) if error.args else ""
    return reply(451, "4.7.1", reason or "The message cannot be checked now; try again later")


_ANSWERS: Mapping[type[TrekError], Answer] = {
    TrekError: lambda error: OUR_FAULT,
    errors.Broken: lambda error: OUR_FAULT,
    errors.ConfigFault: _fixed(451, "4.3.5", "The server's configuration is at fault; try again later"),
    errors.Refused: _fixed(550, "5.7.1", "Refused"),
    errors.Unavailable: _fixed(451, "4.3.0", "Temporarily unavailable; try again later"),
    errors.SyntaxFault: _syntax,
    errors.LimitExceeded: _fixed(500, "5.5.2", "Line too long"),
    errors.UnknownCommand: _fixed(500, "5.5.2", "Command not recognized"),
    errors.UnknownParameter: _fixed(555, "5.5.4", "Parameter not recognized"),
    errors.ChannelBindingImpossible: _fixed(
        504, "5.5.4", "That channel binding is not possible on this connection"
    ),
    errors.AccountSuspended: _fixed(535, "5.7.13", "This account is suspended"),
    errors.TooManyConnections: _fixed(421, "4.7.0", "Too many connections; close some and try again"),
    errors.TooManyUnauthenticated: _fixed(421, "4.7.0", "Too many connections from your address"),
    errors.TooManyFailures: _fixed(454, "4.7.0", "Too many failed logins; try again later"),
    errors.BadCredentials: _fixed(535, "5.7.8", "Wrong address or password"),
    errors.AddressIncomplete: _fixed(
        535, "5.7.8", "Use your full address as user name, such as alice@example.com"
    ),
    errors.DirectoryDown: _fixed(451, "4.4.3", "The directory does not answer; try again later"),
    errors.NoSuchAccount: _fixed(550, "5.1.1", "No such address here"),
    errors.NoSuchRecipient: _fixed(550, "5.1.1", "No such address here"),
    errors.NotPermitted: _fixed(550, "5.2.1", "This mailbox takes no mail"),
    errors.OverQuota: _fixed(552, "5.2.2", "The mailbox is full"),
    errors.MailboxFull: _fixed(452, "4.2.2", "The mailbox is full; try again later"),
    errors.MessageTooLarge: _too_large,
    errors.StoreFull: _fixed(452, "4.3.1", "Out of disk space; try again later"),
    errors.NotOwner: _not_owner,
    errors.RelayDenied: _fixed(550, "5.7.1", "Relaying denied"),
    errors.PlanForbidsRelay: _plan_forbids,
    errors.NoSuchProfile: _fixed(550, "5.7.1", "The SMTP server set up for your account is gone; set one up again"),
    errors.ProfileGone: _fixed(550, "5.7.1", "The SMTP server set up for your account is gone; set one up again"),
    errors.TooManyMessages: _too_many("messages to other domains"),
    errors.TooManyNewRecipients: _too_many("new recipients"),
    errors.TooManyRecipients: _too_many_recipients,
    errors.AddressSuppressed: _suppressed,
    errors.MailLoop: _fixed(554, "5.4.6", "The message goes round in circles: too many hops"),
    errors.BadMessage: _bad_message,
    errors.Unauthentic: _unauthentic,
    errors.Unwanted: _unwanted,
    errors.Greylisted: _fixed(451, "4.7.1", "Greylisted: nobody wrote from there to here lately; try again soon"),
    errors.ScannerDown: _come_back,
    errors.QueueFull: _fixed(452, "4.3.1", "The queue is full; try again later"),
}

_LOGIN_ANSWERS: Mapping[type[TrekError], Answer] = {
    errors.Unavailable: _fixed(454, "4.7.0", "Cannot verify passwords now; try again later"),
    errors.DirectoryDown: _fixed(454, "4.7.0", "Cannot verify passwords now; try again later"),
}


def answer(error: TrekError) -> Reply:
    """The reply to an error of a command or a message."""
    return _first(error, _ANSWERS)


def login_answer(error: TrekError) -> Reply:
    """The reply to an error of a login (RFC 4954 §6): an outage is never a wrong password."""
    return _first(error, {**_ANSWERS, **_LOGIN_ANSWERS})


def _first(error: TrekError, table: Mapping[type[TrekError], Answer]) -> Reply:
    """The answer of the nearest class."""
    kind = next(kind for kind in type(error).__mro__ if kind in table)
    return table[kind](error)
