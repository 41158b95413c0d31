"""
What becomes of a message from another server: the one place that decides whether it is taken, refused or junk.

Everything is decided before the reply to the end of data, so that nothing needs to be sent back later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network

from twisted.logger import Logger

from trekd.config.reception import ReceptionConfig
from trekd.errors import ScannerDown, Unauthentic, Unwanted
from trekd.mailauth.interfaces import Authenticity, Disposition, IVerifier, Origin
from trekd.smtp.amended import Amended, amend, written
from trekd.smtp.greylist import Greylist
from trekd.smtp.interfaces import Arrival, IMessageFilter, Judgement, Verdict
from trekd.store.interfaces import IMessageSource
from trekd.values import Address

log = Logger()


@dataclass(frozen=True, slots=True)
class Examined:
    """
    A message that is taken.

    @ivar message: as it is to be stored.
    @ivar junk: it belongs into the mailbox for junk.
    @ivar author: as L{trekd.queue.interfaces.MailTransaction.author}.
    """

    message: IMessageSource
    junk: bool = False
    author: str = ""


class Reception:
    """Asks the verifier, the scanners and the greylist, and applies the configuration to their answers."""

    def __init__(
        self,
        config: ReceptionConfig,
        verifier: IVerifier | None = None,
        filters: Sequence[IMessageFilter] = (),
        greylist: Greylist | None = None,
    ) -> None:
        """
        @param verifier: C{None} checks nobody's authenticity.
        @param greylist: C{None} lets everybody in at once.
        """
        self.config = config
        self._verifier = verifier
        self._filters = tuple(filters)
        self._greylist = greylist
        self._forwarders = tuple(ip_network(network) for network in config.forwarders)

    def is_forwarder(self, client: str) -> bool:
        """Whether a client is a server that forwards mail to us."""
        try:
            address = ip_address(client.partition("%")[0])
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._forwarders)

    def check_recipient(self, client: str, reverse_path: Address | None, recipient: Address) -> None:
        """
        Ask the greylist at RCPT.

        @raise Greylisted: the sender is to come back.
        """
        if self._greylist is not None and not self.is_forwarder(client):
            self._greylist.check(client, reverse_path, recipient)

    async def examine(self, arrival: Arrival, header: bytes, message: IMessageSource) -> Examined:
        """
        Decide about a complete message.

        @param header: the message's own, with which it begins.
        @raise Unauthentic: a policy of the domain that it claims refuses it.
        @raise Unwanted: a scanner refuses it.
        @raise ScannerDown: it is to come back.
        """
        authenticity = await self._verify(arrival, message)
        junk, front, subject = False, b"", None
        removed: list[str] = []
        if authenticity is not None:
            junk, front = self._obey(authenticity, arrival), authenticity.results
        arrival = replace(arrival, authenticity=authenticity)
        for scanner in self._filters:
            judgement = await self._judge(scanner, arrival, message)
            junk |= judgement.verdict is Verdict.JUNK
            front += written(judgement.added)
            removed += judgement.removed
            subject = judgement.subject if judgement.subject is not None else subject
        if not front and not removed and subject is None:
            return Examined(message, junk, _author(arrival))
        amended = Amended(amend(header, front, removed, subject), message, len(header))
        return Examined(amended, junk, _author(arrival))

    async def _verify(self, arrival: Arrival, message: IMessageSource) -> Authenticity | None:
        """Ask who it is from; nobody knows without the address of the client."""
        if self._verifier is None or not arrival.client:
            return None
        origin = Origin(arrival.client, arrival.hello, arrival.reverse_path)
        found = await self._verifier.verify(origin, message)
        log.info(
            "message {id} of {domain!r}: SPF {spf}, DMARC {dmarc}",
            id=arrival.id,
            domain=found.domain,
            spf=found.spf,
            dmarc=found.dmarc,
            peer=arrival.client,
        )
        return found

    def _obey(self, found: Authenticity, arrival: Arrival) -> bool:
        """
        Do what the domains ask for, as far as the configuration lets them.

        @return: whether the message is junk.
        @raise Unauthentic: it is refused.
        """
        config = self.config
        if self.is_forwarder(arrival.client):
            return False
        if found.disposition is Disposition.REJECT and config.dmarc == "enforce":
            raise Unauthentic(found.domain)
        if config.spf_fail == "reject" and found.spf == "fail" and found.dmarc != "pass":
            raise Unauthentic(arrival.reverse_path.domain if arrival.reverse_path else arrival.hello, "SPF")
        return found.disposition is not Disposition.NONE and config.dmarc != "off"

    async def _judge(self, scanner: IMessageFilter, arrival: Arrival, message: IMessageSource) -> Judgement:
        """
        Ask one scanner.

        @raise Unwanted: it refuses the message.
        @raise ScannerDown: it wants to see it later, or gave no verdict and the configuration waits for one.
        """
        try:
            judgement = await scanner.judge(arrival, message)
        except Exception as error:
            if not isinstance(error, ScannerDown):
                log.failure("a content scanner failed")
            log.warn("message {id} was not scanned: {reason}", id=arrival.id, reason=str(error), peer=arrival.client)
            if self.config.filters_down == "defer":
                raise ScannerDown from None
            return Judgement()
        if judgement.verdict is Verdict.REJECT:
            raise Unwanted(judgement.text)
        if judgement.verdict is Verdict.DEFER:
            raise ScannerDown(judgement.text)
        return judgement


def _author(arrival: Arrival) -> str:
    """
    The author's domain where it is true: DMARC says so, or, where the domain has no such policy, SPF of that domain.
    """
    found, sender = arrival.authenticity, arrival.reverse_path
    if found is None:
        return ""
    is_aligned = sender is not None and sender.domain.lower() == found.domain
    is_true = found.dmarc == "pass" or (found.dmarc == "none" and found.spf == "pass" and is_aligned)
    return found.domain if is_true else ""
