"""
Commands about mail to other servers: C{trekctl smtp VERB}, C{trekctl usage}.
"""

from __future__ import annotations

import sys
from getpass import getpass
from typing import Any

from trekd.cli.failures import FAILED, OK, USAGE, CommandFailure
from trekd.cli.output import print_fields, print_json, print_table, time_text
from trekd.cli.session import Session

_SETTINGS = ("host", "port", "tls", "user", "owner", "sender")


def register(commands: Any) -> None:
    """Add the commands to the command line."""
    _register_smtp(commands)
    parser = commands.add_parser("usage", help="what an account sent to other domains, and what it may send")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("address", nargs="?", metavar="ADDRESS")
    who.add_argument("--top", nargs="?", type=int, const=20, metavar="N", help="the N (20) accounts that sent most")
    parser.set_defaults(function=usage)


def _register_smtp(commands: Any) -> None:
    verbs = commands.add_parser("smtp", help="users' own SMTP providers").add_subparsers(metavar="VERB", required=True)
    parser = _with_profile(verbs, "add", add, "test a provider and save it; asks for its password")
    _add_settings(parser, is_new=True)
    parser = _with_profile(verbs, "set", change, "change what is given, keep the rest; tested before it is saved")
    _add_settings(parser, is_new=False)
    verbs.add_parser("list", help="all profiles, who uses them, and how they do").set_defaults(function=list_all)
    _with_profile(verbs, "show", show, "one profile; never its password")
    _with_profile(verbs, "test", test, "connect and log in for real, step by step; no mail is sent")
    parser = _with_profile(verbs, "use", use, "whose mail takes a profile", '; "server": the server\'s own way; '
                           '"inherit": what the domain or the default says')
    subject = parser.add_mutually_exclusive_group(required=True)
    subject.add_argument("--mailbox", metavar="ADDRESS", help="one account")
    subject.add_argument("--domain", metavar="DOMAIN", help="all accounts of a domain without one of their own")
    subject.add_argument("--default", action="store_true", help="all domains without one of their own, new ones too")
    _with_profile(verbs, "remove", remove, "remove a profile that nobody uses")
    verbs.add_parser("rekey", help="seal all passwords with a new key").set_defaults(function=rekey)


def _with_profile(verbs: Any, verb: str, function: Any, text: str, more: str = "") -> Any:
    parser = verbs.add_parser(verb, help=text)
    parser.add_argument("profile", metavar="PROFILE", help=f"its name{more}")
    parser.set_defaults(function=function)
    return parser


def _add_settings(parser: Any, is_new: bool) -> None:
    parser.add_argument("--host", metavar="HOST", required=is_new, help="the provider's server for mail submission")
    parser.add_argument("--port", type=int, metavar="PORT", help="default: 465, 587 with --tls starttls")
    parser.add_argument("--tls", choices=("implicit", "starttls"), help="default: implicit; always verified")
    parser.add_argument("--user", metavar="USER", help="user name at the provider")
    parser.add_argument("--owner", metavar="OWNER", help='who may use it: an address or a domain; "" for everybody')
    parser.add_argument("--sender", metavar="ADDRESS", help='reverse-path of all its mail; "" for the sender\'s own')
    parser.add_argument("--password-stdin", action="store_true", help="read the password from a line of standard input")
    if not is_new:
        parser.add_argument("--password", action="store_true", help="ask for a new password")
    parser.add_argument("--no-test", action="store_true", help="save it without a test")


def add(session: Session) -> int:
    """C{trekctl smtp add}"""
    options = session.options
    body = {"name": options.profile, **_settings(options)}
    if options.user or options.password_stdin:
        body["password"] = _password(options.password_stdin)
    return _saved(session, session.control(needs_daemon=True).ask("POST", ("smtp",), body), "added")


def change(session: Session) -> int:
    """C{trekctl smtp set}"""
    options = session.options
    body = _settings(options)
    if options.password or options.password_stdin:
        body["password"] = _password(options.password_stdin)
    if not body.keys() - {"test"}:
        raise CommandFailure("nothing to change; see trekctl smtp set --help", status=USAGE)
    answer = session.control(needs_daemon=True).ask("PATCH", ("smtp", options.profile), body)
    return _saved(session, answer, "changed")


def list_all(session: Session) -> int:
    """C{trekctl smtp list}"""
    found = session.control(needs_daemon=True).ask("GET", ("smtp",))
    if session.json:
        print_json(found)
        return OK
    titles = ("PROFILE", "OWNER", "SERVER", "TLS", "USER", "USED BY", "STATE")
    print_table(titles, map(_row, found))
    return OK


def show(session: Session) -> int:
    """C{trekctl smtp show}"""
    found = session.control(needs_daemon=True).ask("GET", ("smtp", session.options.profile))
    if session.json:
        print_json(found)
        return OK
    found["used by"] = _users(found.pop("used_by"))
    found["state"] = _state(found)
    del found["lane"], found["problem"]
    print_fields(found)
    return OK


