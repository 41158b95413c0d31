"""
SMTP submission and LMTP: sessions, one module per group of commands.

Entry points: L{trekd.smtp.protocol} (the protocol and its factory), L{trekd.smtp.policy} (who may send as
whom), L{trekd.smtp.replies} (errors to reply codes).
"""
