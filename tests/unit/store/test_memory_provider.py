"""
The plugin that makes memory stores.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from twisted.plugin import IPlugin
from zope.interface.verify import verifyObject

from tests.fakes.mime import PlainReader
from tests.fakes.running import PumpedReactor
from trekd.errors import LimitReached, NoSuchMailbox
from trekd.store.interfaces import IStore, IStoreProvider, NewMessage
from trekd.store.memory.provider import MemoryStoreProvider
from trekd.values import INBOX, Flag, MailboxName, PrincipalId


def test_provider_is_a_plugin() -> None:
    """Found by its name."""
    provider = MemoryStoreProvider()
    assert verifyObject(IStoreProvider, provider)
    assert verifyObject(IPlugin, provider)
    assert provider.name == "memory"


def test_store_has_the_configured_limits() -> None:
    """Mailboxes of an account, keywords of a mailbox."""
    reactor = PumpedReactor()
    config = SimpleNamespace(store=SimpleNamespace(max_mailboxes=7, max_keywords=1))
    store = MemoryStoreProvider().make(config, PlainReader(), reactor)
    assert verifyObject(IStore, store)
    account = reactor.run(store.open(PrincipalId("alice@example.com")))
    reactor.run(account.create(MailboxName("seventh")))
    with pytest.raises(LimitReached):
        reactor.run(account.create(MailboxName("eighth")))
    reactor.run(account.append(INBOX, [NewMessage(b"", flags=frozenset((Flag("one"),)))]))
    with pytest.raises(LimitReached):
        reactor.run(account.append(INBOX, [NewMessage(b"", flags=frozenset((Flag("two"),)))]))
    assert reactor.run(account.check()) == ()


def test_holder_of_a_removed_account_changes_nothing() -> None:
    """Nobody can fill an account that is gone."""
    reactor = PumpedReactor()
    config = SimpleNamespace(store=SimpleNamespace(max_mailboxes=100, max_keywords=100))
    store = MemoryStoreProvider().make(config, PlainReader(), reactor)
    principal = PrincipalId("alice@example.com")
    old = reactor.run(store.open(principal))
    reactor.run(store.remove(principal))
    with pytest.raises(NoSuchMailbox):
        reactor.run(old.create(MailboxName("late")))
    assert reactor.run(old.mailboxes()) == ()
    assert reactor.run(store.accounts()) == ()
