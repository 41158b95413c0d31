"""
Commands about the daemon: C{status}, C{sessions}, C{limits}, C{kick}, C{reload}, C{failures}, C{check-config}.
"""

from __future__ import annotations

import time
from typing import Any

from trekd.cli.failures import FAILED, OK, CommandFailure
from trekd.cli.output import print_fields, print_json, print_table, size_text, span_text, time_text
from trekd.cli.session import Session


def register(commands: Any) -> None:
    """Add the commands to the command line."""
    commands.add_parser("status", help="what runs").set_defaults(function=status)
    parser = commands.add_parser("sessions", help="connections, oldest first")
    parser.add_argument("address", nargs="?", metavar="ADDRESS", help="only those of this account")
    parser.set_defaults(function=sessions)
    parser = commands.add_parser("limits", help="connection slots taken and allowed, and the last refusals")
    parser.add_argument("address", nargs="?", metavar="ADDRESS", help="only those of this account, by network address")
    parser.set_defaults(function=limits)
    parser = commands.add_parser("kick", help="end a session, or all of an account")
    parser.add_argument("who", metavar="SESSION|ADDRESS")
    parser.set_defaults(function=kick)
    commands.add_parser("reload", help="read configuration and certificates again").set_defaults(function=reload)
    parser = commands.add_parser("failures", help="failed logins that count, by network address and by account")
    parser.add_argument("--forgive", metavar="WHO", help='one address or account, or "all": theirs count no longer')
    parser.set_defaults(function=failures)
    commands.add_parser("check-config", help="look for mistakes in the configuration").set_defaults(
        function=check_config
    )


def status(session: Session) -> int:
    """C{trekctl status}"""
    facts = session.control(needs_daemon=True).ask("GET", ("status",))
    if session.json:
        print_json(facts)
        return OK
    counted = facts.pop("sessions")
    shown = {name.replace("_", " "): value for name, value in facts.items()}
    if isinstance(started := facts.get("started"), (int, float)):
        shown["started"] = f"{time_text(started)} (up {span_text(time.time() - started)})"
    if isinstance(listeners := facts.get("listeners"), list):
        shown["listeners"] = [f"{name} on {endpoint}" for name, endpoint in listeners]
    if isinstance(servers := facts.get("directory"), list):
        shown["directory"] = [f"{uri} is down: {fault}" if fault else f"{uri} is up" for uri, fault in servers]
    services = ", ".join(f"{name} {count}" for name, count in counted["services"].items())
    shown["sessions"] = f"{counted['total']}, {counted['logged_in']} logged in" + (f" ({services})" if services else "")
    print_fields(shown)
    return OK


def sessions(session: Session) -> int:
    """C{trekctl sessions}"""
    query = {"address": session.options.address} if session.options.address else {}
    found = session.control(needs_daemon=True).ask("GET", ("sessions",), **query)
    if session.json:
        print_json(found)
    else:
        titles = ("SESSION", "SERVICE", "ACCOUNT", "FROM", "SINCE", "IDLE", "MAILBOX", "IN", "OUT", "CLIENT")
        print_table(titles, map(_row, found))
    return OK


def _row(each: dict[str, Any]) -> tuple[object, ...]:
    return (
        each["session"],
        each["service"],
        each["account"],
        each["peer"] or "local",
        time_text(each["since"]),
        span_text(each.get("idle")),
        each.get("mailbox"),
        size_text(each.get("octets_in")),
        size_text(each.get("octets_out")),
        each.get("client"),
    )


def limits(session: Session) -> int:
    """C{trekctl limits}"""
    query = {"address": session.options.address} if session.options.address else {}
    found = session.control(needs_daemon=True).ask("GET", ("limits",), **query)
    if session.json:
        print_json(found)
        return OK
    print_table(("ACCOUNT", "PLAN", "IN ALL", "FROM ONE ADDRESS", "ADDRESS"), map(_used, found["usage"]))
    if query:
        for usage in found["usage"]:
            for prefix, used in list(usage["by_prefix"].items())[1:]:
                print(f"also {_of(used, usage['allowed_per_ip'])} from {prefix}")
    if found["refusals"]:
        print()
        rows = found["refusals"][:_REFUSALS_SHOWN]
        titles = ("REFUSED AT", "SERVICE", "ACCOUNT", "FROM", "BECAUSE")
        print_table(titles, ((time_text(one["time"]), *map(one.get, _REFUSAL_FIELDS)) for one in rows))
    return OK


_REFUSALS_SHOWN = 20
_REFUSAL_FIELDS = ("service", "principal", "peer", "reason")


def _used(usage: dict[str, Any]) -> tuple[object, ...]:
    """A row: the address shown is the one that takes most."""
    prefix, used = next(iter(usage["by_prefix"].items()), (None, 0))
    return (
        usage["owner"],
        usage["plan"],
        _of(usage["used"], usage["allowed"]),
        _of(used, usage["allowed_per_ip"]),
        prefix,
    )


def _of(used: int, allowed: int) -> str:
    return f"{used} of {allowed}" if allowed else f"{used}, no limit"


def kick(session: Session) -> int:
    """C{trekctl kick}; that there is nobody to kick is a failure."""
    who = session.options.who
    body = {"address": who} if "@" in who else {"session": who}
    answer = session.control(needs_daemon=True).ask("POST", ("kick",), body)
    count = answer["kicked"]
    if session.json:
        print_json(answer)
    elif count:
        print(f"ended {count} session{'s' if count > 1 else ''}")
    else:
        raise CommandFailure(f"there is no session of {who}")
    return OK if count else FAILED


def reload(session: Session) -> int:
    """C{trekctl reload}"""
    answer = session.control(needs_daemon=True).ask("POST", ("reload",))
    if session.json:
        print_json(answer)
        return OK
    print(f"now in force: {', '.join(answer['taken']) or 'nothing new'}")
    if answer["restart"]:
        print(f"changed, but needs a restart: {', '.join(answer['restart'])}")
    return OK


def failures(session: Session) -> int:
    """C{trekctl failures}"""
    control = session.control(needs_daemon=True)
    if (forgiven := session.options.forgive) is not None:
        control.ask("DELETE", ("failures",), **({} if forgiven == "all" else {"of": forgiven}))
    counted = control.ask("GET", ("failures",))
    if session.json:
        print_json(counted)
    else:
        print_table(("FAILURES", "OF"), sorted(((count, who) for who, count in counted.items()), reverse=True))
    return OK


def check_config(session: Session) -> int:
    """C{trekctl check-config}; mistakes are told on standard error like every failure."""
    session.config()
    if session.json:
        print_json({"config": session.options.config, "complaints": []})
    else:
        print(f"{session.options.config}: no mistakes found")
    return OK
