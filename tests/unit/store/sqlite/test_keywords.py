"""Keywords without a limit: counted, copied, found and gone again."""

from __future__ import annotations

from tests.contract.storecase import ARCHIVE, everything, message, view_of
from tests.unit.store.sqlite.conftest import Site
from trekd.store.interfaces import FlagOperation
from trekd.store.terms import HasFlag
from trekd.values import INBOX, Flag


def test_thousands_of_keywords(site: Site) -> None:
    alice, run = site.alice, site.reactor.run
    names = [f"k{number:05}" for number in range(5000)]
    messages = [message(f"m{place}", *names[place : place + 50]) for place in range(0, 5000, 50)]
    run(alice.append(INBOX, messages))
    assert [flag.text for flag in run(alice.open(INBOX)).keywords] == names
    view = run(view_of(alice))
    assert list(run(alice.search(view, HasFlag(Flag("k04999"))))) == [100]
    run(alice.copy(view, everything(view), ARCHIVE))
    assert len(run(alice.open(ARCHIVE)).keywords) == 5000
    run(alice.change_flags(view, (range(100),), FlagOperation.REPLACE, frozenset({Flag("one-more")})))
    assert [flag.text for flag in run(alice.open(INBOX)).keywords] == ["one-more"]
    assert run(alice.check()) == ()
