"""
Contacts (CardDAV, RFC 6352): what an address book takes, shows and answers.  Entry point: L{trekd.dav.contacts.rows}.
"""
