"""
The picture in README: C{python -m tests.tools.screenshot docs/setup-page.png}, as root for the usual ports.

The page as a person with a new account sees it, from a daemon of its own on 127.0.0.77.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.clients.browser import Browser
from tests.clients.daemon import Daemon

ADDRESS = "127.0.0.77"
USUAL = {"imaps": 993, "submissions": 465, "submission": 587, "https": 443}
SIZE = (900, 1340)


def main(path: str) -> None:
    """Make the picture."""
    with tempfile.TemporaryDirectory() as directory:
        daemon = Daemon(Path(directory), address=ADDRESS)
        text = daemon.config.read_text()
        for service, port in USUAL.items():
            text = text.replace(f"tcp:{daemon.ports[service]}:", f"tcp:{port}:")
        daemon.ports |= USUAL
        # What is off by default.
        del daemon.ports["imap"]
        daemon.config.write_text("".join(line for line in text.splitlines(True) if not line.startswith("imap =")))
        daemon.start()
        try:
            browser = Browser(Path(directory), SIZE, address=ADDRESS)
            try:
                browser.open("https://mail.example.com/setup/?address=alice%40example.com")
                browser.becomes("return document.querySelector('img').naturalWidth > 0")
                browser.screenshot(Path(path), SIZE)
            finally:
                browser.close()
        finally:
            daemon.close()


if __name__ == "__main__":
    main(sys.argv[1])
