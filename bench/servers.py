"""The servers that are measured, each started in a directory of its own with the same accounts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.clients.daemon import Daemon, free_ports
from tests.fakes.certificates import make_certificate

USER = "bench@example.com"
PASSWORD = "bench password"
PLANS = """
unauthenticated_per_ip = 5000
[plans.bench]
connections_per_ip = 0
connections_total = 0
quota = 0
"""


class TrekMail:
    """Ours, as C{twistd trekmail} runs it."""

    def __init__(self, directory: Path, engine: str, accounts: Sequence[str] = (USER,)) -> None:
        self.name = f"TrekMail ({engine})"
        directory.mkdir(parents=True)
        self._daemon = Daemon(directory, PLANS + f'[store]\nengine = "{engine}"\n')
        self._daemon.add_accounts(dict.fromkeys(accounts, "bench"), PASSWORD)
        self._daemon.start()
        self.port = self._daemon.ports["imaps"]
        self.lmtp = self._daemon.lmtp

    def processes(self) -> list[int]:
        """Ids of the server's processes."""
        assert self._daemon.process is not None
        return [self._daemon.process.pid]

    def stop(self) -> None:
        """End it."""
        self._daemon.stop()


DOVECOT = """\
base_dir = {directory}/run
log_path = {directory}/log
protocols = imap lmtp
listen = 127.0.0.1
ssl = required
ssl_cert = <{certificate}
ssl_key = <{key}
mail_location = {format}:~/mail
mail_max_userip_connections = 5000
default_client_limit = 6000
default_process_limit = 3000
default_vsz_limit = 2G
first_valid_uid = 1
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={directory}/home/%u allow_all_users=yes
}}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {port}
  }}
}}
service imap {{
  process_limit = 3000
}}
service stats {{
  client_limit = 10000
}}
service anvil {{
  client_limit = 10000
}}
service lmtp {{
  unix_listener lmtp-bench {{
    mode = 0666
  }}
}}
"""


class Dovecot:
    """Debian's Dovecot, close to its defaults."""

    def __init__(self, directory: Path, mail_format: str) -> None:
        self.name = f"Dovecot ({mail_format})"
        (directory / "home").mkdir(parents=True)
        shutil.chown(directory / "home", "mail", "mail")
        for above in (directory, *directory.parents[:-1]):
            with suppress(PermissionError):
                above.chmod(above.stat().st_mode | 0o055)
        self._directory = directory
        self.port = free_ports(1)[0]
        self.lmtp = str(directory / "run/lmtp-bench")
        certificate, key = make_certificate(directory, "mail.example.com")
        settings = directory / "dovecot.conf"
        settings.write_text(
            DOVECOT.format(
                directory=directory,
                certificate=certificate,
                key=key,
                format=mail_format,
                password=PASSWORD.replace(" ", ""),
                port=self.port,
            )
        )
        self._process = subprocess.Popen(["dovecot", "-F", "-c", str(settings)])
        deadline = time.monotonic() + 20
        while not os.path.exists(self.lmtp):
            if time.monotonic() > deadline:
                raise RuntimeError((directory / "log").read_text())
            time.sleep(0.05)

    def processes(self) -> list[int]:
        """Ids of the master and everything that it started."""
        found, wanted = [], [self._process.pid]
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                fields = entry.read_text().rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(entry.parent.name))
        while wanted:
            one = wanted.pop()
            found.append(one)
            wanted += children.get(one, [])
        return found

    def stop(self) -> None:
        """End it."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(20)


Server = TrekMail | Dovecot


def password(server: Server) -> str:
    """Dovecot's static passdb takes no blank."""
    return PASSWORD if isinstance(server, TrekMail) else PASSWORD.replace(" ", "")


def cpu(server: Server) -> float:
    """CPU seconds that the server's living processes used so far."""
    total = 0
    for process in server.processes():
        for task in Path(f"/proc/{process}/task").glob("*/schedstat"):
            with suppress(OSError):
                total += int(task.read_text().split()[0])
    return total / 1e9


def memory(server: Server) -> int:
    """Proportional set size of all processes, octets."""
    total = 0
    for process in server.processes():
        with suppress(OSError):
            for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total


def available() -> list[type[Server]]:
    """Who can be measured on this machine; the absence of a peer is said aloud."""
    if shutil.which("dovecot") is None or os.geteuid() != 0:
        print("NOT COMPARED: needs root and dovecot-imapd, dovecot-lmtpd", file=sys.stderr)
        return [TrekMail]
    return [TrekMail, Dovecot]
