"""
What each command does, one module per command or close family; L{trekd.imap.commands.table} joins them.

A command's function takes the session and the command, writes its untagged responses and returns the text of the
tagged one (C{OK ...}), at once or as an awaitable; C{None} says that it answered itself.  Errors it raises are
answered by L{trekd.imap.responses}.
"""
