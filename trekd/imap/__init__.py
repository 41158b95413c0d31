"""
IMAP4rev1 (RFC 3501) for mail clients.

L{trekd.imap.grammar} turns octets into commands and values into response octets, without I/O; the modules
beside it hold the session: one module per command, the mailbox view, and the protocol that feeds them.
"""
