"""
C{python -m bench.mailauth}: what signing and verifying cost, beside dkimpy, with dkimpy's verdict on the signatures.

The longest piece is the longest time for which the interpreter does nothing else while a large message is signed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dkim
from cryptography.hazmat.primitives import serialization

from tests.fakes.dkim import DOMAIN, NOW, at_once, clock_at, dkimpy_verdicts, key_files, signer_of
from tests.fakes.records import Names
from trekd.mailauth.keyring import Keyring
from trekd.mailauth.keys import KeyFiles
from trekd.mailauth.signer import Signer
from trekd.mailauth.verification import SignatureCheck
from trekd.store.contents import InMemory

TURNS = 200
HEADER = b"From: a@example.org\r\nTo: b@example.net\r\nSubject: x\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\n"
MESSAGE = HEADER + b"A line of text as people write it.\r\n" * 225
LARGE = HEADER + (b"A" * 76 + b"\r\n") * (50 * 1024 * 1024 // 78)


def _each(work: Callable[[], Any]) -> float:
    """Milliseconds of one call."""
    work()
    start = time.perf_counter()
    for _ in range(TURNS):
        work()
    return (time.perf_counter() - start) / TURNS * 1000


async def _large(files: KeyFiles) -> tuple[float, float]:
    """Seconds for the large message, and milliseconds of its longest piece."""
    longest = 0.0

    async def timed(function: Callable[..., Any], *arguments: Any) -> None:
        nonlocal longest
        start = time.perf_counter()
        function(*arguments)
        longest = max(longest, time.perf_counter() - start)

    start = time.perf_counter()
    await Signer(Keyring(files, at_once), clock_at(NOW), timed).sign(DOMAIN, InMemory(LARGE))
    return time.perf_counter() - start, longest * 1000


def main() -> None:
    """Print the table."""
    with TemporaryDirectory() as directory:
        files = key_files(Path(directory))
        signer = signer_of(files)
        fields = asyncio.run(signer.sign(DOMAIN, InMemory(MESSAGE)))
        assert dkimpy_verdicts(fields + MESSAGE, files) == [True, True]
        names = Names({name: {"TXT": text} for name, text in files.published(DOMAIN)})
        check, whole = SignatureCheck(at_once), InMemory(fields + MESSAGE)
        pem = files.signing(DOMAIN)[0].key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        loop = asyncio.new_event_loop()
        run, rsa = loop.run_until_complete, files.signing(DOMAIN)[0]
        rows = [
            ("RSA signature alone, ms", _each(lambda: rsa.sign(MESSAGE))),
            ("8 KB signed with RSA and Ed25519, ms", _each(lambda: run(signer.sign(DOMAIN, InMemory(MESSAGE))))),
            ("8 KB signed by dkimpy with RSA, ms", _each(lambda: dkim.sign(MESSAGE, b"r", DOMAIN.encode(), pem))),
            ("both signatures verified, ms", _each(lambda: run(check.findings(whole, names, NOW)))),
            ("both verified by dkimpy, ms", _each(lambda: dkimpy_verdicts(fields + MESSAGE, files))),
        ]
        seconds, longest = asyncio.run(_large(files))
        rows += [("50 MB signed, s", seconds), ("its longest piece, ms", longest)]
        loop.close()
    for title, figure in rows:
        print(f"| {title} | {figure:.2f} |")


if __name__ == "__main__":
    main()
