"""
The directory of accounts: contract in L{trekd.directory.interfaces}; providers C{local} and C{ldap}.
"""
