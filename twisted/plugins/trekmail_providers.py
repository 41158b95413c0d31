"""
The stores, directories and content scanners that come with TrekMail, found by name like anybody else's (DESIGN §3).
"""

from trekd.directory.ldap.provider import LDAPDirectoryProvider
from trekd.directory.local.provider import LocalDirectoryProvider
from trekd.smtp.rspamd import RspamdProvider
from trekd.store.memory.provider import MemoryStoreProvider
from trekd.store.sqlite.provider import SQLiteStoreProvider

ldap_directory = LDAPDirectoryProvider()
local_directory = LocalDirectoryProvider()
memory_store = MemoryStoreProvider()
sqlite_store = SQLiteStoreProvider()
rspamd_filter = RspamdProvider()
