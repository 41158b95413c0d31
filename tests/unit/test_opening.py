"""L{trekd.opening}: the configuration file, and providers by name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import twisted.plugins
from tests.fakes.running import PumpedReactor
from trekd.config.loader import load
from trekd.config.schema import Config
from trekd.configfile import read_config
from trekd.errors import ConfigFault
from trekd.mime.reader import MimeReader
from trekd.opening import open_directory, open_store
from trekd.store.memory.provider import MemoryStore

PLUGIN = """\
from twisted.plugin import IPlugin
from zope.interface import implementer
from trekd.store.interfaces import IStoreProvider


@implementer(IPlugin, IStoreProvider)
class Provider:
    name = "elsewhere"

    def make(self, config, reader, reactor):
        return ("made", config.server.hostname, reader, reactor)


provider = Provider()
"""


def config(directory: Path, more: str) -> Config:
    text = '[server]\nhostname = "mail.example.com"\ndomains = ["example.com"]\ndata_dir = "data"\n'
    text += "[listen]\nimaps = []\nsubmissions = []\nsubmission = []\nhttps = []\n"
    return load(text + more, str(directory / "trekmail.toml"))


def test_an_unknown_store_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigFault) as caught:
        open_store(config(tmp_path, '[store]\nbackend = "postgres"\n'), PumpedReactor())
    (complaint,) = caught.value.complaints
    assert complaint == "[store] backend = 'postgres': no such provider; known are memory, sqlite"


def test_an_unknown_directory_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigFault, match="'nis': no such provider; known are ldap, local"):
        open_directory(config(tmp_path, '[directory]\nbackend = "nis"\n'), PumpedReactor())


def test_a_plugin_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropped into C{twisted/plugins} of any directory on the path, as Twisted's plugins are."""
    plugins = tmp_path / "twisted" / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "elsewhere_store.py").write_text(PLUGIN)
    monkeypatch.setattr(twisted.plugins, "__path__", [*twisted.plugins.__path__, str(plugins)])
    reactor = PumpedReactor()
    try:
        made = open_store(config(tmp_path, '[store]\nbackend = "elsewhere"\n'), reactor)
    finally:
        sys.modules.pop("twisted.plugins.elsewhere_store", None)
    what, hostname, reader, given = made  # type: ignore[misc]
    assert (what, hostname, given) == ("made", "mail.example.com", reactor)
    assert isinstance(reader, MimeReader)


def test_the_built_in_ones_are_found_the_same_way(tmp_path: Path) -> None:
    made = open_store(config(tmp_path, '[store]\nbackend = "memory"\n'), PumpedReactor())
    assert isinstance(made, MemoryStore)
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_a_configuration_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "trekmail.toml"
    path.write_bytes(b"\xff\xfe[server]")
    with pytest.raises(ConfigFault, match="is not UTF-8 text"):
        read_config(str(path))
    with pytest.raises(ConfigFault, match="No such file"):
        read_config(str(tmp_path / "missing.toml"))
