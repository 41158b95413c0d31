"""
Commands about what happens to an account's incoming mail: C{trekctl forward} and C{trekctl vacation}.
"""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from trekd.cli.failures import OK, CommandFailure
from trekd.cli.output import print_fields, print_json, time_text
from trekd.cli.session import Session


def register(commands: Any) -> None:
    """Add the commands to the command line."""
    verbs = commands.add_parser("forward", help="forward an account's mail").add_subparsers(
        metavar="VERB", required=True
    )
    parser = verbs.add_parser("set", help="forward to other addresses")
    parser.add_argument("address", metavar="ADDRESS")
    parser.add_argument("targets", nargs="+", metavar="TARGET")
    parser.add_argument("--keep", action="store_true", help="keep a copy in the mailbox")
    parser.set_defaults(function=set_forwarding)
    _add_others(verbs, "forwarding", _forwarding_fields)
    verbs = commands.add_parser("vacation", help="answer an account's mail automatically").add_subparsers(
        metavar="VERB", required=True
    )
    parser = verbs.add_parser("set", help="answer with a text")
    parser.add_argument("address", metavar="ADDRESS")
    parser.add_argument("--subject", default="", help="of the answer; without it, Auto: and the message's own")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--text-file", metavar="FILE", help="file with the text, UTF-8")
    source.add_argument("--stdin", action="store_true", help="read the text from standard input")
    parser.add_argument("--from", dest="since", type=_date, metavar="DATE", help="first day (YYYY-MM-DD, UTC)")
    parser.add_argument("--until", type=_date, metavar="DATE", help="last day")
    parser.add_argument("--days", type=int, metavar="N", help="days between two answers to one sender")
    parser.set_defaults(function=set_vacation)
    _add_others(verbs, "vacation", _vacation_fields)


def _add_others(verbs: Any, what: str, fields: Any) -> None:
    """C{show} and C{off}"""
    parser = verbs.add_parser("show", help="what is set, and by whom")
    parser.add_argument("address", metavar="ADDRESS")
    parser.set_defaults(function=show, what=what, fields=fields)
    parser = verbs.add_parser("off", help="end what was set here")
    parser.add_argument("address", metavar="ADDRESS")
    parser.set_defaults(function=off, what=what)


def _date(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no date such as 2026-12-24") from None


def set_forwarding(session: Session) -> int:
    """C{trekctl forward set}"""
    options = session.options
    body = {"targets": options.targets, "keep": options.keep}
    answer = session.control(needs_daemon=True).ask("PUT", ("forwarding", options.address), body)
    return _print(session, answer, _forwarding_fields(answer))


def set_vacation(session: Session) -> int:
    """C{trekctl vacation set}"""
    options = session.options
    body: dict[str, object] = {"text": _text(options), "subject": options.subject}
    if options.since is not None:
        body["since"] = int(options.since.timestamp())
    if options.until is not None:
        # Its last day is a whole one.
        body["until"] = int((options.until + timedelta(days=1)).timestamp())
    if options.days is not None:
        body["days"] = options.days
    answer = session.control(needs_daemon=True).ask("PUT", ("vacation", options.address), body)
    return _print(session, answer, _vacation_fields(answer))


def _text(options: Any) -> str:
    try:
        return sys.stdin.read() if options.stdin else Path(options.text_file).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise CommandFailure(f"{options.text_file or 'standard input'}: not UTF-8") from None
    except OSError as error:
        raise CommandFailure(f"{options.text_file}: {error.strerror}") from None


def show(session: Session) -> int:
    """C{trekctl forward show} and C{trekctl vacation show}"""
    options = session.options
    answer = session.control(needs_daemon=True).ask("GET", (options.what, options.address))
    return _print(session, answer, options.fields(answer))


def off(session: Session) -> int:
    """C{trekctl forward off} and C{trekctl vacation off}"""
    options = session.options
    answer = session.control(needs_daemon=True).ask("DELETE", (options.what, options.address))
    if session.json:
        print_json(answer)
    else:
        print(f"{answer['account']}: nothing set here any more; what the directory says counts")
    return OK


def _print(session: Session, answer: dict[str, Any], fields: dict[str, object]) -> int:
    if session.json:
        print_json(answer)
    else:
        print_fields(fields)
    return OK


def _forwarding_fields(answer: dict[str, Any]) -> dict[str, object]:
    return {
        "account": answer["account"],
        "set by": answer["set_by"] or "nobody",
        "forward to": answer["targets"],
        "copy stays": "yes" if answer["keep"] else "no",
    }


def _vacation_fields(answer: dict[str, Any]) -> dict[str, object]:
    fields: dict[str, object] = {"account": answer["account"], "set by": answer["set_by"] or "nobody"}
    if answer["set_by"]:
        fields["from"] = time_text(answer["since"]) if answer["since"] else "now"
        fields["until"] = time_text(answer["until"]) if answer["until"] else "turned off"
        fields["each sender"] = f"once in {answer['days']} days"
        fields["subject"] = answer["subject"] or "Auto: and the message's own"
        fields["text"] = answer["text"].split("\n")[0]
    return fields
