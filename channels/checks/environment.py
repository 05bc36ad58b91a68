"""Checks of what stands beside this package: other distributions, and other apps' commands."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from django.core.checks import CheckMessage
from django.core.management import get_commands, load_command_class

from channels.checks import catalogue
from channels.observe import extras
from channels.registry import DEFAULT_CHANNEL_LAYER, channel_layers

OUR_RUNSERVER = "channels.management.commands.runserver"


def check_distributions(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """No other distribution with a package ``channels`` is installed."""
    try:
        other = version("channels")
    except PackageNotFoundError:
        return []
    text = f"The distribution channels {other} is installed beside channels-classic and overwrites its files."
    return [catalogue.OTHER_CHANNELS(text)]


def check_extras(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """What the settings ask for is installed."""
    wanted = [extra for extra in (extras.METRICS, extras.TRACING) if extra.is_wanted]
    return [catalogue.EXTRA_MISSING(f"{extra.complaint}.") for extra in wanted if extra.load() is None]


def check_runserver(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """The command ``runserver`` is ours, or built on ours."""
    owner = get_commands().get("runserver")
    if owner is None or owner == "channels" or DEFAULT_CHANNEL_LAYER not in channel_layers:
        return []
    try:
        command: Any = load_command_class(owner, "runserver") if isinstance(owner, str) else owner
    except Exception as error:
        return [catalogue.OTHER_RUNSERVER(f"The command runserver of {owner} cannot be imported: {error}")]
    if any(base.__module__ == OUR_RUNSERVER for base in type(command).__mro__):
        return []
    return [catalogue.OTHER_RUNSERVER(f"The command runserver is that of the app {owner}.")]
