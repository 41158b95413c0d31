"""
SMTP's octets without I/O: command lines, arguments, message data, replies.

Entry points: L{trekd.smtp.grammar.reader} (lines), L{trekd.smtp.grammar.data} (DATA and BDAT),
L{trekd.smtp.grammar.commands} (a line to a request), L{trekd.smtp.grammar.reply} (a reply to octets).
"""
