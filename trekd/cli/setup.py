"""
C{setup}: a configuration from a few answers, checked before it takes the old one's place.
"""

from __future__ import annotations

import os
import socket
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trekd.cli.failures import OK, CommandFailure
from trekd.cli.output import print_json
from trekd.cli.session import Session
from trekd.config.loader import load
from trekd.config.sample import sample


def register(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("setup", help="write the configuration; asks for what is not given")
    parser.add_argument("--hostname", metavar="HOST", help="the host's full name")
    parser.add_argument("--domain", metavar="DOMAIN", action="append", help="a mail domain; may be repeated")
    parser.add_argument("--certificate", metavar="FILE", help="certificate chain, PEM")
    parser.add_argument("--key", metavar="FILE", help="its private key, PEM")
    parser.add_argument("--ldap", metavar="URI", action="append", help="a server of the directory; may be repeated")
    parser.add_argument("--ldap-base", metavar="DN", help="where searches start")
    parser.add_argument("--ldap-bind-dn", metavar="DN", help="service account for searches")
    parser.add_argument("--ldap-password-file", metavar="FILE", help="file with its password")
    parser.add_argument("--force", action="store_true", help="replace a configuration that was changed; it is kept")
    parser.set_defaults(function=setup)


def setup(session: Session) -> int:
    """C{trekctl setup}"""
    path = Path(session.options.config)
    values = _values(session.options, _asker())
    text = sample(values)
    load(text, os.path.abspath(path))
    kept = _replace(path, text, session.options.force)
    if session.json:
        print_json({"config": str(path), "kept": str(kept) if kept else None})
        return OK
    if kept:
        print(f"{kept}: what was there before")
    domain = values["server", "domains"][0]
    account = "" if ("directory", "backend") in values else f"trekctl account add alice@{domain}\n"
    print(f"{path}: written, no mistakes found\n\nNow type:\nsystemctl restart trekmail\n{account}trekctl dns {domain}")
    return OK


def _asker() -> Callable[[str, str, str], str]:
    """Asks for what no option gives; where nobody can answer, says which option is missing."""

    def ask(option: str, question: str, default: str) -> str:
        if not sys.stdin.isatty():
            raise CommandFailure(f"{option} is needed where nobody can be asked")
        return input(f"{question} [{default}]: ").strip() or default

    return ask


def _values(options: Namespace, ask: Callable[[str, str, str], str]) -> dict[tuple[str, ...], Any]:
    """What is to be set, by section and key."""
    hostname = options.hostname or ask("--hostname", "Host name", socket.getfqdn())
    parent = hostname.partition(".")[2]
    domains = options.domain or ask("--domain", "Mail domains, spaces between", parent or hostname).split()
    values: dict[tuple[str, ...], Any] = {("server", "hostname"): hostname, ("server", "domains"): tuple(domains)}
    if (options.certificate is None) != (options.key is None):
        raise CommandFailure("--certificate and --key belong together")
    if options.certificate is not None:
        values["tls", "certificate"], values["tls", "key"] = options.certificate, options.key
    if options.ldap:
        values["directory", "backend"] = "ldap"
        values["directory", "ldap", "uris"] = tuple(options.ldap)
        values["directory", "ldap", "base"] = options.ldap_base or ask("--ldap-base", "LDAP base", "dc=example,dc=com")
    elif options.ldap_base or options.ldap_bind_dn or options.ldap_password_file:
        raise CommandFailure("--ldap says which servers to ask")
    if options.ldap_bind_dn:
        values["directory", "ldap", "bind_dn"] = options.ldap_bind_dn
    if options.ldap_password_file:
        values["directory", "ldap", "bind_password_file"] = options.ldap_password_file
    return values


def _replace(path: Path, text: str, is_forced: bool) -> Path | None:
    """
    Put a new configuration in place, whole or not at all; mode and owner stay as they were.

    @return: where the old one is kept, C{None} when there was none that anybody changed.
    @raise CommandFailure: nothing was changed.
    """
    new, kept = path.with_name(f".{path.name}.new"), path.with_name(f"{path.name}.old")
    try:
        before = path.read_text(encoding="utf-8", errors="replace") if path.exists() else None
        is_own = before not in (None, sample(), text)
        if is_own and not is_forced:
            raise CommandFailure(f"{path} was changed by somebody; --force replaces it and keeps it as {kept.name}")
        with open(new, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), path.stat().st_mode & 0o777 if before is not None else 0o644)
            if before is not None:
                os.fchown(file.fileno(), path.stat().st_uid, path.stat().st_gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if is_own:
            os.replace(path, kept)
        os.replace(new, path)
    except OSError as error:
        raise CommandFailure(f"{error.filename or path}: {error.strerror}") from None
    return kept if is_own else None
