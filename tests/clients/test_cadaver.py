"""cadaver, a WebDAV client for the terminal."""

from __future__ import annotations

import re
from pathlib import Path

from tests.clients.daemon import Daemon
from tests.clients.programs import require, run

WORD = "cadaver-password"
COMMANDS = """\
mkcol docs
cd docs
put up.txt
propset up.txt color blue
propget up.txt color
copy up.txt two.txt
move two.txt three.txt
ls
lock up.txt
discover up.txt
put up.txt
unlock up.txt
get three.txt down.txt
rm three.txt
cd ..
rmcol docs
ls
quit
"""


def test_a_session_of_the_terminal(tmp_path: Path) -> None:
    cadaver, script = require("cadaver"), require("script")
    daemon = Daemon(tmp_path)
    daemon.add_accounts({"alice@example.com": "pro"}, WORD)
    daemon.start()
    (tmp_path / ".netrc").write_text(f"machine localhost\nlogin alice@example.com\npassword {WORD}\n")
    (tmp_path / "up.txt").write_text("hello")
    url = f"https://localhost:{daemon.ports['https']}/dav/files/alice@example.com/"
    try:
        # It asks about the certificate, and only on a terminal.
        said = run(
            *("env", f"HOME={tmp_path}", "TERM=dumb", script, "-qec", f"{cadaver} {url}", "/dev/null"),
            cwd=tmp_path,
            input=f"y\n{COMMANDS}".encode(),
        ).stdout.decode()
    finally:
        daemon.close()
    assert len(re.findall(r"succeeded\.", said)) == 12, said
    assert "failed" not in said and "Could not" not in said, said
    assert "Value of color is: blue" in said
    assert re.search(r"Scope: exclusive +Type: write", said)
    assert "Owner: " in said
    assert (tmp_path / "down.txt").read_text() == "hello"
