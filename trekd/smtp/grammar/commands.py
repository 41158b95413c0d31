"""
A command line to the request it means (RFC 5321 §4.1 and the extensions' own sections).

The table L{VERBS} joins each verb to the function that reads its argument.  Requests hold decoded values;
whether they are allowed now, or wanted at all, is the session's question.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address

from trekd.errors import SyntaxFault, UnknownCommand, UnknownParameter
from trekd.smtp.grammar.paths import forward_path, hello_name, mailbox, reverse_path, xtext
from trekd.values import Address

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~\u00a1-\U0010ffff]+))?")
_CHUNK = re.compile(r"([0-9]{1,20})(?: +(LAST))?", re.IGNORECASE)
_SIZE = re.compile(r"[0-9]{1,20}")
_INTERVAL = re.compile(r"[0-9]{1,9}")
_DATE_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_MECHANISM = re.compile(r"[A-Z0-9_-]{1,20}")
_NOTIFICATIONS = frozenset({"SUCCESS", "FAILURE", "DELAY"})


@dataclass(frozen=True, slots=True)
class Hello:
    """
    EHLO, HELO or LHLO (RFC 5321 §4.1.1.1, RFC 2033 §4.1).

    @ivar name: what the client calls itself; fit for a header field, otherwise worthless.
    @ivar verb: C{EHLO}, C{HELO} or C{LHLO}.
    """

    name: str
    verb: str = "EHLO"


@dataclass(frozen=True, slots=True)
class Hold:
    """
    When a message may leave (RFC 4865 §4): one of the two.

    @ivar seconds: after its submission.
    @ivar until: a time with its zone.
    """

    seconds: int | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """
    MAIL FROM (RFC 5321 §4.1.1.2).

    @ivar reverse_path: C{None} is the null path.
    @ivar size: octets the client announced (RFC 1870 §3), C{None} when it did not.
    @ivar eight_bit: C{BODY=8BITMIME} (RFC 6152 §2).
    @ivar utf8: C{SMTPUTF8} (RFC 6531 §3.4).
    @ivar ret: C{FULL}, C{HDRS} or C{None} (RFC 3461 §4.3).
    @ivar envid: as given, in xtext, C{None} when absent (RFC 3461 §4.4).
    @ivar require_tls: C{REQUIRETLS} (RFC 8689 §2).
    @ivar hold: when the message may leave (RFC 4865 §4), C{None} for at once.
    """

    reverse_path: Address | None
    size: int | None = None
    eight_bit: bool = False
    utf8: bool = False
    ret: str | None = None
    envid: str | None = None
    require_tls: bool = False
    hold: Hold | None = None

    @property
    def wants_dsn(self) -> bool:
        """Whether a parameter of DSN was given (RFC 3461 §4)."""
        return self.ret is not None or self.envid is not None


@dataclass(frozen=True, slots=True)
class Recipient:
    """
    RCPT TO (RFC 5321 §4.1.1.3).

    @ivar notify: C{NEVER} alone or some of C{SUCCESS FAILURE DELAY}, empty when not given (RFC 3461 §4.1).
    @ivar orcpt: the original recipient as given, C{type;xtext}, C{None} when absent (RFC 3461 §4.2).
    """

    forward_path: Address
    notify: tuple[str, ...] = ()
    orcpt: str | None = None

    @property
    def wants_dsn(self) -> bool:
        """Whether a parameter of DSN was given (RFC 3461 §4)."""
        return bool(self.notify) or self.orcpt is not None


@dataclass(frozen=True, slots=True)
class Data:
    """DATA (RFC 5321 §4.1.1.4)."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """
    BDAT (RFC 3030 §2).

    @ivar size: octets that follow the command line.
    @ivar last: whether the message is complete with them.
    """

    size: int
    last: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    """RSET (RFC 5321 §4.1.1.5)."""


@dataclass(frozen=True, slots=True)
class Noop:
    """NOOP, its argument ignored (RFC 5321 §4.1.1.9)."""


@dataclass(frozen=True, slots=True)
class Verify:
    """VRFY (RFC 5321 §4.1.1.6)."""


@dataclass(frozen=True, slots=True)
class Expand:
    """EXPN (RFC 5321 §4.1.1.7)."""


@dataclass(frozen=True, slots=True)
class Help:
    """HELP (RFC 5321 §4.1.1.8)."""


@dataclass(frozen=True, slots=True)
class Quit:
    """QUIT (RFC 5321 §4.1.1.10)."""


@dataclass(frozen=True, slots=True)
class StartTLS:
    """STARTTLS (RFC 3207 §4)."""


@dataclass(frozen=True, slots=True)
class Authenticate:
    """
    AUTH (RFC 4954 §4).

    @ivar mechanism: in upper case.
    @ivar initial: the decoded initial response, empty for C{=}, C{None} when there is none.
    """

    mechanism: str
    initial: bytes | None = None

    def __repr__(self) -> str:
        """Without the response: it is a secret."""
        return f"Authenticate({self.mechanism!r})"


@dataclass(frozen=True, slots=True)
class Forward:
    """
    XFORWARD, by which Postfix tells where a message came from (its XFORWARD_README).

    @ivar client: IP address, C{""} when it is not known, C{None} when nothing is said of it.
    @ivar hello: what that client called itself, likewise.
    """

    client: str | None = None
    hello: str | None = None


Command = (
    Hello
    | Mail
    | Recipient
    | Data
    | Chunk
    | Reset
    | Noop
    | Verify
    | Expand
    | Help
    | Quit
    | StartTLS
    | Authenticate
    | Forward
)
Setting = Callable[[str | None], tuple[str, object]]


def parse(line: bytes) -> Command:
    """
    Read one command line.

    @param line: without its CRLF.
    @raise UnknownCommand: the verb is none of ours.
    @raise UnknownParameter: MAIL or RCPT carry a parameter of no extension here.
    @raise SyntaxFault: the line or its argument breaks the grammar.
    """
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SyntaxFault("command line in UTF-8", error.start) from None
    control = _CONTROL.search(text)
    if control is not None:
        raise SyntaxFault("command line without control characters", control.start())
    verb, _, argument = text.strip(" \t").partition(" ")
    read = VERBS.get(verb.upper()) if verb.isascii() else None
    if read is None:
        raise UnknownCommand("command", 0)
    return read(argument.strip(" "))


def base64_text(text: str) -> bytes:
    """
    Decode one step of an authentication exchange, strictly (RFC 4954 §4, RFC 4648 §3.3).

    @raise SyntaxFault: C{text} is not base64.
    """
    try:
        return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except ValueError:
        raise SyntaxFault("base64") from None


def _no_argument(command: Command) -> Callable[[str], Command]:
    def read(argument: str) -> Command:
        if argument:
            raise SyntaxFault("no argument")
        return command

    return read


def _any_argument(command: Command) -> Callable[[str], Command]:
    return lambda argument: command


def _needs_argument(command: Command) -> Callable[[str], Command]:
    def read(argument: str) -> Command:
        if not argument:
            raise SyntaxFault("argument")
        return command

    return read


def _hello(verb: str) -> Callable[[str], Command]:
    """C{ehlo = "EHLO" SP ( Domain / address-literal ) CRLF} (RFC 5321 §4.1.1.1), and the like."""
    return lambda argument: Hello(hello_name(argument), verb)


def _mail(argument: str) -> Mail:
    """C{mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF} (RFC 5321 §4.1.1.2)."""
    path, rest = reverse_path(_after(argument, "FROM:"))
    return Mail(path, **_parameters(rest, _MAIL_PARAMETERS))  # type: ignore[arg-type]


def _rcpt(argument: str) -> Recipient:
    """
    C{rcpt = "RCPT TO:" ( "<Postmaster>" / Forward-path ) [SP Rcpt-parameters] CRLF} (RFC 5321 §4.1.1.3).
    """
    path, rest = forward_path(_after(argument, "TO:"))
    return Recipient(path, **_parameters(rest, _RCPT_PARAMETERS))  # type: ignore[arg-type]


def _after(argument: str, word: str) -> str:
    """What follows C{FROM:} or C{TO:}; a space there is a common client's mistake and does no harm."""
    if argument[: len(word)].upper() != word:
        raise SyntaxFault(word)
    return argument[len(word) :].lstrip(" ")


