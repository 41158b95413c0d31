"""
Commands about accounts of the embedded directory: C{trekctl account VERB}.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from getpass import getpass
from typing import Any

from trekd.cli.failures import OK, USAGE, CommandFailure
from trekd.cli.output import ProgressBar, print_fields, print_json, print_table, size_text
from trekd.cli.session import Session
from trekd.directory.interfaces import NewAccount, is_possible_password
from trekd.directory.local.batch import read_accounts, read_quota
from trekd.errors import ConfigFault, SyntaxFault

_OF_THE_PLAN = "plan"
"""What C{--quota} takes for the plan's quota."""


def register(commands: Any) -> None:
    """Add the commands to the command line."""
    verbs = commands.add_parser("account", help="accounts of the embedded directory").add_subparsers(
        metavar="VERB", required=True
    )
    parser = _with_address(verbs, "add", add, "add an account; asks for its password")
    _add_fields(parser)
    _add_password(parser)
    verbs.add_parser("list", help="all accounts").set_defaults(function=list_all)
    _with_address(verbs, "show", show, "one account")
    _add_password(_with_address(verbs, "passwd", change_password, "change a password; asks for it"))
    parser = _with_address(verbs, "set", change, "change what is given, keep the rest")
    _add_fields(parser)
    parser.add_argument("--alias", action="append", metavar="ADDRESS", help='all aliases, repeated; "" for none')
    parser.add_argument("--sender", action="append", metavar="ADDRESS", help='further senders, repeated; "" for none')
    parser.add_argument("--status", choices=("active", "suspended", "disabled"))
    parser.add_argument("--subscription", metavar="ID", help="accounts with the same one may share connections")
    _with_address(verbs, "suspend", suspend, "no login; mail is kept and still arrives; ends its sessions")
    _with_address(verbs, "resume", resume, "let a suspended or disabled account log in again")
    parser = _with_address(verbs, "remove", remove, "remove an account; its mail stays unless --delete-mail")
    parser.add_argument("--delete-mail", action="store_true", help="delete its mail too, for good")
    parser = verbs.add_parser("import", help="add accounts from a CSV file, all or none")
    parser.add_argument("file", metavar="FILE", help="first line: address,password,plan,quota,name")
    parser.set_defaults(function=import_file)


def _with_address(verbs: Any, verb: str, function: Any, text: str) -> Any:
    parser = verbs.add_parser(verb, help=text)
    parser.add_argument("address", metavar="ADDRESS")
    parser.set_defaults(function=function)
    return parser


def _add_fields(parser: Any) -> None:
    parser.add_argument("--plan", metavar="PLAN")
    parser.add_argument("--quota", metavar="SIZE", help='such as 500MB, 5GB; 0 = no limit; "plan" = the plan\'s')
    parser.add_argument("--name", metavar="NAME", help="display name")


def _add_password(parser: Any) -> None:
    parser.add_argument("--password-stdin", action="store_true", help="read the password from a line of standard input")


def add(session: Session) -> int:
    """C{trekctl account add}"""
    options = session.options
    fields = _fields(options)
    password = _new_password(options.password_stdin)
    control = session.control()
    account = {"address": options.address, "password": password, **fields}
    *_, last = control.follow("POST", ("accounts",), {"accounts": [account]})
    address = last["added"][0]
    return _told(session, control.ask("GET", ("accounts", address)), f"added {address}")


def list_all(session: Session) -> int:
    """C{trekctl account list}"""
    accounts = session.control().ask("GET", ("accounts",))
    if session.json:
        print_json(accounts)
        return OK
    rows = ((each["address"], each["plan"], each["status"], _quota_text(each), each["name"]) for each in accounts)
    print_table(("ADDRESS", "PLAN", "STATUS", "QUOTA", "NAME"), rows)
    return OK


def show(session: Session) -> int:
    """C{trekctl account show}"""
    account = session.control().ask("GET", ("accounts", session.options.address))
    if session.json:
        print_json(account)
        return OK
    limit = account.pop("effective_quota")
    whose = " (plan)" if account["quota"] is None else ""
    account["quota"] = f"{size_text(limit) if limit else 'no limit'}{whose}"
    if "octets" in account:
        used, messages = account.pop("octets"), account.pop("messages")
        share = f" ({100 * used // limit}%)" if limit else ""
        account["used"] = f"{size_text(used)}{share} in {messages} messages"
    print_fields(account)
    return OK


