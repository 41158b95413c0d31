"""
The transcripts of tests/wire/imap: whole, one octet at a time, and over a store that takes its time.

C{state} of a transcript is C{greeted} (default), C{plain} (greeted without TLS), C{logged-in} or C{selected N}: INBOX
with N messages, all old; C{+Name} behind it makes a mailbox.  C{trickle: no} keeps it from being sent octet by octet.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.imapsite import Client, IMAPSite, now
from tests.wire.runner import Transcript, load, play
from trekd.values import MailboxName

FILES = sorted((Path(__file__).parent / "imap").glob("*.txt"))


class TrickleClient(Client):
    """Sends one octet after the other."""

    def send(self, octets: bytes) -> None:
        for octet in octets:
            super().send(bytes((octet,)))


class PatientClient(Client):
    """Lets the site's store work after each piece."""

    def __init__(self, site: IMAPSite, secure: bool = True) -> None:
        self._clock = site.reactor
        super().__init__(site, secure)

    def send(self, octets: bytes) -> None:
        super().send(octets)
        self._clock.pump([0] * 60)


class TranscriptSite(IMAPSite):
    """A site in the state that a transcript starts from; every connection comes from a client of that state."""

    def __init__(self, transcript: Transcript, kind: type[Client]) -> None:
        super().__init__(slow=kind is PatientClient)
        self._kind = kind
        self._state, *details = transcript.header.get("state", "greeted").split()
        for detail in details:
            if detail.startswith("+"):
                now(self.account().create(MailboxName(detail[1:])))
            else:
                self.fill(int(detail))
        if self._state == "selected":
            kind(self).log_in().select().vanish()

    def wire(self, factory: object) -> Client:
        """A connection."""
        client = self._kind(self, secure=self._state != "plain")
        if self._state in ("logged-in", "selected"):
            client.read()
            client.log_in()
        if self._state == "selected":
            client.select()
        return client


def run(path: Path, kind: type[Client], monkeypatch: pytest.MonkeyPatch) -> None:
    transcript = load(path)
    site = TranscriptSite(transcript, kind)
    monkeypatch.setattr("tests.wire.runner.Wire", site.wire)
    play(transcript, site.factory, site.reactor.advance)
    assert site.check() == ()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_transcript(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(path, Client, monkeypatch)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_transcript_one_octet_at_a_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if load(path).header.get("trickle") != "no":
        run(path, TrickleClient, monkeypatch)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_transcript_over_a_store_that_takes_its_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(path, PatientClient, monkeypatch)
