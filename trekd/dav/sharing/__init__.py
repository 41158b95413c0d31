"""
Who else may see and change a calendar or an address book (RFC 3744), and where it is shown.

The owner's grants are the one truth; a mount in the other's home shows a collection for as long as they last.
L{shares.share <trekd.dav.sharing.shares.share>} makes both, for the ACL method, for Apple's sharing by invitation and
for C{calendar-proxy}; L{rows.ROWS <trekd.dav.sharing.rows.ROWS>} adds all of it to the tables.
"""
