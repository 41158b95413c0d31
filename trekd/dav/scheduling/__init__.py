"""
Scheduling (RFC 6638, RFC 6047): invitations and answers, between accounts of this host and by mail.

What changes come to is L{trekd.calendar}'s; here they are seen, delivered, and made durable.  Entry points:
L{trekd.dav.scheduling.rows.ROWS}, L{trekd.dav.scheduling.scheduler.Scheduler}.
"""
