"""
Calendars over WebDAV: CalDAV (RFC 4791).  L{trekd.dav.calendars.rows} has all that it adds to the core's tables.
"""
