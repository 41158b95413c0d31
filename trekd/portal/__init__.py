"""
Logging in and counting connections: contract in L{trekd.portal.interfaces}.
"""
