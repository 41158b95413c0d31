"""
How the configuration makes the embedded directory.
"""

from __future__ import annotations

from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from trekd.config.schema import Config
from trekd.directory.interfaces import IDirectory, IDirectoryProvider
from trekd.directory.local.directory import LocalDirectory


@implementer(IPlugin, IDirectoryProvider)
class LocalDirectoryProvider:
    """C{directory.backend = "local"}."""

    name = "local"

    def make(self, config: object, reactor: Any) -> IDirectory:
        """See L{IDirectoryProvider.make}."""
        assert isinstance(config, Config)
        settings = config.directory.local
        # Keys are easier to guess from than the hash, so they are not kept for nothing.
        iterations = settings.scram_iterations if config.login.mechanisms else 0
        return LocalDirectory(settings.file, reactor, settings.hash_threads, config.directory.max_waiting, iterations)
