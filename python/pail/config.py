"""What a provider is configured with: a dict, the environment and CloudBridge's two files."""
from __future__ import annotations

import os

FILES = "/etc/cloudbridge.ini", os.path.join("~", ".cloudbridge")


def get_env(name, default=None):
    """The variable's text, or the default where it is unset or empty."""
    return os.environ.get(name) or default


def is_set(value):
    """False and 0 are values; None and '' are not."""
    return value is not None and value != ""


def as_bool(value):
    """A flag as people write it in files: 'False' is false."""
    if isinstance(value, str):
        return value.strip().lower() not in ("", "0", "false", "no", "off")
    return bool(value)


def file_values(section):
    """The section of CloudBridge's files; a user's file goes before the machine's."""
    paths = [os.path.expanduser(path) for path in FILES]
    if not any(os.path.exists(path) for path in paths):
        return {}
    import configparser
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(paths)
    return dict(parser[section]) if parser.has_section(section) else {}


class Configuration(dict):
    """The configuration as it was given, and the values that CloudBridge's users ask it for."""

    def number(self, name, default, env=None):
        value = self.get(name)
        value = value if is_set(value) else get_env(env) if env else None
        return int(value) if is_set(value) else default

    @property
    def default_result_limit(self) -> int:
        return self.number("default_result_limit", 50)

    @property
    def default_wait_timeout(self) -> int:
        return self.number("default_wait_timeout", 600)

    @property
    def default_wait_interval(self) -> int:
        return self.number("default_wait_interval", 5)

    @property
    def debug_mode(self) -> bool:
        value = self.get("cb_debug")
        return as_bool(value if is_set(value) else get_env("CB_DEBUG", ""))


class TransferConfig:
    """How an object is moved. None: as configured, else as Pail finds best.

    threshold: up to this many bytes in one request. part_size: bytes of a part.
    max_concurrency: requests at once.
    """

    def __init__(self, threshold: int | None = None, part_size: int | None = None,
                 max_concurrency: int | None = None) -> None:
        self.threshold, self.part_size, self.max_concurrency = threshold, part_size, max_concurrency

    def __repr__(self):
        return (f"TransferConfig(threshold={self.threshold}, part_size={self.part_size}, "
                f"max_concurrency={self.max_concurrency})")
