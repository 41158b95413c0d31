"""
Commands about mail that waits: C{trekctl queue list|show|hold|release|retry|drop|suppressions}.
"""

from __future__ import annotations

import shutil
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from trekd.cli.failures import FAILED, OK, CommandFailure
from trekd.cli.output import print_fields, print_json, print_table, size_text, span_text, time_text
from trekd.cli.session import Session

_LIMIT = 1000
_REPLY_WIDTH = 60
"""Columns of a last reply where they are not a terminal's."""


def register(commands: Any) -> None:
    """Add the commands to the command line."""
    verbs = commands.add_parser("queue", help="mail that waits").add_subparsers(metavar="VERB", required=True)
    parser = verbs.add_parser("list", help="what waits, oldest first")
    _add_filters(parser)
    parser.add_argument("--limit", type=int, default=_LIMIT, metavar="N", help="at most so many (default: %(default)s)")
    parser.set_defaults(function=list_entries)
    parser = verbs.add_parser("show", help="one message: its recipients, their last replies, its header")
    parser.add_argument("id", metavar="ID", help="of a message, or the number of a line of the list")
    parser.set_defaults(function=show)
    for verb, text in _VERBS.items():
        parser = verbs.add_parser(verb, help=text)
        parser.add_argument("ids", nargs="*", metavar="ID", help="of messages, or numbers of lines of the list")
        parser.add_argument("--all", action="store_true", help="everything that waits")
        _add_filters(parser)
        if verb == "hold":
            parser.add_argument("--why", default="", metavar="TEXT", help="a remark that the list shows")
        parser.set_defaults(function=_changing(verb))
    kinds = verbs.add_parser("suppressions", help="addresses that bounced and are refused for a while").add_subparsers(
        metavar="VERB", required=True
    )
    parser = kinds.add_parser("list", help="the latest first")
    parser.add_argument("--account", metavar="ADDRESS", help="only those of this account")
    parser.set_defaults(function=list_suppressions)
    parser = kinds.add_parser("remove", help="let accounts write there again")
    parser.add_argument("address", nargs="?", metavar="ADDRESS", help="the address that bounced")
    parser.add_argument("--account", metavar="ADDRESS", help="only for this account")
    parser.add_argument("--all", action="store_true", help="every address")
    parser.set_defaults(function=remove_suppressions)


_VERBS = {
    "hold": "try no more until released",
    "release": "let held mail go on, at once",
    "retry": "try now what waits for a later time",
    "drop": "remove without a word to anybody",
}
_DONE = {"hold": "held", "release": "released", "retry": "to be tried now", "drop": "dropped"}


def _add_filters(parser: ArgumentParser) -> None:
    parser.add_argument("--lane", metavar="LANE", help="such as mx:example.com, smarthost, profile:NAME or local")
    parser.add_argument("--sender", metavar="WHO", help="an address or a domain: reverse-path or submitting account")
    parser.add_argument("--recipient", metavar="WHO", help="an address or a domain")
    parser.add_argument("--held", action="store_const", const=True, help="only what is held")


def _filters(session: Session) -> dict[str, Any]:
    options = session.options
    found = {key: getattr(options, key) for key in ("lane", "sender", "recipient", "held")}
    return {key: value for key, value in found.items() if value is not None}


def list_entries(session: Session) -> int:
    """C{trekctl queue list}"""
    query = {key: "yes" if value is True else str(value) for key, value in _filters(session).items()}
    query["limit"] = str(max(1, session.options.limit))
    found = session.control(needs_daemon=True).ask("GET", ("queue",), **query)
    if session.json:
        print_json(found)
        return OK
    now, width = time.time(), _reply_width()
    titles = ("NUMBER", "LANE", "WAITS", "NEXT TRY", "TRIES", "SIZE", "FROM", "TO", "LAST REPLY")
    print_table(titles, (_row(one, now, width) for one in found["entries"]))
    troubled = [lane for lane in found["lanes"] if lane["closed"] or lane["rests_until"]]
    if troubled:
        print()
        print_table(("LANE", "STATE", "BECAUSE"), (_lane_row(lane, now) for lane in troubled))
    return OK


def _reply_width() -> int:
    """What a terminal leaves for the last column."""
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    return max(20, columns - 100) if columns else _REPLY_WIDTH


