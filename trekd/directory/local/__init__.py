"""
The embedded directory: accounts in one SQLite file, passwords as Argon2id.

Entry points: L{trekd.directory.local.directory.LocalDirectory}, made for the configuration by
L{trekd.directory.local.provider.LocalDirectoryProvider}; L{trekd.directory.local.batch} reads CSV.
"""
