"""
C{twistd trekmail} (found by L{twisted.plugin}).

Nothing of ours is imported here: twistd loads every plugin on every run.
"""

from twisted.application.service import ServiceMaker

trekmail = ServiceMaker(
    "TrekMail",
    "trekd.service",
    "Mail host: IMAP, submission, reception, calendars and contacts",
    "trekmail",
)
