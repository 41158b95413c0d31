"""A configuration with nothing but what must be written."""

from __future__ import annotations

import pytest

from trekd.config.loader import load
from trekd.config.schema import Config

MINIMAL = """\
[server]
hostname = "mail.example.com"
domains = ["example.com"]
[tls]
certificate = "tls/cert.pem"
key = "tls/key.pem"
"""


@pytest.fixture(name="minimal")
def minimal_fixture() -> Config:
    """The smallest configuration that loads."""
    return load(MINIMAL, "/etc/trekmail/trekmail.toml")
