"""C{python -m bench}: every line for every server of this machine, in one run, with ratios; see C{--help}."""

from __future__ import annotations

import argparse
import re
import resource
import shutil
import sys
import tempfile
from pathlib import Path

from bench.lines import LINES, Figure, Line, fill
from bench.servers import Dovecot, Server, TrekMail, available


def _start(directory: Path) -> list[Server]:
    servers: list[Server] = [TrekMail(directory / "apsw", "apsw"), TrekMail(directory / "sqlite3", "sqlite3")]
    if Dovecot in available():
        servers += [Dovecot(directory / "mdbox", "mdbox"), Dovecot(directory / "maildir", "maildir")]
    return servers


def _row(line: Line, figures: list[Figure]) -> str:
    ours, *others = figures
    cells = [f"{ours.value:.2f}"]
    for other in others:
        ratio = ours.value / other.value if line.more_is_better else other.value / max(ours.value, 1e-9)
        cells.append(f"{other.value:.2f} ({ratio:.1f}x)")
    answers = {figure.answer for figure in figures if figure.answer}
    same = "" if not answers else "same" if len(answers) == 1 else "DIFFER: " + " ".join(f.answer for f in figures)
    return f"| {line.title} | {' | '.join(cells)} | {same} |"


def main() -> int:
    """Run; status 1 when servers answered differently."""
    parser = argparse.ArgumentParser(description="Measure TrekMail beside Debian's Dovecot.")
    parser.add_argument("--directory", type=Path, help="where servers keep mail; a real disk (default: a new one in .)")
    parser.add_argument("--only", default="", help="lines whose title has a match of this regular expression")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    directory = Path(tempfile.mkdtemp(prefix="trekmail-bench-", dir=options.directory or "."))
    directory.chmod(0o755)
    servers = _start(directory.resolve())
    differing = False
    try:
        lines = [line for line in LINES if re.search(options.only, line.title, re.I)]
        for server in servers:
            for mailbox in sorted({line.reads for line in lines if line.reads}):
                print(f"filling {server.name}: {mailbox}", file=sys.stderr)
                fill(server, mailbox)
        print("| line | " + " | ".join(server.name for server in servers) + " | answers |")
        print("|---" * (len(servers) + 2) + "|")
        for line in lines:
            row = _row(line, line.figures(servers))
            differing = differing or "DIFFER" in row
            print(row, flush=True)
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(directory)
    return int(differing)


if __name__ == "__main__":
    sys.exit(main())
