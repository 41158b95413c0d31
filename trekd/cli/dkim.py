"""
Commands about the keys that mail is signed with: C{trekctl dkim create|list|show|use|remove}.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from trekd.cli.failures import FAILED, OK
from trekd.cli.output import print_json, print_table, time_text
from trekd.cli.session import Session

_ALGORITHMS = {"rsa": ("rsa",), "ed25519": ("ed25519",), "both": ("rsa", "ed25519")}
_STRING = 255
"""Octets of one string of a TXT record (RFC 1035 §3.3.14)."""


def register(commands: Any) -> None:
    """Add the commands to the command line."""
    verbs = commands.add_parser("dkim", help="keys that mail is signed with").add_subparsers(
        metavar="VERB", required=True
    )
    parser = verbs.add_parser("create", help="make keys; the first of a domain sign at once")
    parser.add_argument("domain", metavar="DOMAIN")
    parser.add_argument("--selector", metavar="NAME", help="default: today's date and the algorithm")
    parser.add_argument("--algorithm", choices=_ALGORITHMS, default="both", help="default: %(default)s")
    parser.set_defaults(function=create)
    parser = verbs.add_parser("list", help="all keys")
    parser.add_argument("domain", nargs="?", metavar="DOMAIN", help="only those of this domain")
    parser.set_defaults(function=list_keys)
    parser = verbs.add_parser("show", help="the DNS records of a domain's keys, as a zone file has them")
    parser.add_argument("domain", metavar="DOMAIN")
    parser.set_defaults(function=show)
    parser = verbs.add_parser("use", help="sign with this key from now on")
    parser.add_argument("domain", metavar="DOMAIN")
    parser.add_argument("selector", metavar="SELECTOR")
    parser.set_defaults(function=use)
    parser = verbs.add_parser("remove", help="remove a key, for good")
    parser.add_argument("domain", metavar="DOMAIN")
    parser.add_argument("selector", metavar="SELECTOR")
    parser.set_defaults(function=remove)


def create(session: Session) -> int:
    """C{trekctl dkim create}"""
    options = session.options
    algorithms = _ALGORITHMS[options.algorithm]
    base = options.selector or datetime.now(UTC).strftime("%Y%m%d")
    made = []
    for algorithm in algorithms:
        is_exact = options.selector and len(algorithms) == 1
        body = {
            "domain": options.domain,
            "selector": base if is_exact else f"{base}-{algorithm}",
            "algorithm": algorithm,
        }
        made.append(session.control().ask("POST", ("dkim",), body))
    if session.json:
        print_json(made)
        return OK
    print("Publish these records:\n")
    _print_records(made)
    waiting = [key["selector"] for key in made if not key["signing"]]
    if waiting:
        print(f"\nAnother key signs so far; once they are known: trekctl dkim use {made[0]['domain']} {waiting[0]}")
    return OK


def list_keys(session: Session) -> int:
    """C{trekctl dkim list}"""
    found = _listed(session, session.options.domain)
    if session.json:
        print_json(found)
    else:
        titles = ("DOMAIN", "SELECTOR", "ALGORITHM", "SIGNS", "MADE")
        print_table(titles, map(_row, found))
    return OK


def show(session: Session) -> int:
    """C{trekctl dkim show}; a domain without keys is a failure."""
    found = _listed(session, session.options.domain)
    if session.json:
        print_json(found)
    elif found:
        _print_records(found)
    else:
        print(f"{session.options.domain} has no keys; make them with trekctl dkim create")
    return OK if found else FAILED


def use(session: Session) -> int:
    """C{trekctl dkim use}"""
    options = session.options
    key = session.control().ask("PUT", ("dkim", options.domain, "signing"), {"selector": options.selector})
    if session.json:
        print_json(key)
    else:
        print(f"{key['selector']} signs for {key['domain']} from now on; keep the old key's record for some days")
    return OK


def remove(session: Session) -> int:
    """C{trekctl dkim remove}"""
    options = session.options
    key = session.control().ask("DELETE", ("dkim", options.domain), selector=options.selector)
    if session.json:
        print_json(key)
    elif key["signing"]:
        print(f"removed {key['selector']}; no {key['algorithm']} key signs for {key['domain']} any more")
    else:
        print(f"removed {key['selector']}; its record {key['name']} can go")
    return OK


def _listed(session: Session, domain: str | None) -> list[dict[str, Any]]:
    query = {"domain": domain} if domain else {}
    found: list[dict[str, Any]] = session.control().ask("GET", ("dkim",), **query)
    return found


def _row(key: Mapping[str, Any]) -> tuple[object, ...]:
    signs = "yes" if key["signing"] else "no"
    return key["domain"], key["selector"], key["algorithm"], signs, time_text(key["created"])


def _print_records(keys: Iterable[Mapping[str, Any]]) -> None:
    for key in keys:
        text = key["record"]
        strings = [text[at : at + _STRING] for at in range(0, len(text), _STRING)]
        print(f"{key['name']}. IN TXT ( " + " ".join(f'"{each}"' for each in strings) + " )")
