"""L{trekd.smtp.rspamd}: what rspamd's answers mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trekd.config.loader import load
from trekd.errors import ConfigFault, ScannerDown
from trekd.smtp.interfaces import Verdict
from trekd.smtp.rspamd import RspamdProvider, judgement


def answer(action: str, **more: Any) -> bytes:
    return json.dumps({"action": action, "score": 7.25, "required_score": 15.0, **more}).encode()


@pytest.mark.parametrize(
    ("action", "verdict"),
    [
        ("no action", Verdict.ACCEPT),
        ("greylist", Verdict.DEFER),
        ("soft reject", Verdict.DEFER),
        ("add header", Verdict.JUNK),
        ("rewrite subject", Verdict.JUNK),
        ("reject", Verdict.REJECT),
    ],
)
def test_each_action_has_a_verdict(action: str, verdict: Verdict) -> None:
    found = judgement(answer(action))
    assert found.verdict is verdict
    assert ("X-Spam-Score", "7.25 / 15.00") in found.added
    assert (("X-Spam", "Yes") in found.added) is (verdict is Verdict.JUNK)
    assert {"X-Spam", "X-Spam-Score"} <= set(found.removed)


def test_headers_texts_and_subject_are_passed_on() -> None:
    found = judgement(
        answer(
            "rewrite subject",
            subject="*** SPAM *** x",
            messages={"smtp_message": "Go away"},
            milter={
                "remove_headers": {"X-Old": 0},
                "add_headers": {"A": "1", "B": {"value": "2", "order": 0}, "C": [{"value": "3"}, "4"]},
            },
        )
    )
    assert found.subject == "*** SPAM *** x" and found.text == "Go away"
    assert found.added[2:] == (("A", "1"), ("B", "2"), ("C", "3"), ("C", "4"))
    assert "X-Old" in found.removed
    assert judgement(answer("no action", subject="x")).subject is None


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"null",
        b"[]",
        b"\xff",
        b'{"action": "dance"}',
        b'{"action": []}',
        b'{"action": "reject", "score": "much"}',
        b'{"action": "reject", "milter": 5}',
        b'{"action": "reject", "milter": {"add_headers": [1]}}',
        b'{"action": "reject", "milter": {"add_headers": {"A": {}}}}',
        b'{"action": "reject", "messages": "x"}',
        b"[" * 100_000,
    ],
    ids=lambda octets: repr(octets[:40]),
)
def test_an_answer_that_makes_no_sense_is_none(octets: bytes) -> None:
    with pytest.raises(ScannerDown):
        judgement(octets)


@pytest.mark.parametrize("url", ["", "rspamd", "ftp://x", "http://", "http://x:y", "http://[::1"])
def test_an_url_that_is_none_is_named(tmp_path: Path, url: str) -> None:
    text = f'[server]\nhostname = "h.example"\ndomains = ["example.com"]\n[reception]\nrspamd_url = "{url}"\n'
    off = "[listen]\n" + "".join(f"{name} = []\n" for name in ("imaps", "submissions", "submission", "https"))
    with pytest.raises(ConfigFault, match="rspamd_url"):
        RspamdProvider().make(load(text + off, str(tmp_path / "x.toml")), None)
