"""L{trekd.occupants}: who holds a port."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from trekd.occupants import occupant

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
LINE = "   0: 00000000:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 {uid} 0 {inode} 1\n"


def fake_proc(directory: Path, uid: int, state: str = "0A") -> Path:
    """A kernel's view with port 993 taken by socket 4711 and a process 812 called dovecot without open files."""
    (directory / "net").mkdir()
    (directory / "net" / "tcp").write_text(HEAD + LINE.format(port=993, state=state, uid=uid, inode=4711))
    (directory / "812" / "fd").mkdir(parents=True)
    (directory / "812" / "comm").write_text("dovecot\n")
    return directory


def test_a_process_of_this_machine_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = occupant(server.getsockname()[1])
    assert found is not None and found.endswith(f"(process {os.getpid()})")


def test_the_program_is_named_where_its_files_can_be_seen(tmp_path: Path) -> None:
    proc = fake_proc(tmp_path, 0)
    (proc / "812" / "fd" / "5").symlink_to("socket:[4711]")
    assert occupant(993, proc) == "dovecot (process 812)"


def test_its_user_is_named_where_not(tmp_path: Path) -> None:
    assert occupant(993, fake_proc(tmp_path, 0)) == "a program of user root"


def test_a_user_without_a_name_is_a_number(tmp_path: Path) -> None:
    assert occupant(993, fake_proc(tmp_path, 3999999)) == "a program of user 3999999"


def test_a_connection_is_no_listener(tmp_path: Path) -> None:
    assert occupant(993, fake_proc(tmp_path, 0, state="01")) is None


def test_other_ports_and_a_missing_proc_say_nothing(tmp_path: Path) -> None:
    assert occupant(994, fake_proc(tmp_path, 0)) is None
    assert occupant(993, tmp_path / "none") is None
