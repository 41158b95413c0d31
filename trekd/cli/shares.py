"""
Commands about calendars and address books that are shared: C{trekctl share VERB}.
"""

from __future__ import annotations

from typing import Any

from trekd.cli.failures import OK
from trekd.cli.output import print_json, print_table
from trekd.cli.session import Session

_RIGHTS = {"freebusy": "sees when busy", "read": "reads", "write": "reads and writes"}


def register(commands: Any) -> None:
    """Add the commands to the command line."""
    verbs = commands.add_parser("share", help="calendars and address books that accounts share").add_subparsers(
        metavar="VERB", required=True
    )
    parser = verbs.add_parser("list", help="who may do what with an account's")
    parser.add_argument("address", metavar="ADDRESS", help="the owner's")
    parser.set_defaults(function=list_all)
    parser = _with_grantee(verbs, "add", add, "share with an account, or with everybody here")
    parser.add_argument("--right", choices=tuple(_RIGHTS), default="read", help="default: %(default)s")
    _with_grantee(verbs, "remove", remove, "share no longer")


def _with_grantee(verbs: Any, verb: str, function: Any, text: str) -> Any:
    parser = verbs.add_parser(verb, help=text)
    parser.add_argument("address", metavar="ADDRESS", help="the owner's")
    parser.add_argument("collection", metavar="COLLECTION", help="such as calendars/calendar or addressbooks/contacts")
    parser.add_argument("grantee", metavar="GRANTEE", help='an address, or "everybody"')
    parser.set_defaults(function=function)
    return parser


def list_all(session: Session) -> int:
    """C{trekctl share list}"""
    found = session.control(needs_daemon=True).ask("GET", ("shares", session.options.address))
    if session.json:
        print_json(found)
    else:
        rows = ((each["collection"], each["grantee"], _RIGHTS[each["right"]], _place(each)) for each in found)
        print_table(("COLLECTION", "GRANTEE", "RIGHT", "IN THEIR HOME"), rows)
    return OK


def _place(row: dict[str, Any]) -> str:
    return "yes" if row["shown"] else "no"


def add(session: Session) -> int:
    """C{trekctl share add}"""
    options = session.options
    body = {"collection": options.collection, "grantee": options.grantee, "right": options.right}
    answer = session.control(needs_daemon=True).ask("POST", ("shares", options.address), body)
    return _told(session, answer, f"{answer['grantee']} {_RIGHTS[answer['right']]}: {answer['collection']}")


def remove(session: Session) -> int:
    """C{trekctl share remove}"""
    options = session.options
    query = {"collection": options.collection, "grantee": options.grantee}
    answer = session.control(needs_daemon=True).ask("DELETE", ("shares", options.address), **query)
    return _told(session, answer, f"{answer['grantee']} has no right to {answer['collection']} any more")


def _told(session: Session, answer: dict[str, Any], line: str) -> int:
    if session.json:
        print_json(answer)
    else:
        print(line)
    return OK