def change_password(session: Session) -> int:
    """C{trekctl account passwd}"""
    control = session.control()
    address = control.ask("GET", ("accounts", session.options.address))["address"]
    control.ask("PUT", ("accounts", address, "password"), {"password": _new_password(session.options.password_stdin)})
    return _told(session, {"address": address}, f"changed the password of {address}")


def change(session: Session) -> int:
    """C{trekctl account set}"""
    options = session.options
    fields = _fields(options)
    for key, values in (("aliases", options.alias), ("senders", options.sender)):
        if values is not None:
            fields[key] = [value for value in values if value]
    fields.update({key: value for key in ("status", "subscription") if (value := getattr(options, key)) is not None})
    if not fields:
        raise CommandFailure("nothing to change; see trekctl account set --help", status=USAGE)
    return _change(session, fields, "changed")


def suspend(session: Session) -> int:
    """C{trekctl account suspend}"""
    return _change(session, {"status": "suspended"}, "suspended")


def resume(session: Session) -> int:
    """C{trekctl account resume}"""
    return _change(session, {"status": "active"}, "resumed")


def remove(session: Session) -> int:
    """C{trekctl account remove}"""
    query = {"with_mail": "1"} if session.options.delete_mail else {}
    answer = session.control().ask("DELETE", ("accounts", session.options.address), **query)
    return _told(session, answer, f"removed {session.options.address}{_ended(answer)}")


def import_file(session: Session) -> int:
    """C{trekctl account import}"""
    body = {"accounts": [_as_json(account) for account in _read_file(session)]}
    added: list[str] = []
    with ProgressBar("adding accounts", len(body["accounts"])) as bar:
        for step in session.control().follow("POST", ("accounts",), body):
            bar.reach(step.get("done", 0))
            added = step.get("added", added)
    return _told(session, {"added": added}, f"added {len(added)} accounts")


def _read_file(session: Session) -> tuple[NewAccount, ...]:
    """The accounts of the CSV file; every fault is a line of its own."""
    path, config = session.options.file, session.config()
    domains = config.server.domains
    try:
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
        plans = frozenset(config.plans)
        default = config.directory.local.default_plan
        return read_accounts(text, default, plans, lambda domain: domain in domains or "*" in domains)
    except OSError as fault:
        raise CommandFailure(f"{path}: {fault.strerror}") from None
    except UnicodeDecodeError:
        raise CommandFailure(f"{path}: is not UTF-8 text") from None
    except ConfigFault as fault:
        raise CommandFailure(*(f"{path}:{complaint}" for complaint in fault.complaints), "nothing was added") from None


def _as_json(account: NewAccount) -> dict[str, Any]:
    fields = asdict(account)
    fields["address"] = str(account.address)
    fields["name"] = fields.pop("display_name")
    return fields


def _change(session: Session, fields: dict[str, Any], verb: str) -> int:
    account = session.control().ask("PATCH", ("accounts", session.options.address), fields)
    return _told(session, account, f"{verb} {account['address']}{_ended(account)}")


def _told(session: Session, answer: object, text: str) -> int:
    if session.json:
        print_json(answer)
    else:
        print(text)
    return OK


def _ended(answer: dict[str, Any]) -> str:
    return f"; ended {answer['sessions_ended']} of its sessions" if answer.get("sessions_ended") else ""


def _fields(options: Any) -> dict[str, Any]:
    """What C{--plan}, C{--quota} and C{--name} say."""
    fields: dict[str, Any] = {}
    if options.plan is not None:
        fields["plan"] = options.plan
    if options.name is not None:
        fields["name"] = options.name
    if options.quota is not None:
        try:
            fields["quota"] = None if options.quota == _OF_THE_PLAN else read_quota(options.quota)
        except SyntaxFault as fault:
            raise CommandFailure(fault.rule) from None
    return fields


def _quota_text(account: dict[str, Any]) -> str | None:
    if account["quota"] is None:
        return _OF_THE_PLAN
    return size_text(account["quota"]) if account["quota"] else "no limit"


def _new_password(from_standard_input: bool) -> str:
    """
    Read a password: a line of standard input, or twice from the terminal without showing it.

    @raise CommandFailure: nobody can have it, or the two differ.
    """
    if from_standard_input:
        password = sys.stdin.readline().rstrip("\r\n")
    elif not sys.stdin.isatty():
        raise CommandFailure("no terminal to ask for a password on; use --password-stdin", status=USAGE)
    else:
        password = getpass("Password: ")
        if getpass("Again: ") != password:
            raise CommandFailure("the two passwords differ; nothing was changed")
    if not is_possible_password(password):
        raise CommandFailure("a password has 1 to 1024 octets and no NUL; nothing was changed")
    return password