def _parameters(rest: str, known: Mapping[str, Setting]) -> dict[str, object]:
    """
    C{Mail-parameters = esmtp-param *(SP esmtp-param)} (RFC 5321 §4.1.2).

    @return: the values by the name of their field in the request.
    """
    if rest and not rest.startswith(" "):
        raise SyntaxFault("SP after the path")
    settings: dict[str, object] = {}
    for word in rest.split():
        match = _PARAMETER.fullmatch(word)
        if match is None:
            raise SyntaxFault("esmtp-param")
        setting = known.get(match[1].upper())
        if setting is None:
            raise UnknownParameter("esmtp-keyword")
        name, value = setting(match[2])
        if name in settings:
            raise SyntaxFault("each parameter once")
        settings[name] = value
    settings.pop("auth", None)
    return settings


def _size(value: str | None) -> tuple[str, object]:
    """C{size-value = 1*20DIGIT} (RFC 1870 §3)."""
    if value is None or not _SIZE.fullmatch(value):
        raise SyntaxFault("size-value")
    return "size", int(value)


def _body(value: str | None) -> tuple[str, object]:
    """C{body-value = "7BIT" / "8BITMIME"} (RFC 6152 §2); BINARYMIME is not offered."""
    kind = (value or "").upper()
    if kind == "BINARYMIME":
        raise UnknownParameter("body-value")
    if kind not in ("7BIT", "8BITMIME"):
        raise SyntaxFault("body-value")
    return "eight_bit", kind == "8BITMIME"


