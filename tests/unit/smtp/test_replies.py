"""Every error has an answer."""

import inspect
import re

import pytest

from trekd import errors
from trekd.errors import TrekError
from trekd.smtp import replies
from trekd.smtp.grammar.reply import Reply


def tree(root: type[TrekError]) -> list[type[TrekError]]:
    """The errors that rooms exchange; what a room raises inside itself never comes here."""
    below = [kind for kind in root.__subclasses__() if kind.__module__ == errors.__name__]
    return [root, *(further for kind in below for further in tree(kind))]


def example(kind: type[TrekError]) -> TrekError:
    """An instance with plausible facts."""
    samples = {"used": 10, "allowed": 10, "peer": "203.0.113.7", "plan": "nano", "rule": "atom", "limit": 5}
    samples |= {"hours": 24, "frees": 1e9, "profile": "acme", "address": "alice@example.com"}
    samples |= {"host": "mx.example.net", "reply": "no"}
    samples |= {"reason": "no DTSTART", "component": "VTODO", "what": "SUMMARY"}
    names = list(inspect.signature(kind.__init__).parameters)[1:]
    return kind(*(samples[name] for name in names if name in samples))


@pytest.mark.parametrize("kind", tree(TrekError))
@pytest.mark.parametrize("answer", [replies.answer, replies.login_answer])
def test_each_class_is_answered_as_its_root_says(kind: type[TrekError], answer: object) -> None:
    """STYLE §7: permanent is 5yz, temporary 4yz, and the two codes agree (RFC 2034 §4)."""
    found = answer(example(kind))  # type: ignore[operator]
    assert isinstance(found, Reply)
    assert found.enhanced_code is not None
    assert found.enhanced_code[0] == str(found.reply_code)[0]
    if issubclass(kind, errors.Unavailable | errors.Broken | errors.ConfigFault):
        assert found.reply_code < 500
    elif issubclass(kind, errors.Refused | errors.SyntaxFault) and kind is not errors.TooManyConnections:
        assert found.reply_code >= 500
    assert len(found.wire()) <= 512


def test_the_plans_refusal_says_what_to_do() -> None:
    """DESIGN §7."""
    wire = replies.answer(errors.PlanForbidsRelay()).wire()
    assert wire.startswith(b"550 5.7.1 Your plan sends outside mail only through your own SMTP server")
    wire = replies.answer(errors.PlanForbidsRelay("alice@example.com", "https://help.example/smtp")).wire()
    assert wire.endswith(b"none is set up for alice@example.com; see https://help.example/smtp\r\n")


def test_a_limit_says_how_much_and_when_it_ends() -> None:
    """A user sees this text in the mail program: 15 November 2023, 00:13 UTC."""
    wire = replies.answer(errors.TooManyMessages(1000, 1000, 24, 1_700_007_200.0)).wire()
    assert wire == (
        b"452 4.7.1 You have sent 1000 of 1000 messages to other domains in the last 24 hours; "
        b"the next can go at 00:13 UTC\r\n"
    )
    wire = replies.answer(errors.TooManyNewRecipients(5, 5, 1, 1_700_007_200.0)).wire()
    assert b"written to 5 of 5 new recipients in the last hour" in wire
    assert b"100 outside recipients" in replies.answer(errors.TooManyRecipients(100)).wire()


def test_an_incomplete_address_says_what_to_type() -> None:
    assert b"full address" in replies.login_answer(errors.AddressIncomplete()).wire()


def test_every_fixed_reply_has_codes_that_agree() -> None:
    for name, value in vars(replies).items():
        if isinstance(value, Reply) and value.enhanced_code is not None:
            assert re.fullmatch(r"[245]\.\d\.\d{1,2}", value.enhanced_code), name
            assert value.enhanced_code[0] == str(value.reply_code)[0], name
