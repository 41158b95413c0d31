"""
The reports of the core (RFC 3253 §3.6), one module each; L{trekd.dav.tree} has the table.
"""
