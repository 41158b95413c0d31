"""
Who holds a TCP port of this machine, as far as the kernel tells this process (Linux: C{/proc}).
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_LISTEN = "0A"
_PROC = Path("/proc")


def occupant(port: int, proc: Path = _PROC) -> str | None:
    """
    Name the program that listens on a port.

    Only root sees other users' programs; for everybody else their owner is all there is to tell.

    @param proc: where the kernel's view is mounted.
    @return: such as C{"dovecot (process 812)"} or C{"a program of user postfix"}; C{None} when nothing listens there or
        the kernel tells nothing.
    """
    sockets = dict(_listening(port, proc))
    if not sockets:
        return None
    for process in _processes(proc):
        if not sockets.keys().isdisjoint(_open_files(process)):
            with suppress(OSError):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return next((f"a program of user {_user(uid)}" for uid in sockets.values()), None)


def _listening(port: int, proc: Path) -> Iterator[tuple[str, int]]:
    """Sockets that listen on a port, as links of C{/proc/PID/fd} name them, with their owners' numbers."""
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if len(fields) > 9 and fields[3] == _LISTEN and fields[1].endswith(f":{port:04X}"):
                yield f"socket:[{fields[9]}]", int(fields[7])


def _processes(proc: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from sorted((each for each in proc.iterdir() if each.name.isdigit()), key=lambda each: int(each.name))


def _open_files(process: Path) -> Iterator[str]:
    """What a process has open, as far as it may be seen and does not vanish meanwhile."""
    with suppress(OSError):
        for each in (process / "fd").iterdir():
            with suppress(OSError):
                yield os.readlink(each)


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
