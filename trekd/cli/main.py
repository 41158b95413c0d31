"""
C{trekctl [--config FILE] [--json] COMMAND ...}: the command line, exit codes, and how failures are told.

Exit codes: 0 done; 1 refused or failed; 2 wrong usage; 3 the daemon cannot be reached.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence

from trekd import __version__
from trekd.cli import (
    accounts,
    certificate,
    directory,
    dkim,
    entries,
    filters,
    mail,
    names,
    outgoing,
    queue,
    server,
    setup,
    shares,
)
from trekd.cli.failures import FAILED, CommandFailure
from trekd.cli.output import print_json
from trekd.cli.session import Session
from trekd.configfile import DEFAULT_CONFIG
from trekd.errors import ConfigFault

INTERRUPTED = 130

_ROOMS = (
    *(setup, accounts, filters, directory, server, certificate, queue, mail, entries, shares, names, outgoing, dkim),
)
"""What has commands, in the order of C{--help}."""

_EPILOG = """\
exit codes: 0 done; 1 refused or failed; 2 wrong usage; 3 the daemon cannot be reached

account, calendar, contacts, dkim, directory test, check, reindex, export and import work on the files when the daemon
is down.
"""


def make_parser() -> ArgumentParser:
    """The command line."""
    parser = ArgumentParser(
        "trekctl", description="Administer TrekMail.", epilog=_EPILOG, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", metavar="FILE", default=DEFAULT_CONFIG, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.add_argument("--debug", action="store_true", help="show what goes on inside, on standard error")
    parser.add_argument("--version", action="version", version=f"trekctl {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in _ROOMS:
        module.register(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run one command.

    @param argv: arguments without the program's name; C{None} is those of this process.
    @return: the exit code.
    """
    options = make_parser().parse_args(argv)
    os.umask(0o077)
    try:
        with Session(options) as session:
            status: int = options.function(session)
            sys.stdout.flush()
            return status
    except CommandFailure as failure:
        return _tell(failure.lines, failure.code, failure.status, options.json)
    except ConfigFault as fault:
        return _tell(fault.complaints, "bad-configuration", FAILED, options.json)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return _tell(("interrupted",), "interrupted", INTERRUPTED, options.json)


def _tell(lines: Sequence[str], code: str, status: int, as_json: bool) -> int:
    """Say what went wrong."""
    for line in lines:
        print(f"trekctl: {line}", file=sys.stderr)
    if as_json:
        print_json({"error": {"code": code, "text": "\n".join(lines)}})
    return status


if __name__ == "__main__":
    sys.exit(main())
