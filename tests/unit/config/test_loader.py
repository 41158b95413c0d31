"""Loading: every complaint with its place, all at once, and sections as they were meant."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.config.conftest import MINIMAL
from trekd.config.loader import load
from trekd.config.schema import PLANS, Config
from trekd.errors import ConfigFault


def _complaints(text: str) -> list[str]:
    with pytest.raises(ConfigFault) as caught:
        load(text, "t.toml")
    return list(caught.value.complaints)


def _of(extra: str) -> list[str]:
    """Complaints about lines added to the smallest configuration; line 7 is the first of them."""
    return _complaints(MINIMAL + extra)


def test_the_smallest_configuration_has_every_default(minimal: Config) -> None:
    assert minimal.listen.imaps == ("tcp:993",)
    assert minimal.imap.idle_timeout == 1800
    assert minimal.smtp.max_message == 50 * 1024 * 1024
    assert minimal.directory.local.file == "/var/lib/trekmail/directory.sqlite"
    assert minimal.server.postmaster == "postmaster@example.com"
    assert minimal.tls.certificate == "/etc/trekmail/tls/cert.pem"


def test_the_four_plans_have_the_promised_connections(minimal: Config) -> None:
    promised = {"nano": (10, 15), "starter": (25, 40), "pro": (50, 80), "agency": (100, 150)}
    assert {n: (p.connections_per_ip, p.connections_total) for n, p in minimal.plans.items()} == promised
    assert minimal.plans["nano"].outbound == "own-smtp-only"
    assert {plan.outbound for name, plan in minimal.plans.items() if name != "nano"} == {"any"}


def test_sections_cannot_be_changed(minimal: Config) -> None:
    with pytest.raises(FrozenInstanceError):
        minimal.imap.idle_timeout = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        minimal.plans["nano"] = minimal.plans["pro"]  # type: ignore[index]


def test_a_written_key_of_a_plan_leaves_its_others_alone() -> None:
    plans = load(MINIMAL + '[plans.pro]\nquota = "1TB"\n[plans.gold]\noutbound = "any"\n', "t").plans
    assert plans["pro"].quota == 1024**4
    assert plans["pro"].connections_total == PLANS["pro"].connections_total
    assert plans["gold"].connections_total == 15
    assert PLANS["pro"].quota == 50 * 1024**3


@pytest.mark.parametrize(
    ("lines", "hourly"),
    [("", 200), ("messages_per_day = 12", 3), ("messages_per_day = 0", 0), ("messages_per_hour = 0", 0)],
)
def test_the_hours_messages_are_a_fifth_of_the_days_unless_written(lines: str, hourly: int) -> None:
    config = load(f"{MINIMAL}\n[plans.nano]\n{lines}\n", "/etc/trekmail/trekmail.toml")
    assert config.plans["nano"].hourly == hourly


def test_relative_paths_start_from_the_file() -> None:
    text = (
        MINIMAL.replace("[tls]", 'data_dir = "../run/data"\n[tls]')
        + '[listen]\nlmtp = ["unix:../run/lmtp"]\n'
    )
    config = load(text, "/src/etc/demo.toml")
    assert config.server.data_dir == "/src/run/data"
    assert config.directory.local.file == "/src/run/data/directory.sqlite"
    assert config.listen.lmtp == ("unix:/src/run/lmtp",)


def test_the_documented_complaint_is_word_for_word() -> None:
    assert _of('[imap]\nidle_timeout = "5m"\n') == [
        't.toml:8: [imap] idle_timeout = "5m": at least 30m (RFC 9051 §5.4)'
    ]


@pytest.mark.parametrize(
    ("extra", "complaint"),
    [
        (
            "[imap]\nidel_timeout = 1\n",
            "t.toml:8: [imap] idel_timeout: unknown key; did you mean idle_timeout?",
        ),
        ("[imapp]\na = 1\n", "t.toml:7: [imapp]: unknown section; did you mean imap?"),
        ("[listen]\nimaps = 993\n", "t.toml:8: [listen] imaps = 993: must be a list"),
        (
            '[listen]\nimaps = "tcp:993"\n',
            't.toml:8: [listen] imaps = "tcp:993": must be a list: ["tcp:993"]',
        ),
        (
            '[listen]\nimaps = ["tcp:x"]\n',
            't.toml:8: [listen] imaps = ["tcp:x"]: "tcp:x" has a port that is not within 0 and 65535',
        ),
        ('[listen]\nimap = ["tcp:465"]\n', "is also listed for"),
        ('[listen]\nimap = ["tcp:143", "tcp:143"]\n', "is listed twice"),
        (
            '[listen]\nhttps = []\nhttp = ["tcp:80"]\n',
            '[listen] http = ["tcp:80"]: redirects to https, which is off',
        ),
        ('[log]\nlevel = "loud"\n', 'must be one of "debug", "info", "warn", "error"'),
        ("[server.x]\n", "[server.x]: unknown section"),
        ("[smtp]\nmax_recipients = 50\n", "[smtp] max_recipients = 50: at least 100 (RFC 5321 §4.5.3.1.8)"),
        ("[plans.nano]\nconnections_total = 5\n", "connections_per_ip: more than connections_total = 5"),
        ("[plans]\nNano = {}\n", "[plans.Nano]: must have a lower-case name"),
        ("[plans]\nnano = 3\n", "[plans] nano = 3: must be a section: [plans.nano]"),
        ('[directory.local]\ndefault_plan = "gold"\n', "no such plan; there are nano, starter, pro, agency"),
        (
            '[directory.ldap]\nplans = [{ group = "cn=a", plan = "gold" }]\n',
            't.toml:8: [[directory.ldap.plans]] plan = "gold": no such plan',
        ),
        ('[directory.ldap]\nplans = [{ plan = "pro" }]\n', "[[directory.ldap.plans]] group: is missing"),
        ("[directory.ldap]\nplans = [1]\n", "must be a list of tables: [[directory.ldap.plans]]"),
        ('[directory]\nbackend = "ldap"\n', "[directory.ldap] uris: is missing"),
        ('[[tls.sni]]\nnames = []\ncertificate = "c"\nkey = "k"\n', "[[tls.sni]] names = []: names no host"),
        ('[queue]\nretry_first = "9h"\n', '[queue] retry_first = "9h": more than retry_max'),
        ('[limits]\ntrusted_networks = ["10.0.0.1/8"]\n', "must be an IP network"),
        ("[plugins.People]\na = 1\n", "t.toml:7: [plugins.People]: must have a lower-case name"),
        ("[plugins]\na = 1\n", "t.toml:8: [plugins] a = 1: must be a section: [plugins.a]"),
        ('[log]\n"a\\nb" = 1\n', 't.toml:8: [log] "a\\nb": unknown key'),
        ("[server]\n", "t.toml:7: "),
    ],
)
def test_a_mistake_is_named_with_its_place(extra: str, complaint: str) -> None:
    complaints = _of(extra)
    assert any(complaint in each for each in complaints), complaints


def test_settings_of_plugins_are_taken_as_they_are() -> None:
    plugins = load(MINIMAL + '[plugins.people]\nfile = "/p.json"\nnames = ["a", 1]\n', "t").plugins
    assert {name: dict(keys) for name, keys in plugins.items()} == {"people": {"file": "/p.json", "names": ["a", 1]}}
    with pytest.raises(TypeError):
        plugins["people"]["file"] = "/other"  # type: ignore[index]


def test_one_mistake_gives_one_complaint() -> None:
    assert len(_of('[imap]\nidle_timeout = "5m"\n')) == 1
    assert len(_of('[queue]\nretry_first = "soon"\nretry_max = "1m"\n')) == 1
    assert len(_of('[listen]\nimap = ["tcp:465"]\n')) == 1


def test_all_mistakes_come_at_once_in_the_order_of_the_file() -> None:
    complaints = _complaints(
        '[imap]\nmax_line = 1\n[server]\nhostname = "a b"\n'
        '[limits]\nipv6_prefix = 1\n[listen]\nimap = ["tcp:993"]\n'
    )
    assert [int(each.split(":")[1]) for each in complaints] == sorted(
        int(each.split(":")[1]) for each in complaints
    )
    for part in ("max_line", "hostname", "domains: is missing", "ipv6_prefix", "tcp:993", "certificate"):
        assert any(part in each for each in complaints), part


def test_a_value_under_an_unknown_key_is_not_repeated() -> None:
    """It may be a secret written in the wrong place, and complaints reach the log."""
    assert "hunter2" not in "\n".join(_of('[directory.ldap]\nbind_password = "hunter2"\n'))


@pytest.mark.parametrize("listener", ["imaps", "imap", "submissions", "submission", "https"])
def test_listeners_that_need_tls_need_a_certificate(listener: str) -> None:
    off = ["imaps", "imap", "submissions", "submission", "https"]
    lines = [f"{name} = {['tcp:1993'] if name == listener else []}" for name in off]
    text = '[server]\nhostname = "m.example.com"\ndomains = ["example.com"]\n[listen]\n' + "\n".join(lines)
    assert any(f"[listen] {listener} cannot do without TLS" in each for each in _complaints(text))


def test_a_host_without_tls_services_needs_no_certificate() -> None:
    off = "\n".join(f"{name} = []" for name in ("imaps", "submissions", "submission", "https"))
    text = '[server]\nhostname = "m.example.com"\ndomains = ["example.com"]\n[listen]\n' + off
    assert load(text, "t").tls.certificate == ""


def test_half_a_certificate_is_a_mistake() -> None:
    assert any(
        "[tls] key: is missing" in each for each in _complaints(MINIMAL.replace('key = "tls/key.pem"', ""))
    )
    without = MINIMAL.replace('certificate = "tls/cert.pem"', "")
    assert any("[tls] certificate: is missing" in each for each in _complaints(without))


def test_a_host_name_has_one_certificate() -> None:
    row = '[[tls.sni]]\nnames = ["x.example"]\ncertificate = "c"\nkey = "k"\n'
    assert _of(row + row) == [
        't.toml:12: [[tls.sni]] names = ["x.example"]: x.example has another certificate already'
    ]


def test_ports_picked_by_the_system_may_be_listed_often() -> None:
    listen = '[listen]\nimaps = ["tcp:0"]\nsubmissions = ["tcp:0"]\nhttps = ["tcp:0:interface=127.0.0.1"]\n'
    assert load(MINIMAL + listen, "t").listen.submissions == ("tcp:0",)


LDAP = '[directory]\nbackend = "ldap"\n[directory.ldap]\nbase = "dc=example,dc=com"\n'


def test_a_preset_sits_below_written_keys() -> None:
    text = LDAP + 'uris = ["ldaps://ldap"]\npreset = "active-directory"\nattr_mail = "userPrincipalName"\n'
    ldap = load(MINIMAL + text, "t").directory.ldap
    assert ldap.attr_alias == "proxyAddresses"
    assert ldap.attr_mail == "userPrincipalName"


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ('uris = ["ldap://ldap.example.com"]', "would send passwords in clear"),
        ('uris = ["ldap://127.0.0.1.example.com"]', "would send passwords in clear"),
        ('uris = ["ldaps://l"]\nstarttls = true', "is for ldap:// URIs"),
        ('uris = ["ldaps://l"]\nauth = "template"', "user_dn_template: is missing"),
        ('uris = ["ldaps://l"]\nbind_dn = "cn=a"', "bind_password_file: is missing"),
        ('uris = ["ldaps://l"]\nfilter = "(mail=x)"', "does not contain {user}"),
        ('uris = ["ldaps://l"]\nfilter = "(mail={user}))"', "balanced parentheses"),
        ('uris = ["ldaps://l"]\npreset = "novell"', "must be one of"),
    ],
)
def test_ldap_mistakes_are_found(lines: str, complaint: str) -> None:
    assert any(complaint in each for each in _of(LDAP + lines + "\n"))


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ('smarthost = "smtp.example.net"', "must be a host and a port"),
        ('smarthost = "smtp.example.net:0"', "must be a host and a port"),
        ('smarthost = "a:25"\nsmarthost_user = "u"', "smarthost_password_file: is missing"),
        ('smarthost = "a:25"\nsmarthost_user = "u"\nsmarthost_tls = "none"', "never sent without TLS"),
    ],
)
def test_smart_host_mistakes_are_found(lines: str, complaint: str) -> None:
    assert any(complaint in each for each in _of("[relay]\n" + lines + "\n"))


@pytest.mark.parametrize(
    "lines",
    [
        'uris = ["ldap://127.0.0.1:3389", "ldap://[::1]", "ldap://localhost"]',
        'uris = ["ldap://ldap.example.com"]\nstarttls = true',
        'uris = ["ldap://ldap.example.com"]\nallow_cleartext = true',
    ],
)
def test_clear_ldap_is_taken_where_it_is_safe_or_asked_for(lines: str) -> None:
    assert load(MINIMAL + LDAP + lines + "\n", "t").directory.ldap.uris


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("[server]\nhostname = \n", "t.toml:2: "),
        ("a = 1\na = 2\n", "t.toml:2: "),
        ("[server]\nx = [1,\n", "t.toml:3: "),
        ("x = " + "9" * 5000, "t.toml:1: "),
        ("x = " + "[" * 3000 + "]" * 3000, "t.toml:1: nested too deeply"),
        ('server = "here"\n', 't.toml:1: [server] = "here": must be a section: [server]'),
    ],
)
def test_text_that_is_no_toml_is_one_complaint_with_a_line(text: str, start: str) -> None:
    assert _complaints(text)[0].startswith(start)


_VALUES = st.recursive(
    st.sampled_from(
        ['""', '"x"', "0", "-1", "true", "1.5", '"tcp:1"', "[]", "{}", "1979-05-27", "nan", "2.0e400"]
    ),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]"),
    max_leaves=4,
)
_NAMES = st.sampled_from(
    [
        "server",
        "tls.sni",
        "tls",
        "plans",
        "plans.nano",
        "directory.ldap",
        "listen",
        "imap",
        "zzz",
        "server.hostname",
    ]
)
_KEYS = st.sampled_from(
    ["hostname", "names", "nano", "uris", "plans", "imaps", "idle_timeout", "sni", "ldap", "filter"]
)


@given(st.lists(st.tuples(_NAMES, _KEYS, _VALUES), max_size=6))
def test_nothing_but_complaints_comes_of_any_value(lines: list[tuple[str, str, str]]) -> None:
    text = "\n".join(f"{name}.{key} = {value}" for name, key, value in lines)
    try:
        load(text, "t.toml")
    except ConfigFault as fault:
        assert all(each.startswith("t.toml:") for each in fault.complaints)
