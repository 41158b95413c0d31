"""
Reading the configuration file, for the daemon and C{trekctl} alike; without Twisted, so that C{trekctl} starts fast.
"""

from __future__ import annotations

import os

from trekd.config.loader import load
from trekd.config.schema import Config
from trekd.errors import ConfigFault

DEFAULT_CONFIG = "/etc/trekmail/trekmail.toml"


def read_config(path: str) -> Config:
    """
    Read a configuration file.

    @raise ConfigFault: with every complaint.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise ConfigFault(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigFault(f"{path}: is not UTF-8 text") from None
    return load(text, os.path.abspath(path))