def test(session: Session) -> int:
    """C{trekctl smtp test}; that it does not work is a failure."""
    answer = session.control(needs_daemon=True).ask("POST", ("smtp", session.options.profile, "test"))
    if session.json:
        print_json(answer)
    else:
        _print_steps(answer["steps"])
        print(f"{session.options.profile} {'works' if answer['works'] else 'does not work'}")
    return OK if answer["works"] else FAILED


def use(session: Session) -> int:
    """C{trekctl smtp use}"""
    options = session.options
    body = {"default": True} if options.default else {"mailbox": options.mailbox, "domain": options.domain}
    answer = session.control(needs_daemon=True).ask("POST", ("smtp", options.profile, "use"), body)
    whose = _users([answer["subject"]])[0]
    text = {"server": f"mail of {whose} goes the server's own way", "inherit": f"{whose} has no profile of its own"}
    return _told(session, answer, text.get(options.profile, f"mail of {whose} goes through {options.profile}"))


def remove(session: Session) -> int:
    """C{trekctl smtp remove}"""
    answer = session.control(needs_daemon=True).ask("DELETE", ("smtp", session.options.profile))
    return _told(session, answer, f"removed {session.options.profile}")


def rekey(session: Session) -> int:
    """C{trekctl smtp rekey}; that passwords are lost is a failure."""
    answer = session.control(needs_daemon=True).ask("POST", ("smtp-key",))
    lost = answer["lost"]
    text = f"the passwords of {', '.join(lost)} are lost; set them again: trekctl smtp set PROFILE --password"
    _told(session, answer, text if lost else "all passwords are sealed with a new key")
    return FAILED if lost else OK


def usage(session: Session) -> int:
    """C{trekctl usage}"""
    options, control = session.options, session.control(needs_daemon=True)
    if options.top is not None:
        rows = control.ask("GET", ("usage",), most=str(options.top))
        if session.json:
            print_json(rows)
        else:
            cells = ((each["account"], each["messages"], each["newcomers"]) for each in rows)
            print_table(("ACCOUNT", "MESSAGES IN 24 H", "NEW RECIPIENTS"), cells)
        return OK
    found = control.ask("GET", ("usage", options.address))
    if session.json:
        print_json(found)
        return OK
    print_fields(
        {
            "account": found["account"],
            "plan": found["plan"],
            "messages in the last hour": _of(found["hour"]),
            "messages in 24 hours": _of(found["day"]) + _next(found["messages_free"], "message"),
            "new recipients in 24 hours": _of(found["newcomers"]) + _next(found["newcomers_free"], "new recipient"),
        }
    )
    return OK


def _settings(options: Any) -> dict[str, Any]:
    """What the options say of the profile."""
    body = {name: value for name in _SETTINGS if (value := getattr(options, name)) is not None}
    return {**body, **({"test": False} if options.no_test else {})}


def _saved(session: Session, answer: dict[str, Any], verb: str) -> int:
    """Show the test's steps and what came of it; a profile that does not work is a failure."""
    if session.json:
        print_json(answer)
        return OK if answer["saved"] else FAILED
    _print_steps(answer["steps"])
    if not answer["saved"]:
        raise CommandFailure(f"{session.options.profile} does not work; nothing was saved (--no-test saves it unseen)")
    print(f"{verb} {session.options.profile}")
    return OK


def _print_steps(steps: list[dict[str, Any]]) -> None:
    for step in steps:
        print_fields({("ok  " if step["good"] else "BAD ") + step["step"].ljust(7): step["text"]})


def _row(each: dict[str, Any]) -> tuple[object, ...]:
    server = f"{each['host']}:{each['port']}"
    owner = each["owner"] or "everybody"
    return (each["name"], owner, server, each["tls"], each["user"], _users(each["used_by"]), _state(each))


def _users(subjects: list[str]) -> list[str]:
    return ["the default" if subject == "*" else subject for subject in subjects]


def _state(each: dict[str, Any]) -> str | None:
    """How a profile does, as far as anybody knows."""
    if each["problem"]:
        return f"cannot be used: {each['problem']}"
    lane = each["lane"]
    if not lane:
        return None
    state = "CLOSED" if not lane["open"] else "FAILS" if lane.get("reply") else "open"
    since = f" since {time_text(lane['since'])}" if lane.get("since") else ""
    return f"{state}{since}" + (f": {lane['reply']}" if lane.get("reply") else "")


def _of(counted: dict[str, int]) -> str:
    return f"{counted['used']} of {counted['allowed']}" if counted["allowed"] else f"{counted['used']}, no limit"


def _next(instant: float | None, what: str) -> str:
    return "" if instant is None else f"; the next {what} may go at {time_text(instant)}"


def _told(session: Session, answer: object, text: str) -> int:
    if session.json:
        print_json(answer)
    else:
        print(text)
    return OK


def _password(from_standard_input: bool) -> str:
    """
    Read the provider's password: a line of standard input, or from the terminal without showing it.

    @raise CommandFailure: nobody can be asked.
    """
    if from_standard_input:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise CommandFailure("no terminal to ask for a password on; use --password-stdin", status=USAGE)
    return getpass("Password at the provider: ")
