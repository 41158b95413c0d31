"""The sample file: current, loadable as it is and with every key in force."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from trekd.config.directory import LDAPConfig
from trekd.config.loader import load
from trekd.config.sample import sample
from trekd.config.schema import LimitsConfig

ROOT = Path(__file__).parents[3]


def test_the_installed_sample_is_current() -> None:
    """Run C{python -m trekd.config.sample > etc/trekmail.toml} when this fails."""
    assert (ROOT / "etc/trekmail.toml").read_text() == sample()


def test_the_sample_loads_as_it_is() -> None:
    config = load(sample(), "/etc/trekmail/trekmail.toml")
    assert config.server.hostname == "mail.example.com"
    assert config.tls.key == "/etc/trekmail/tls/privkey.pem"


def test_keys_behind_a_number_sign_are_the_defaults() -> None:
    name = "/etc/trekmail/trekmail.toml"
    plain = load(sample(), name)
    every = load(re.sub(r"(?m)^#(?=[a-z_]+ = |\[)", "", sample()), name)
    for section in ("server", "listen", "plans", "imap", "smtp", "queue", "store", "log"):
        assert getattr(every, section) == getattr(plain, section), section
    assert every.limits == replace(
        LimitsConfig(), trusted_networks=("192.0.2.10/32",), proxy_networks=("192.0.2.20/32",)
    )
    shown = every.directory.ldap
    assert shown.attr_mail == LDAPConfig().attr_mail
    assert shown.plans[0].plan == "pro"
    assert every.tls.sni[0].names == ("mail.example.org",)


def test_every_line_of_the_sample_is_short_enough_to_read() -> None:
    assert max(map(len, sample().splitlines())) <= 120


def test_the_demo_configuration_loads() -> None:
    path = ROOT / "etc/demo.toml"
    config = load(path.read_text(), str(path))
    assert config.server.data_dir == str(ROOT / "run" / "data")
    assert config.listen.imaps == ("tcp:9993:interface=127.0.0.1",)
