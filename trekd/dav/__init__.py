"""
WebDAV: collections and items of accounts over HTTPS.

L{trekd.dav.resource} is what the web site mounts, L{trekd.dav.tree} joins the tables of methods, properties, reports
and kinds of collections.
"""
