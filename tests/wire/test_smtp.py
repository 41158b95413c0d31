"""
The transcripts of tests/wire/smtp, whole and one octet at a time.

Their header names the C{service}, how many C{messages} are accepted in the end, and, where the RFCs' own sessions
need them, further addresses that are C{known} here and mailboxes that are C{full}.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.submission import FakeSite
from tests.wire.runner import Transcript, Wire, load, play
from trekd.errors import DirectoryDown, MailboxFull, OverQuota
from trekd.smtp.session import EXCHANGE, LMTP, SUBMISSION, SUBMISSIONS

FILES = sorted((Path(__file__).parent / "smtp").glob("*.txt"))
SERVICES = {"submissions": SUBMISSIONS, "submission": SUBMISSION, "lmtp": LMTP, "smtp": EXCHANGE}


class TrickleWire(Wire):
    """Sends one octet after the other."""

    def send(self, octets: bytes) -> None:
        for octet in octets:
            super().send(bytes((octet,)))


def make(transcript: Transcript) -> FakeSite:
    site = FakeSite(SERVICES[transcript.header["service"]], max_message=1_000_000)
    site.flow.failures["carol@example.com"] = OverQuota(100)
    site.flow.known.update(transcript.header.get("known", "").split())
    for address in transcript.header.get("full", "").split():
        site.flow.failures[address] = OverQuota(100)
    site.flow.known.update(("full@example.com", "small@example.com"))
    site.flow.rooms = {"full@example.com": MailboxFull(), "small@example.com": OverQuota(10)}
    site.flow.refusals["down@example.com"] = DirectoryDown()
    return site


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    transcript = load(path)
    site = make(transcript)
    play(transcript, site.factory, site.clock.advance)
    assert len(site.flow.accepted) == int(transcript.header["messages"])
    assert all(sink.discarded for sink in site.flow.sinks)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_transcript_one_octet_at_a_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transcript = load(path)
    if transcript.header.get("trickle") == "no":
        return
    monkeypatch.setattr("tests.wire.runner.Wire", TrickleWire)
    site = make(transcript)
    play(transcript, site.factory, site.clock.advance)
    assert len(site.flow.accepted) == int(transcript.header["messages"])
