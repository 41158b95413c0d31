"""
The methods of WebDAV, one module each; L{trekd.dav.tree} has the table.
"""