def _smtputf8(value: str | None) -> tuple[str, object]:
    """The parameter takes no value (RFC 6531 §3.4)."""
    if value is not None:
        raise SyntaxFault("SMTPUTF8 without value")
    return "utf8", True


def _ret(value: str | None) -> tuple[str, object]:
    """C{ret-value = "FULL" / "HDRS"} (RFC 3461 §4.3)."""
    kind = (value or "").upper()
    if kind not in ("FULL", "HDRS"):
        raise SyntaxFault("ret-value")
    return "ret", kind


def _requiretls(value: str | None) -> tuple[str, object]:
    """C{requiretls-param = "REQUIRETLS"}: the parameter takes no value (RFC 8689 §2)."""
    if value is not None:
        raise SyntaxFault("REQUIRETLS without value")
    return "require_tls", True


def _holdfor(value: str | None) -> tuple[str, object]:
    """C{HOLDFOR=future-release-interval}, 1 to 9 digits of seconds (RFC 4865 §4)."""
    if value is None or not _INTERVAL.fullmatch(value):
        raise SyntaxFault("future-release-interval")
    return "hold", Hold(seconds=int(value))


def _holduntil(value: str | None) -> tuple[str, object]:
    """C{HOLDUNTIL=future-release-date-time}, a date-time of RFC 3339 §5.6 (RFC 4865 §4)."""
    match = _DATE_TIME.fullmatch((value or "").upper())
    try:
        if match is None:
            raise ValueError
        return "hold", Hold(until=datetime.fromisoformat(match[1] + match[2].replace("Z", "+00:00")))
    except ValueError:
        raise SyntaxFault("future-release-date-time") from None


def _envid(value: str | None) -> tuple[str, object]:
    """C{envid-parameter = "ENVID=" xtext} of at most 100 octets (RFC 3461 §4.4)."""
    if value is None or len(value) > 100:
        raise SyntaxFault("envid-parameter")
    xtext(value)
    return "envid", value


def _auth(value: str | None) -> tuple[str, object]:
    """
    C{AUTH=} names who submitted the message elsewhere (RFC 4954 §5).

    It is checked and dropped: no client of ours is trusted to say so.
    """
    if value is None:
        raise SyntaxFault("AUTH=mailbox")
    if value != "<>":
        mailbox(xtext(value))
    return "auth", None


