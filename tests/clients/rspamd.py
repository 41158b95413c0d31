"""rspamd for tests: a private instance of the real one, and one whose answers a test chooses."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.clients.daemon import free_ports
from tests.clients.programs import require

CONFIG = """\
options {{
    pidfile = "{directory}/rspamd.pid";
    filters = "regexp";
    dns {{ nameserver = ["127.0.0.1:{dns}"]; timeout = 0.1s; retransmits = 1; }}
    raw_mode = false;
    one_shot = false;
    local_addrs = [];
    control_socket = "{directory}/control mode=0600";
}}
logging {{ type = "file"; filename = "{directory}/rspamd.log"; level = "info"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; enabled = true; }}
worker "controller" {{ enabled = false; }}
actions {{ reject = 15; rewrite_subject = 8; add_header = 6; subject = "*** SPAM *** %s"; }}
regexp {{
    JUNKY {{ re = "Subject=/junky/i"; score = 6.5; }}
    LOUD {{ re = "Subject=/loud/i"; score = 9.0; }}
}}
modules {{ path = []; }}
"""


@contextmanager
def real_rspamd(directory: Path) -> Iterator[str]:
    """A private rspamd; gives its URL."""
    program = require("rspamd")
    port, dns = free_ports(2)
    directory.chmod(0o755)
    config = directory / "rspamd.conf"
    config.write_text(CONFIG.format(directory=directory, port=port, dns=dns))
    who = ["-u", "root", "-g", "root"] if os.geteuid() == 0 else []
    log = directory / "output"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [program, "-f", *who, "-i", "-c", str(config)], stdout=output, stderr=output, cwd=directory
        )
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                more = directory / "rspamd.log"
                raise AssertionError(log.read_text() + (more.read_text() if more.exists() else ""))
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url + "/ping", timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


class FakeRspamd:
    """
    Answers as a test wants.

    @ivar answer: the body of each answer, octets as they are, else as JSON.
    @ivar asked: (headers, body) of each request.
    """

    def __init__(self) -> None:
        self.answer: Any = {"action": "no action", "score": 0, "required_score": 15}
        self.status = 200
        self.wait = threading.Event()
        self.wait.set()
        self.asked: list[tuple[Any, bytes]] = []
        fake = self

        class Answering(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/checkv2"
                body = self.rfile.read(int(self.headers["Content-Length"]))
                fake.asked.append((self.headers, body))
                fake.wait.wait(60)
                octets = fake.answer if isinstance(fake.answer, bytes) else json.dumps(fake.answer).encode()
                try:
                    self.send_response(fake.status)
                    self.send_header("Content-Length", str(len(octets)))
                    self.end_headers()
                    self.wfile.write(octets)
                except OSError:
                    pass  # who asked did not wait

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Nobody answers any more."""
        self.wait.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