def _row(one: dict[str, Any], now: float, width: int) -> tuple[object, ...]:
    reply = f"{one['host']}: {one['reply']}" if one["host"] else one["reply"]
    if one["held"]:
        reply = one["held"]
    return (
        one["number"],
        one["lane"],
        span_text(max(0.0, now - one["arrived"])),
        _next_try(one, now),
        one["attempts"],
        size_text(one["size"]),
        one["sender"] or "<>",
        one["recipient"],
        reply if len(reply) <= width else f"{reply[: width - 3]}...",
    )


def _next_try(one: dict[str, Any], now: float) -> str:
    if one["held_by"]:
        return "held" if one["held_by"] == "operator" else "lane closed"
    wait = one["due"] - now
    return f"in {span_text(wait)}" if wait >= 1 else "now"


def _lane_row(lane: dict[str, Any], now: float) -> tuple[object, ...]:
    rests = lane["rests_until"]
    state = "closed" if lane["closed"] else f"rests for {span_text(max(0.0, rests - now))}"
    return lane["lane"], state, lane["closed"] or lane["failure"]


def show(session: Session) -> int:
    """C{trekctl queue show}"""
    found = session.control(needs_daemon=True).ask("GET", ("queue", session.options.id))
    if session.json:
        print_json(found)
        return OK
    first = found["entries"][0]
    now = time.time()
    print_fields(
        {
            "message": first["message"],
            "from": first["sender"] or "<>",
            "account": first["account"],
            "size": size_text(first["size"]),
            "arrived": f"{time_text(first['arrived'])} ({span_text(max(0.0, now - first['arrived']))} ago)",
            "not before": first["hold_until"] and time_text(first["hold_until"]),
        }
    )
    for one in found["entries"]:
        print()
        said = f"{one['host']} said: {one['reply']}" if one["host"] else one["reply"]
        print_fields(
            {
                "number": one["number"],
                "to": one["recipient"],
                "lane": one["lane"],
                "next try": _next_try(one, now),
                "tries": one["attempts"],
                "last try": one["last_attempt"] and time_text(one["last_attempt"]),
                "last reply": said,
                "held": one["held"],
                "told of delay": "yes" if one["sender_told_of_delay"] else "no",
            }
        )
    print()
    for line in found["header"].splitlines():
        print("".join(one if one.isprintable() else " " for one in line))
    return OK


def _changing(verb: str) -> Callable[[Session], int]:
    def change(session: Session) -> int:
        options = session.options
        filters = _filters(session)
        if bool(options.ids) + bool(filters) + options.all != 1:
            raise CommandFailure(f"name what to {verb}: identifiers, or filters, or --all", status=2)
        selections = [{"message": id} for id in options.ids] or [filters]
        control = session.control(needs_daemon=True)
        more = {"why": options.why} if verb == "hold" else {}
        answers = [control.ask("POST", ("queue", verb), {"select": one, **more}) for one in selections]
        changed = sum(answer["changed"] for answer in answers)
        if session.json:
            print_json({"changed": changed})
        elif changed:
            print(f"{changed} {'copies' if changed > 1 else 'copy'} {_DONE[verb]}")
        else:
            raise CommandFailure(f"there is nothing to {verb}")
        return OK if changed else FAILED

    return change


def list_suppressions(session: Session) -> int:
    """C{trekctl queue suppressions list}"""
    query = {"account": session.options.account} if session.options.account else {}
    found = session.control(needs_daemon=True).ask("GET", ("suppressions",), **query)
    if session.json:
        print_json(found)
    else:
        rows = (
            (one["account"], one["address"], time_text(one["since"]), time_text(one["until"]), one["reply"])
            for one in found
        )
        print_table(("ACCOUNT", "ADDRESS", "SINCE", "UNTIL", "REPLY"), rows)
    return OK


def remove_suppressions(session: Session) -> int:
    """C{trekctl queue suppressions remove}; that there is none is a failure."""
    options = session.options
    query = {key: value for key in ("address", "account") if (value := getattr(options, key))}
    if bool(query) == options.all:
        raise CommandFailure("name an address, an account, or --all", status=2)
    answer = session.control(needs_daemon=True).ask("DELETE", ("suppressions",), **query)
    removed = answer["removed"]
    if session.json:
        print_json(answer)
    elif removed:
        print(f"removed {removed} suppression{'s' if removed > 1 else ''}")
    else:
        raise CommandFailure("there is no such suppression")
    return OK if removed else FAILED
