"""
The Authentication-Results field that a verified message gets (RFC 8601 §2.2).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from trekd.mailauth.dmarc import DMARCResult
from trekd.mailauth.interfaces import Origin
from trekd.mailauth.spf import SPFResult
from trekd.mailauth.verification import Finding
from trekd.mime.authresults import written_address, written_comment, written_domain, written_value

_WIDTH = 76


def results_field(
    hostname: str, origin: Origin, spf: SPFResult, findings: Sequence[Finding], dmarc: Sequence[DMARCResult]
) -> bytes:
    """The whole field with its CRLF; nothing in it that a sender chose can end it or say something else."""
    parts = [_spf(origin, spf)]
    parts += [_dkim(finding) for finding in findings] or [["dkim=none"]]
    parts += [_dmarc(result) for result in dmarc]
    text = f"Authentication-Results: {written_domain(hostname)}"
    for words in parts:
        text += ";" + _folded(words)
    return text.encode("utf-8") + b"\r\n"


def _spf(origin: Origin, spf: SPFResult) -> list[str]:
    """RFC 8601 §2.7.2."""
    if origin.reverse_path is None:
        return [f"spf={spf.result}", f"smtp.helo={written_value(origin.hello)}"]
    path = origin.reverse_path
    return [f"spf={spf.result}", f"smtp.mailfrom={written_address(path.local, path.domain)}"]


def _dkim(finding: Finding) -> list[str]:
    """RFC 8601 §2.7.1, RFC 6008 §4."""
    words = [f"dkim={finding.result}"]
    if finding.reason:
        words.append(written_comment(finding.reason))
    signature = finding.signature
    if signature is not None:
        words += [f"header.d={signature.domain}", f"header.s={signature.selector}"]
        words.append(f"header.a={written_value(signature.algorithm)}")
        words.append(f"header.b={written_value(base64.b64encode(signature.signature).decode()[:8])}")
    return words


def _dmarc(result: DMARCResult) -> list[str]:
    """RFC 7489 §11.1."""
    words = [f"dmarc={result.result}"]
    if result.policy is not None:
        words.append(written_comment(f"p={result.policy.value} dis={result.disposition.value}"))
    return [*words, f"header.from={written_domain(result.domain)}"] if result.domain else words


def _folded(words: Sequence[str]) -> str:
    """Words on lines of their own, as many as fit."""
    text, width = "", _WIDTH
    for word in words:
        if width + len(word) >= _WIDTH:
            text += "\r\n\t" + word
            width = 8 + len(word)
        else:
            text += " " + word
            width += 1 + len(word)
    return text
