"""
The store on SQLite: one database per account.

Entry points: L{trekd.store.sqlite.provider.SQLiteStoreProvider} and L{trekd.store.sqlite.store.SQLiteStore}; the
schema is explained in C{trekd/store/SCHEMA.md}.
"""
