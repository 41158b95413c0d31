"""
One run of C{trekctl}: its options, its configuration, and the way to the operations.
"""

from __future__ import annotations

from argparse import Namespace

from trekd.cli.control import Control, connect
from trekd.config.schema import Config
from trekd.configfile import read_config


class Session:
    """
    What a command gets.

    @ivar options: of the command line.
    @ivar json: whether a program reads what is printed.
    """

    def __init__(self, options: Namespace) -> None:
        self.options = options
        self.json: bool = options.json
        self._config: Config | None = None
        self._control: Control | None = None

    def config(self) -> Config:
        """
        The configuration.

        @raise ConfigFault: with every complaint.
        """
        if self._config is None:
            self._config = read_config(self.options.config)
        return self._config

    def control(self, needs_daemon: bool = False) -> Control:
        """
        The way to the operations.

        @raise CommandFailure: there is none.
        """
        if self._control is None:
            self._control = connect(self.config(), needs_daemon, self.options.debug)
        return self._control

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        if self._control is not None:
            self._control.close()
