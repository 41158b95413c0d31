"""
C{trekctl}, the administrator's command.  Entry point: L{trekd.cli.main.main}.
"""
