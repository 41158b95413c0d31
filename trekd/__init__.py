"""
TrekMail: IMAP, mail submission and reception, CalDAV and CardDAV in one Twisted daemon.

Entry points: L{trekd.service} (what C{twistd trekmail} starts) and L{trekd.cli} (C{trekctl}).
"""

__version__ = "0.1.0"
