"""Every error has an answer, and none says more than it should."""

from __future__ import annotations

import re

import pytest

from trekd import errors
from trekd.imap.responses import SERVER_BUG, answer, has_row


def _tree(root: type[errors.TrekError]) -> list[type[errors.TrekError]]:
    """Every class; what calendars and address books refuse has one answer for all."""
    if root is errors.CollectionRefused:
        return [root]
    return [root, *(below for kind in root.__subclasses__() for below in _tree(kind))]


ALL = sorted(
    {kind for kind in _tree(errors.TrekError) if kind.__module__ == errors.__name__}, key=lambda kind: kind.__name__
)
ARGUMENTS = {
    errors.SyntaxFault: ("astring", 3),
    errors.AddressSuppressed: ("bob@example.net",),
    errors.Unauthentic: ("example.net",),
    errors.TooManyConnections: (10, 10, "203.0.113.7", "nano"),
    errors.SendingLimit: (10, 10, 24, 0.0),
    errors.TooManyRecipients: (10,),
    errors.ProfileGone: ("acme",),
    errors.RemoteRefused: ("mx.example.net", "550 5.1.1 no"),
    errors.RemoteDeferred: ("mx.example.net", "450 4.2.0 later"),
}


def _make(kind: type[errors.TrekError]) -> errors.TrekError:
    for base, arguments in ARGUMENTS.items():
        if issubclass(kind, base):
            return kind(*arguments)  # type: ignore[arg-type]
    return kind()


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_has_a_row_of_its_own(kind: type[errors.TrekError]) -> None:
    assert has_row(kind)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_answer_is_one_printable_line(kind: type[errors.TrekError]) -> None:
    line = bytes(answer(_make(kind)))
    assert re.fullmatch(rb"(NO|BAD) [\x20-\x7e]+", line)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_only_syntax_is_bad(kind: type[errors.TrekError]) -> None:
    assert (answer(_make(kind)).condition == b"BAD") == (
        issubclass(kind, errors.SyntaxFault) and kind is not errors.BadCharset
    )


def test_too_many_connections_is_unavailable_so_that_no_client_asks_for_the_password() -> None:
    """Quirk unavailable-shows-text."""
    error = errors.TooManyConnections(10, 10, "203.0.113.7", "nano")
    assert answer(error).text == (
        b"[UNAVAILABLE] Maximum connections exceeded (10 of 10 from 203.0.113.7 on plan nano); "
        b"close another mail program and try again"
    )


def test_total_limit_names_no_address() -> None:
    text = answer(errors.TooManyConnections(15, 15, None, "nano")).text
    assert b"(15 of 15 in total on plan nano)" in text


@pytest.mark.parametrize("error", [ValueError("secret"), errors.Broken("secret"), errors.StoreCorrupt("secret")])
def test_our_own_faults_say_nothing(error: Exception) -> None:
    assert answer(error) is SERVER_BUG
    assert b"secret" not in answer(error).text


def test_what_the_client_sent_is_not_echoed() -> None:
    """A rule's name is ours; line ends in it would be another line."""
    assert answer(errors.SyntaxFault("a\r\n* BYE")).text == b"Syntax error: expected a??* BYE"


@pytest.mark.parametrize("url", [b"", b"a]b", b'a"b', b"a b", b"a\r\nb LOGOUT", b"a\x00", "ä".encode(), b"x" * 1001])
def test_a_url_is_repeated_only_where_it_is_harmless(url: bytes) -> None:
    """RFC 4469 §4.1, §5: url-resp-text."""
    assert bytes(answer(errors.BadURL(b"/x/;UID=1"))).startswith(b'NO [BADURL "/x/;UID=1"] ')
    assert bytes(answer(errors.BadURL(url))) == b"NO A URL names nothing that can be appended"
