"""The layers of STYLE §1 hold, and the test that says so can fail."""

from __future__ import annotations

import pytest

from tests.tools.layers import Rules, cycles, violations
from tests.tools.source import ROOT, Module, modules, words_table

RULES = Rules(words_table("trekd:layers"), words_table("trekd:seams"))


def test_no_room_imports_what_it_must_not() -> None:
    assert violations(RULES, modules()) == []


def test_the_table_itself_has_no_cycle() -> None:
    edges = {
        room: {str(RULES.room_of(name)) for name in allowed if name != "*"} - {room}
        for room, allowed in RULES.layers.items()
    }
    assert cycles(edges) == []


def test_the_plugin_imports_nothing_of_ours() -> None:
    """twistd loads every plugin on every run, as long as no cache says what is in it."""
    for module in modules(ROOT, "twisted"):
        if module.path.endswith("trekmail_providers.py"):  # what it is there for
            continue
        assert [name for _, name in module.imports() if name.split(".")[0] == "trekd"] == []


@pytest.mark.parametrize("directory", ["twisted", "twisted/plugins"])
def test_twisted_directories_are_no_packages_of_ours(directory: str) -> None:
    """With an C{__init__.py} the plugin vanishes, or Twisted itself does."""
    assert not (ROOT / directory / "__init__.py").exists()


def _module(name: str, text: str) -> Module:
    return Module(name, name.replace(".", "/") + ".py", text)


def _found(name: str, text: str, *others: str) -> list[str]:
    """Violations of one module beside other, empty ones."""
    return violations(RULES, [_module(name, text), *(_module(other, "") for other in others)])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("trekd.values", "import trekd.config.schema"),
        ("trekd.mime.scanner", "from trekd.calendar import recurrence"),
        ("trekd.mime.scanner", "from twisted.internet import defer"),
        ("trekd.imap.grammar.lines", "from twisted.python import log"),
        ("trekd.imap.grammar.lines", "from trekd.imap import session"),
        ("trekd.imap.grammar.lines", "from .. import session"),
        ("trekd.imap.grammar.lines", "from ..session import Session"),
        ("trekd.imap.session", "from trekd.smtp import session"),
        ("trekd.imap.session", "def f():\n    from trekd.store.sqlite import provider"),
        (
            "trekd.imap.session",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import trekd.dav.core",
        ),
        ("trekd.imap.session", "from importlib import import_module\nimport_module('trekd.store.memory')"),
        ("trekd.imap.session", "import trekd.store"),
        ("trekd.imap.session", "from trekd import store"),
        ("trekd.imap.session", "from trekd.portal import limits"),
        ("trekd.imap.session", "from twisted.mail import imap4"),
        ("trekd.imap.session", "from twisted.mail.imap4 import IMAP4Server"),
        ("trekd.imap.session", "from twisted.internet import reactor"),
        ("trekd.service", "import threading"),
        ("trekd.imap.session", "import threading"),
        ("trekd.imap.session", "from twisted.internet.threads import deferToThread"),
        ("trekd.smtp.session", "from twisted.mail import smtp"),
        ("trekd.imap.session", "from twisted.web import resource"),
        ("trekd.portal.limits", "from trekd.store.sqlite import provider"),
        ("trekd.portal.realm", "from twisted.mail.imap4 import IMAP4Server"),
        ("trekd.queue.spool", "import trekd.imap.session"),
        ("trekd.store.sqlite.provider", "import trekd.service"),
        ("trekd.directory.local.provider", "from trekd.store import interfaces"),
        ("trekd.web.site", "import trekd.tls"),
        ("trekd.web.site", "from trekd.cli import main"),
        ("trekd.attic", ""),
    ],
)
def test_a_wrong_import_is_found(name: str, text: str) -> None:
    others = ("trekd.store.interfaces", "trekd.store", "trekd.portal.limits", "trekd.store.sqlite.provider")
    assert len(_found(name, text, *others)) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("trekd", ""),
        ("trekd.mime.scanner", "import re\nfrom trekd.values import UID\nfrom trekd.mime import header"),
        ("trekd.imap.session", "from trekd import __version__"),
        ("trekd.imap.session", "from trekd.store import interfaces"),
        ("trekd.imap.session", "from trekd.store.interfaces import IStore"),
        ("trekd.imap.session", "from trekd.imap.grammar.lines import Reader"),
        ("trekd.imap.protocol", "from twisted.mail.imap4 import IMAP4Server"),
        ("trekd.smtp.protocol", "from twisted.mail import smtp"),
        ("trekd.queue.relay", "from twisted.mail import smtp"),
        (
            "trekd.portal.realm",
            "from twisted.mail.imap4 import IAccount\nfrom twisted.mail.smtp import IMessageDelivery",
        ),
        ("trekd.portal.realm", "from twisted.mail.interfaces import IMessageDelivery"),
        ("trekd.dav.resource", "from twisted.web.resource import Resource"),
        ("trekd.store.sqlite.pool", "from twisted.python.threadpool import ThreadPool"),
        ("trekd.service", "from trekd.store.sqlite import provider\nfrom trekd import tls"),
        ("trekd.cli.main", "from twisted.internet import reactor\nimport trekd.service"),
    ],
)
def test_a_right_import_is_not_complained_of(name: str, text: str) -> None:
    others = ("trekd.store.interfaces", "trekd.imap.grammar.lines", "trekd.store", "trekd.tls")
    assert _found(name, text, *others) == []


def test_rooms_that_import_each_other_are_found() -> None:
    rules = Rules({"trekd.a": ("trekd.b",), "trekd.b": ("trekd.c",), "trekd.c": ("trekd.a",)}, {})
    sources = [
        _module("trekd.a.one", "import trekd.b.one"),
        _module("trekd.b.one", "import trekd.c.one"),
        _module("trekd.c.one", "import trekd.a.two"),
        _module("trekd.a.two", ""),
    ]
    assert violations(rules, sources) == ["rooms import each other: trekd.a -> trekd.b -> trekd.c -> trekd.a"]
