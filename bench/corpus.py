"""Made-up messages, the same in every run."""

from __future__ import annotations

import random
from collections.abc import Iterator

WORDS = ("mail", "server", "calendar", "invoice", "meeting", "project", "review", "window", "garden", "report")

RARE = 2_000
"""One message of so many has the word C{quince}."""


def messages(count: int, size: int, seed: int = 1) -> Iterator[bytes]:
    """C{count} messages of about C{size} octets; every tenth is multipart."""
    source = random.Random(seed)
    for number in range(count):
        header = (
            f"Return-Path: <sender{number % 97}@example.org>\r\n"
            f"From: Sender Number {number % 97} <sender{number % 97}@example.org>\r\n"
            f"To: Bench <bench@example.com>\r\n"
            f"Subject: {' '.join(source.choices(WORDS, k=5))} {number}\r\n"
            f"Date: Mon, {1 + number % 28} Jan 2024 10:{number % 60:02}:00 +0000\r\n"
            f"Message-ID: <{number}.{seed}@example.org>\r\n"
            "MIME-Version: 1.0\r\n"
        )
        lines = []
        length = 0
        while length < size - len(header):
            lines.append(" ".join(source.choices(WORDS, k=10)))
            length += len(lines[-1]) + 2
        if number % RARE == RARE - 1:
            lines[-1] += " quince"
        text = "\r\n".join(lines) + "\r\n"
        if number % 10:
            body = f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}"
        else:
            body = (
                'Content-Type: multipart/alternative; boundary="=_b"\r\n\r\n'
                f"--=_b\r\nContent-Type: text/plain\r\n\r\n{text}\r\n"
                "--=_b\r\nContent-Type: text/html\r\n\r\n<p>short</p>\r\n--=_b--\r\n"
            )
        yield (header + body).encode()
