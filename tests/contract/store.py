"""
The contract of the store, one suite for every provider.

To run it over a provider, derive a C{Test...} class that has C{make_store}::

    class TestMemoryStore(StoreContract):
        def make_store(self, reactor, directory, reader):
            return MemoryStore(reader, reactor, Limits(self.limits.mailboxes, self.limits.keywords))

Providers that keep what they store have L{DurableStoreContract} too.
"""

from __future__ import annotations

from tests.contract.store_accounts import AccountRules, Durability
from tests.contract.store_annotations import AnnotationRules
from tests.contract.store_changes import ChangeRules
from tests.contract.store_listing import ListingRules
from tests.contract.store_mailboxes import MailboxRules
from tests.contract.store_messages import MessageRules
from tests.contract.store_search import SearchRules


class StoreContract(
    AccountRules, MailboxRules, AnnotationRules, MessageRules, ChangeRules, ListingRules, SearchRules
):
    """What every store does."""


class DurableStoreContract(StoreContract, Durability):
    """What a store does that survives its process."""
