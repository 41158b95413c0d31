"""
rspamd as a content scanner, asked over HTTP (its protocol, C{POST /checkv2}).

The message is sent in pieces as it is read, so that a large one costs no memory; the answer is bounded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as TookTooLong
from twisted.internet.protocol import Protocol, connectionDone
from twisted.plugin import IPlugin
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer, IResponse
from zope.interface import implementer

from trekd.config.reception import ReceptionConfig
from trekd.config.schema import Config
from trekd.errors import ConfigFault, ScannerDown
from trekd.smtp.interfaces import Arrival, IMessageFilter, IMessageFilterProvider, Judgement, Verdict
from trekd.store.interfaces import IMessageSource

PIECE = 64 * 1024
"""Octets of a message that are read at once."""
MAX_ANSWER = 1024 * 1024
CONNECT_TIME = 5.0

_FORGED = ("X-Spam", "X-Spam-Score")
"""What a sender may not say for us."""

_VERDICTS: Mapping[str, Verdict] = {
    "no action": Verdict.ACCEPT,
    "greylist": Verdict.DEFER,
    "add header": Verdict.JUNK,
    "rewrite subject": Verdict.JUNK,
    "soft reject": Verdict.DEFER,
    "reject": Verdict.REJECT,
    "quarantine": Verdict.JUNK,
    "discard": Verdict.REJECT,
}


@implementer(IBodyProducer)
class MessageProducer:
    """Sends a message to rspamd as fast as it takes it."""

    def __init__(self, message: IMessageSource) -> None:
        self.length = message.size
        self._message = message
        self._stopped = False
        self._resumes: Deferred[None] | None = None

    def startProducing(self, consumer: Any) -> Deferred[None]:
        """See C{IBodyProducer}."""
        return Deferred.fromCoroutine(self._produce(consumer))

    def pauseProducing(self) -> None:
        """See C{IBodyProducer}."""
        if self._resumes is None:
            self._resumes = Deferred()

    def resumeProducing(self) -> None:
        """See C{IBodyProducer}."""
        resumes, self._resumes = self._resumes, None
        if resumes is not None:
            resumes.callback(None)

    def stopProducing(self) -> None:
        """See C{IBodyProducer}."""
        self._stopped = True
        self.resumeProducing()

    async def _produce(self, consumer: Any) -> None:
        offset = 0
        while offset < self.length:
            piece = await self._message.read(offset, PIECE)
            offset += len(piece)
            if self._stopped:
                return
            consumer.write(piece)
            if self._resumes is not None:
                await self._resumes


class _Answer(Protocol):
    """Collects what rspamd says, up to L{MAX_ANSWER}."""

    def __init__(self) -> None:
        self.whole: Deferred[bytes] = Deferred()
        self._octets = b""

    def dataReceived(self, data: bytes) -> None:
        self._octets += data
        if len(self._octets) > MAX_ANSWER and self.transport is not None:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        whole, self.whole = self.whole, Deferred()
        if reason.check(ResponseDone):
            whole.callback(self._octets)
        else:
            whole.errback(ScannerDown("its answer broke off or was too long"))


@implementer(IMessageFilter)
class Rspamd:
    """See the module."""

    def __init__(self, config: ReceptionConfig, reactor: Any) -> None:
        self._url = config.rspamd_url.rstrip("/").encode() + b"/checkv2"
        self._timeout = config.rspamd_timeout
        self._reactor = reactor
        self._agent = Agent(reactor, connectTimeout=CONNECT_TIME, pool=HTTPConnectionPool(reactor))

    async def judge(self, arrival: Arrival, message: IMessageSource) -> Judgement:
        """See L{IMessageFilter.judge}."""
        asked = Deferred.fromCoroutine(self._ask(arrival, message))
        asked.addTimeout(self._timeout, self._reactor)
        try:
            octets = await asked
        except ScannerDown:
            raise
        except Exception as error:
            reason = "no answer in time" if isinstance(error, CancelledError | TookTooLong) else type(error).__name__
            raise ScannerDown(f"rspamd: {reason}") from None
        return judgement(octets)

    async def _ask(self, arrival: Arrival, message: IMessageSource) -> bytes:
        response: IResponse = await self._agent.request(
            b"POST", self._url, Headers(_facts(arrival)), MessageProducer(message)
        )
        answer = _Answer()
        whole = answer.whole
        response.deliverBody(answer)
        octets = await whole
        if response.code != 200:
            raise ScannerDown(f"rspamd answered {response.code}")
        return octets


def _facts(arrival: Arrival) -> dict[bytes, list[bytes]]:
    """The message's transport facts as rspamd's header fields; none has a control character."""
    facts = {
        b"Queue-Id": [arrival.id.encode()],
        b"From": [str(arrival.reverse_path or "").encode()],
        b"Rcpt": [str(recipient).encode() for recipient in arrival.recipients],
    }
    if arrival.client:
        facts[b"IP"] = [arrival.client.encode()]
        facts[b"Helo"] = [arrival.hello.encode()]
    return facts


def judgement(octets: bytes) -> Judgement:
    """
    Read an answer.

    @raise ScannerDown: it makes no sense.
    """
    try:
        found = json.loads(octets)
        verdict = _VERDICTS[found["action"]]
        score, required = float(found.get("score", 0)), float(found.get("required_score", 0))
        milter = found.get("milter") or {}
        added = tuple(_added(milter.get("add_headers") or {}))
        removed = tuple(str(name) for name in milter.get("remove_headers") or ())
        subject = str(found["subject"]) if found["action"] == "rewrite subject" and "subject" in found else None
        text = str((found.get("messages") or {}).get("smtp_message", ""))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ScannerDown("rspamd: an answer that makes no sense") from None
    if verdict is Verdict.DEFER and not text:
        text = "Try again later"
    marks = [("X-Spam-Score", f"{score:.2f} / {required:.2f}")]
    if verdict is Verdict.JUNK:
        marks.append(("X-Spam", "Yes"))
    return Judgement(verdict, text, (*_FORGED, *removed), (*marks, *added), subject)


def _added(headers: Mapping[str, Any]) -> list[tuple[str, str]]:
    """C{name: value}, C{name: {value: ...}}, or a list of these."""
    fields = []
    for name, values in headers.items():
        for value in values if isinstance(values, list) else [values]:
            fields.append((str(name), str(value["value"] if isinstance(value, dict) else value)))
    return fields


@implementer(IPlugin, IMessageFilterProvider)
class RspamdProvider:
    """C{reception.filters = ["rspamd"]}."""

    name = "rspamd"

    def make(self, config: object, reactor: Any) -> IMessageFilter:
        """See L{IMessageFilterProvider.make}."""
        assert isinstance(config, Config)
        try:
            url = urlsplit(config.reception.rspamd_url)
            usable = url.scheme in ("http", "https") and url.hostname and url.port != 0
        except ValueError:
            usable = False
        if not usable:
            shown = repr(config.reception.rspamd_url)
            raise ConfigFault(f"[reception] rspamd_url = {shown}: must look like http://HOST:PORT")
        return Rspamd(config.reception, reactor)
