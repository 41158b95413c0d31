"""
Request bodies of WebDAV to frozen values, and elements to octets.  No DTD, no entity, no network, bounded depth.
"""
