"""
The organisation's LDAP directory (RFC 4511), through ldap3 in a few threads of its own.

Entry points: L{trekd.directory.ldap.directory.LDAPDirectory}, made for the configuration by
L{trekd.directory.ldap.provider.LDAPDirectoryProvider}.  What blocks is in the other modules and runs in the pool's
threads: L{failover<trekd.directory.ldap.failover>} chooses a server, L{connection<trekd.directory.ldap.connection>}
talks to it, L{lookup<trekd.directory.ldap.lookup>} asks the questions, L{mapping<trekd.directory.ldap.mapping>} turns
entries into accounts.
"""
