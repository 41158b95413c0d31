"""
The contract of calendars, address books and files, as a suite for every provider of collections.
"""

from __future__ import annotations

from tests.contract.collectioncase import CollectionCase
from tests.contract.collectionquestions import QuestionRules
from tests.contract.collectionsharing import SharingRules
from tests.contract.collectiontree import TreeRules
from tests.contract.items import ItemRules


class CollectionsContract(TreeRules, ItemRules, QuestionRules, SharingRules, CollectionCase):
    """All of it."""
