"""
The SMTP commands, a module for each group of them.

Entry point: L{trekd.smtp.commands.table}.
"""
