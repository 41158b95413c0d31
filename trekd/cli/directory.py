"""
Commands about the organisation's directory: C{trekctl directory test|flush}.
"""

from __future__ import annotations

import sys
from typing import Any

from trekd.cli.failures import FAILED, OK
from trekd.cli.output import print_json, print_table
from trekd.cli.session import Session


def register(commands: Any) -> None:
    """Add the commands to the command line."""
    verbs = commands.add_parser("directory", help="the organisation's LDAP directory").add_subparsers(
        metavar="VERB", required=True
    )
    parser = verbs.add_parser("test", help="what it answers for an address, step by step")
    parser.add_argument("address", metavar="ADDRESS")
    parser.add_argument("--password-stdin", action="store_true", help="test the password in a line of standard input")
    parser.set_defaults(function=test)
    parser = verbs.add_parser("flush", help="forget remembered passwords and addresses")
    parser.add_argument("address", nargs="?", metavar="ADDRESS", help="only those of this account")
    parser.set_defaults(function=flush)


def test(session: Session) -> int:
    """C{trekctl directory test}; a login or delivery that would be refused is a failure."""
    options = session.options
    body = {"address": options.address}
    if options.password_stdin:
        body["password"] = sys.stdin.readline().rstrip("\r\n")
    steps = session.control().ask("POST", ("diagnosis",), body)
    if session.json:
        print_json(steps)
    else:
        rows = (("yes" if step["good"] else "NO", step["step"], step["text"]) for step in steps)
        print_table(("GOOD", "STEP", "ANSWER"), rows)
    return OK if all(step["good"] for step in steps) else FAILED


def flush(session: Session) -> int:
    """C{trekctl directory flush}"""
    address = session.options.address
    answer = session.control(needs_daemon=True).ask("POST", ("flush",), {"address": address} if address else {})
    if session.json:
        print_json(answer)
    else:
        print(f"forgot what was remembered of {address or 'all accounts'}")
    return OK
