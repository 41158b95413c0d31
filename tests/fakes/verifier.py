"""A verifier whose findings a test chooses."""

from __future__ import annotations

from zope.interface import implementer

from trekd.mailauth.interfaces import Authenticity, Disposition, IVerifier, Origin
from trekd.smtp.interfaces import Arrival, IMessageFilter, Judgement
from trekd.store.interfaces import IMessageSource

RESULTS = b"Authentication-Results: mail.example.com; dmarc=fail header.from=bank.example\r\n"


@implementer(IVerifier)
class FakeVerifier:
    """Says what it was told to, and keeps what it was asked."""

    def __init__(
        self, disposition: Disposition = Disposition.NONE, spf: str = "none", dmarc: str = "none"
    ) -> None:
        self.found = Authenticity(RESULTS, disposition, spf, dmarc, "bank.example")
        self.asked: list[tuple[Origin, bytes]] = []

    async def verify(self, origin: Origin, message: IMessageSource) -> Authenticity:
        self.asked.append((origin, await message.octets()))
        return self.found


@implementer(IMessageFilter)
class FakeScanner:
    """Gives one judgement, or raises one error."""

    def __init__(self, answer: Judgement | Exception) -> None:
        self.answer = answer
        self.asked: list[Arrival] = []

    async def judge(self, arrival: Arrival, message: IMessageSource) -> Judgement:
        self.asked.append(arrival)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer
