"""What a setting asks for and an extra brings; its module is imported only then."""

from importlib import import_module
from typing import Any, NamedTuple

from channels import conf


class Extra(NamedTuple):
    """One of them.

    Attributes:
        setting: What asks for it.
        module: Ours, which needs the package.
        package: The distribution.
        name: Of the extra.
    """

    setting: str
    module: str
    package: str
    name: str

    @property
    def is_wanted(self) -> bool:
        """Whether the settings ask for it."""
        return bool(conf.get(self.setting))

    @property
    def complaint(self) -> str:
        """What to say where the package is missing."""
        return f"{self.setting} needs {self.package}: pip install 'channels-classic[{self.name}]'"

    def load(self) -> Any:
        """Return the module; None if the package is missing."""
        try:
            return import_module(self.module)
        except ImportError:
            return None


METRICS = Extra("CHANNELS_METRICS", "channels.observe.metrics", "prometheus-client", "metrics")
TRACING = Extra("CHANNELS_TRACING", "channels.observe.traces", "opentelemetry-api", "tracing")