def _notify(value: str | None) -> tuple[str, object]:
    """C{notify-esmtp-value = "NEVER" / 1#notify-list-element} (RFC 3461 §4.1)."""
    words = tuple((value or "").upper().split(","))
    if words != ("NEVER",) and (not _NOTIFICATIONS.issuperset(words) or len(set(words)) < len(words)):
        raise SyntaxFault("notify-esmtp-value")
    return "notify", words


def _orcpt(value: str | None) -> tuple[str, object]:
    """C{original-recipient-address = addr-type ";" xtext} (RFC 3461 §4.2)."""
    kind, semicolon, address = (value or "").partition(";")
    if not semicolon or not kind.isascii() or not kind.replace("-", "").isalnum() or len(value or "") > 500:
        raise SyntaxFault("original-recipient-address")
    xtext(address)
    return "orcpt", value


def _bdat(argument: str) -> Chunk:
    """C{bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ] CR LF} (RFC 3030 §2)."""
    match = _CHUNK.fullmatch(argument)
    if match is None:
        raise SyntaxFault("chunk-size")
    return Chunk(int(match[1]), match[2] is not None)


def _auth_command(argument: str) -> Authenticate:
    """C{"AUTH" SP sasl-mech [SP initial-response]} (RFC 4954 §4); C{=} is an empty response."""
    words = argument.split()
    if not 1 <= len(words) <= 2 or not _MECHANISM.fullmatch(words[0].upper()):
        raise SyntaxFault("sasl-mech")
    if len(words) == 1:
        return Authenticate(words[0].upper())
    return Authenticate(words[0].upper(), b"" if words[1] == "=" else base64_text(words[1]))


def _xforward(argument: str) -> Forward:
    """C{XFORWARD 1*( SP attribute-name "=" attribute-value )}, values in xtext; others than ours are ignored."""
    known: dict[str, str] = {}
    for word in argument.split():
        name, equals, value = word.partition("=")
        if not equals:
            raise SyntaxFault("attribute-name=attribute-value")
        known[name.upper()] = "" if value.upper() in ("[UNAVAILABLE]", "[TEMPUNAVAIL]") else xtext(value)
    if not known:
        raise SyntaxFault("attribute")
    client, hello = known.get("ADDR"), known.get("HELO")
    return Forward(client and _client_address(client), hello and hello_name(hello))


def _client_address(text: str) -> str:
    """An IP address as XFORWARD has it, C{IPV6:} before those of version 6."""
    plain = text[5:] if text[:5].upper() == "IPV6:" else text
    try:
        return str(ip_address(plain)) if plain else ""
    except ValueError:
        raise SyntaxFault("ADDR=address") from None


_MAIL_PARAMETERS: Mapping[str, Setting] = {
    "SIZE": _size,
    "BODY": _body,
    "SMTPUTF8": _smtputf8,
    "RET": _ret,
    "ENVID": _envid,
    "AUTH": _auth,
    "REQUIRETLS": _requiretls,
    "HOLDFOR": _holdfor,
    "HOLDUNTIL": _holduntil,
}

_RCPT_PARAMETERS: Mapping[str, Setting] = {"NOTIFY": _notify, "ORCPT": _orcpt}

VERBS: Mapping[str, Callable[[str], Command]] = {
    "EHLO": _hello("EHLO"),
    "HELO": _hello("HELO"),
    "LHLO": _hello("LHLO"),
    "MAIL": _mail,
    "RCPT": _rcpt,
    "DATA": _no_argument(Data()),
    "BDAT": _bdat,
    "RSET": _no_argument(Reset()),
    "NOOP": _any_argument(Noop()),
    "VRFY": _needs_argument(Verify()),
    "EXPN": _needs_argument(Expand()),
    "HELP": _any_argument(Help()),
    "QUIT": _no_argument(Quit()),
    "STARTTLS": _no_argument(StartTLS()),
    "AUTH": _auth_command,
    "XFORWARD": _xforward,
}
