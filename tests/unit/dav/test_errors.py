"""L{trekd.dav.errors}: every error has an answer, and none says more than it should."""

from __future__ import annotations

import pytest
from lxml import etree

from trekd import errors
from trekd.dav.errors import INTERNAL, Fault, answer_to


def _tree(root: type[errors.TrekError]) -> list[type[errors.TrekError]]:
    return [root, *(below for kind in root.__subclasses__() for below in _tree(kind))]


def _ours(root: type[errors.TrekError]) -> list[type[errors.TrekError]]:
    found = {kind for kind in _tree(root) if kind.__module__ == errors.__name__}
    return sorted(found, key=lambda kind: kind.__name__)


ALL, COLLECTIONS = _ours(errors.TrekError), _ours(errors.CollectionRefused)


def made(kind: type[errors.TrekError]) -> errors.TrekError:
    error = kind.__new__(kind)
    if isinstance(error, errors.SyntaxFault):
        error.rule = "a rule"
    if isinstance(error, errors.InvalidCard):
        error.reason = "a reason"
    if isinstance(error, errors.InvalidCalendar | errors.InvalidCalendarObject):
        error.reason = "a reason"
    if isinstance(error, errors.CalendarLimit):
        error.limit = 7
    return error


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_has_an_answer_that_is_a_document(kind: type[errors.TrekError]) -> None:
    answer = answer_to(made(kind))
    assert 400 <= answer.status < 600
    assert etree.fromstring(answer.body).tag == "{DAV:}error"


@pytest.mark.parametrize("kind", COLLECTIONS, ids=lambda kind: kind.__name__)
def test_what_a_collection_refuses_is_told_apart(kind: type[errors.TrekError]) -> None:
    assert answer_to(made(kind)).status in (403, 404, 405, 409, 412)


@pytest.mark.parametrize("kind", _ours(errors.Unavailable), ids=lambda kind: kind.__name__)
def test_what_may_work_later_is_no_verdict(kind: type[errors.TrekError]) -> None:
    assert answer_to(made(kind)).status in (429, 503, 507)


@pytest.mark.parametrize("error", [errors.Broken("secret"), ValueError("secret"), errors.StoreCorrupt("secret")])
def test_our_own_faults_say_nothing(error: Exception) -> None:
    assert answer_to(error) is INTERNAL
    assert b"secret" not in INTERNAL.body


def test_a_fault_carries_its_precondition() -> None:
    """RFC 4918 §16."""
    body = answer_to(Fault(423, "{DAV:}lock-token-submitted", "It is <locked>.", b"<D:href>/x</D:href>")).body
    root = etree.fromstring(body)
    assert root.findtext("{DAV:}lock-token-submitted/{DAV:}href") == "/x"
    assert root.findtext("{DAV:}responsedescription") == "It is <locked>."
