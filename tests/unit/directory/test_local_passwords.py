"""Password hashing."""

from __future__ import annotations

import pytest

from trekd.directory.local.passwords import Passwords
from trekd.errors import SyntaxFault


def test_parameters_are_those_promised() -> None:
    assert Passwords().hash("x").startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_right_wrong_and_none() -> None:
    passwords = Passwords(64, 1)
    encoded = passwords.hash("correct horse")
    assert encoded != passwords.hash("correct horse")
    assert passwords.verify(encoded, "correct horse")
    assert not passwords.verify(encoded, "correct horse ")
    assert not passwords.verify(None, "correct horse")
    assert not passwords.verify("garbage", "correct horse")


def test_unknown_account_costs_a_real_verification() -> None:
    """Whoever measures time must not learn which accounts exist."""
    calls: list[str] = []
    passwords = Passwords(64, 1)
    hasher = passwords._hasher
    real = hasher.verify

    class Counting:
        hash = staticmethod(hasher.hash)

        @staticmethod
        def verify(encoded: str, password: bytes) -> bool:
            calls.append(encoded)
            return bool(real(encoded, password))

    passwords._hasher = Counting()
    assert not passwords.verify(None, "x")
    assert len(calls) == 1 and "m=64,t=1,p=1" in calls[0]


def test_old_parameters_are_outdated() -> None:
    weak = Passwords(64, 1).hash("x")
    assert Passwords(128, 1).is_outdated(weak)
    assert not Passwords(64, 1).is_outdated(weak)


def test_impossible_passwords_are_not_hashed() -> None:
    for password in ("", "\0", "x" * 1025, "\u20ac" * 342):
        with pytest.raises(SyntaxFault):
            Passwords(64, 1).hash(password)
    assert Passwords(64, 1).hash("x" * 1024)
