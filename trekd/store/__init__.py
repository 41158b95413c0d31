"""
The message store: contract in L{trekd.store.interfaces}; providers C{memory} and C{sqlite}.
"""
