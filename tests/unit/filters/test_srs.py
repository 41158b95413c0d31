"""Rewritten senders."""

from __future__ import annotations

from pathlib import Path

import pytest

from trekd.errors import ConfigFault
from trekd.filters.secret import read_secret
from trekd.filters.srs import DAY, LIFETIME, SenderRewriting
from trekd.values import Address

NOW = 1_700_000_000.0
OURS, THEIRS = SenderRewriting(b"a" * 32), SenderRewriting(b"b" * 32)
BOB = Address("Bob", "elsewhere.example")


def test_a_second_forwarder_keeps_the_first() -> None:
    first = THEIRS.rewrite(BOB, "first.example", NOW)
    assert first is not None
    second = OURS.rewrite(first, "ours.example", NOW)
    assert second is not None and second.local.startswith("SRS1=")
    assert OURS.restore(second, NOW) == first
    third = THEIRS.rewrite(second, "third.example", NOW)
    assert third is not None and third.local.count("ours.example") == 0
    assert THEIRS.restore(third, NOW) == first
    assert THEIRS.restore(first, NOW) == BOB


def test_the_case_may_change_on_the_way() -> None:
    rewritten = OURS.rewrite(BOB, "ours.example", NOW)
    assert rewritten is not None
    for local in (rewritten.local.lower(), rewritten.local.upper()):
        found = OURS.restore(Address(local, "ours.example"), NOW)
        assert found is not None and str(found).lower() == "bob@elsewhere.example"


def test_it_ends_after_its_lifetime() -> None:
    rewritten = OURS.rewrite(BOB, "ours.example", NOW)
    assert rewritten is not None
    assert OURS.restore(rewritten, NOW + LIFETIME * DAY) == BOB
    assert OURS.restore(rewritten, NOW + (LIFETIME + 1) * DAY) is None
    assert OURS.restore(rewritten, NOW - DAY) is None


def test_forged_ones_are_nobody() -> None:
    rewritten = OURS.rewrite(BOB, "ours.example", NOW)
    assert rewritten is not None
    forged = rewritten.local.replace("Bob", "Eve")
    assert OURS.restore(Address(forged, "ours.example"), NOW) is None
    assert THEIRS.restore(rewritten, NOW) is None


def test_a_sender_that_is_too_long_is_not_rewritten() -> None:
    """RFC 5321 §4.5.3.1.3."""
    assert OURS.rewrite(Address("x" * 240, "elsewhere.example"), "ours.example", NOW) is None


def test_the_secret_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "srs.secret"
    secret = read_secret(path)
    assert len(secret) >= 32 and read_secret(path) == secret
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("short")
    with pytest.raises(ConfigFault, match=r"srs\.secret"):
        read_secret(path)
