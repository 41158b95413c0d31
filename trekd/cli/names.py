"""
Commands about names: C{dns}, C{tls-policy}.
"""

from __future__ import annotations

from typing import Any

from trekd.cli.failures import FAILED, OK
from trekd.cli.output import print_json, print_table
from trekd.cli.session import Session

MAX_STRING = 255
"""Octets of one string of a TXT record (RFC 1035 §3.3)."""


def register(commands: Any) -> None:
    """Add the commands to the command line."""
    parser = commands.add_parser("dns", help="the DNS records that a domain needs")
    parser.add_argument("domain", metavar="DOMAIN")
    parser.add_argument("--check", action="store_true", help="compare with what is published")
    parser.set_defaults(function=dns)
    parser = commands.add_parser("tls-policy", help="what TLS mail to a domain demands, and how it went")
    parser.add_argument("domain", metavar="DOMAIN")
    parser.set_defaults(function=tls_policy)


def dns(session: Session) -> int:
    """C{trekctl dns}; with C{--check} a record that is not as it should be is a failure."""
    options = session.options
    query = {"check": "yes"} if options.check else {}
    found = session.control().ask("GET", ("dns", options.domain), **query)
    records = found["records"]
    if session.json:
        print_json(found)
    elif options.check:
        print_table(("GOOD", "NAME", "TYPE", "WANTED", "FOUND"), map(_compared, records))
    else:
        _print_zone(found)
    return OK if all(record.get("good", True) for record in records) else FAILED


def _compared(record: dict[str, Any]) -> tuple[object, ...]:
    values = record["found"]
    shown = "no answer" if values is None else values
    good = "NO" if not record["good"] else "yes" if values else "none needed"
    return (good, record["name"], record["type"], record["value"], shown)


def _print_zone(found: dict[str, Any]) -> None:
    """Lines for a zone file."""
    for record in found["records"]:
        value = _strings(record["value"]) if record["type"] == "TXT" else record["value"]
        purpose = record["purpose"] + (" (optional)" if record["optional"] else "")
        print(f"{record['name']}. IN {record['type']} {value} ; {purpose}")
    if not found["dkim"]:
        print(f"; DKIM: {found['domain']} has no key yet; see trekctl dkim")
    print(f"; https://mta-sts.{found['domain']}/.well-known/mta-sts.txt is served by this host's https listener:")
    for line in found["mta_sts_policy"].splitlines():
        print(f";   {line}")


def _strings(text: str) -> str:
    """A TXT record's text in quotes, in pieces that fit."""
    pieces = [text[start : start + MAX_STRING] for start in range(0, len(text), MAX_STRING)]
    return " ".join('"' + piece.replace("\\", "\\\\").replace('"', '\\"') + '"' for piece in pieces)


def tls_policy(session: Session) -> int:
    """C{trekctl tls-policy}"""
    found = session.control(needs_daemon=True).ask("GET", ("tls-policy", session.options.domain))
    if session.json:
        print_json(found)
        return OK
    print_table(("EXCHANGER", "TLS", "BY", "CERTIFICATE"), map(_demanded, found["exchangers"]))
    if found["sessions"]:
        print()
        columns = ("day", "exchanger", "policy", "result", "sessions")
        print_table(
            tuple(map(str.upper, columns)), ([one[column] for column in columns] for one in found["sessions"])
        )
    return OK


def _demanded(row: dict[str, Any]) -> tuple[object, ...]:
    if "error" in row:
        return (row["exchanger"], row["error"], None, None)
    security = "not used: the policy does not name it" if row["excluded"] else row["security"]
    certificate = [*(f"TLSA {one}" for one in row["records"]), *row["names"]]
    return (row["exchanger"], security, row["policy"] + (" (testing)" if row["testing"] else ""), certificate)
