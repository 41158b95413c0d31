"""
How a command of C{trekctl} fails: one line, or a few, and an exit code.
"""

from __future__ import annotations

OK = 0
FAILED = 1
USAGE = 2
NO_DAEMON = 3


class CommandFailure(Exception):
    """
    What went wrong, for the administrator.

    @ivar lines: without the program's name.
    @ivar status: exit code.
    @ivar code: short and stable, for programs.
    """

    code = "failed"

    def __init__(self, *lines: str, status: int = FAILED) -> None:
        super().__init__(*lines)
        self.lines = lines
        self.status = status


class OperationRefused(CommandFailure):
    """The daemon, or the operation in this process, refused."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(*(text.splitlines() or [code]))
        self.code = code
