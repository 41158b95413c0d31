"""A mail flow whose accounts have filters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.fakes.postoffice import run_here
from tests.unit.queue.support import ALICE, BOB, NANO, PostOffice, address, run
from trekd.directory.interfaces import Account
from trekd.filters.filter import AccountFilter, Post
from trekd.filters.interfaces import Forwarding, Vacation
from trekd.filters.settings import Settings
from trekd.filters.settingsfile import SettingsFile
from trekd.filters.srs import SenderRewriting
from trekd.queue.entries import Entry

__all__ = ["ALICE", "BOB", "CAROL", "NANO", "FilteredOffice", "address", "message", "run"]

CAROL = Account(address("carol@example.com"), "pro", display_name='Carol "C" Müller')


def message(to: str = "alice@example.com", *lines: str, subject: str = "Hello") -> bytes:
    """A message as a person writes it."""
    fields = [f"From: friend@elsewhere.example\r\nTo: {to}\r\nSubject: {subject}", "Message-ID: <1@elsewhere.example>"]
    return "\r\n".join([*fields, *lines, "", "text", ""]).encode()


class FilteredOffice(PostOffice):
    """See L{PostOffice}; accounts set what they like."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.directory.entries["carol@example.com"] = CAROL
        self.settings = Settings(SettingsFile(path / "filters.sqlite"), run_here)
        self.rewriting = SenderRewriting(b"x" * 32)
        self.routing.restore = lambda one: self.rewriting.restore(one, self.clock.seconds())
        clock: Any = self.clock
        post = Post(self.flow.resolve, self.routing.is_served, "mail.example.com", clock)
        self.flow.judge = AccountFilter(self.settings, self.rewriting, post)

    def forward(self, account: Account, *targets: str, keep: bool = False) -> None:
        run(self.settings.set_forwarding(account.principal, Forwarding(tuple(map(address, targets)), keep)))

    def answer(self, account: Account, text: str = "I am away.", **more: Any) -> None:
        run(self.settings.set_vacation(account.principal, Vacation(text, **more)))

    def change(self, account: Account, **fields: Any) -> None:
        """What the directory says of an account."""
        self.directory.entries[account.principal] = replace(account, **fields)

    def queued(self) -> list[Entry]:
        """All that waits, oldest first."""
        return list(run(self.spool.entries(100)))
