"""
The invariants of an account's collections, which SCHEMA.md lists.
"""

from __future__ import annotations

COLLECTION_RULES = (
    (
        "collection {}: items, octets are not those of its items",
        "SELECT name FROM collection LEFT JOIN (SELECT collection AS id, count(*) AS many, sum(size) AS size FROM item"
        " GROUP BY collection) AS found USING (id)"
        " WHERE (items, octets) != (coalesce(many, 0), coalesce(found.size, 0))",
    ),
    (
        "collection {}: modification sequence above the account's, or an item's or removal's above its own",
        "SELECT name FROM collection, account WHERE collection.modseq > account.modseq"
        " OR collection.modseq < (SELECT max(modseq) FROM item WHERE collection = collection.id)"
        " OR collection.modseq < (SELECT max(modseq) FROM removed_item WHERE collection = collection.id)",
    ),
    (
        "collection {} lies in one that does not exist",
        "SELECT name FROM collection WHERE parent IS NOT NULL AND parent NOT IN (SELECT id FROM collection)",
    ),
    (
        "item {} is there and removed",
        "SELECT item.name FROM item JOIN removed_item USING (collection, name)",
    ),
    (
        "item {}: its octets are missing or of another length",
        "SELECT name FROM item LEFT JOIN content ON content.item = item.id"
        " WHERE (file IS NULL AND length(octets) IS NOT size) OR (file IS NOT NULL AND content.item IS NOT NULL)",
    ),
    (
        "{} {} belongs to an item or collection that does not exist",
        "SELECT 'item', name FROM item WHERE collection NOT IN (SELECT id FROM collection)"
        " UNION ALL SELECT 'content', item FROM content WHERE item NOT IN (SELECT id FROM item)"
        " UNION ALL SELECT 'removal', name FROM removed_item WHERE collection NOT IN (SELECT id FROM collection)"
        " UNION ALL SELECT 'span', item FROM span WHERE (item, collection) NOT IN (SELECT id, collection FROM item)"
        " UNION ALL SELECT 'text', item FROM item_text"
        " WHERE (item, collection) NOT IN (SELECT id, collection FROM item)"
        " UNION ALL SELECT 'grant', grantee FROM collection_grant"
        " WHERE collection NOT IN (SELECT id FROM collection)",
    ),
)
"""What to say of each row that a query finds, and the query."""
