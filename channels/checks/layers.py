"""Checks of ``CHANNEL_LAYERS``: its shape first, then whether layers and routings can be made of it."""

import inspect
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from channels import conf
from channels.checks import catalogue
from channels.registry import DEFAULT_CHANNEL_LAYER, OLD_BACKENDS, channel_layers

ORDERED_CHANNELS = ("websocket.connect", "websocket.receive", "websocket.disconnect")
LATEST_REDELIVERY = 1.5
"""Times ``redelivery_after`` until a message is delivered again, at the latest."""

ENTRY_KEYS = ("BACKEND", "ROUTING", "CONFIG", "TEST_CONFIG")


def check_layers(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Each entry of ``CHANNEL_LAYERS`` is whole and makes a layer, and its routing and consumers can be imported."""
    configs: Any = channel_layers.configs
    if not isinstance(configs, dict):
        return [catalogue.NOT_A_DICT(f"CHANNEL_LAYERS must be a dict, not {type(configs).__name__}.")]
    found: list[CheckMessage] = []
    if configs and DEFAULT_CHANNEL_LAYER not in configs:
        found.append(catalogue.NO_DEFAULT_LAYER("CHANNEL_LAYERS has no layer named 'default'."))
    for alias, entry in configs.items():
        mistakes = list(_check_entry(alias, entry))
        found += mistakes
        if not any(mistake.is_serious() for mistake in mistakes):
            found += _check_made(alias)
    return found


def _check_entry(alias: str, entry: Any) -> Iterator[CheckMessage]:
    if not isinstance(entry, dict):
        kind = type(entry).__name__  # Not the value, which may hold passwords and keys.
        yield catalogue.NOT_A_DICT(f"The entry {alias!r} of CHANNEL_LAYERS must be a dict, not {kind}.")
        return
    for key in ("BACKEND", "ROUTING"):
        if key not in entry:
            yield catalogue.KEY_MISSING(f"The channel layer {alias!r} has no {key}.")
    for key in entry:
        if key not in ENTRY_KEYS:
            text = f"The channel layer {alias!r} has an unknown key {key!r}."
            yield catalogue.UNKNOWN_ENTRY_KEY(text, suggest(str(key), ENTRY_KEYS))
    configs = [key for key in ("CONFIG", "TEST_CONFIG") if key in entry]
    for key in configs:
        if not isinstance(entry[key], dict):
            kind = type(entry[key]).__name__
            yield catalogue.NOT_A_DICT(f"{key} of the channel layer {alias!r} must be a dict, not {kind}.")
    if entry.get("TEST_CONFIG") and entry["TEST_CONFIG"] == entry.get("CONFIG"):
        yield catalogue.SAME_TEST_CONFIG(f"TEST_CONFIG of the channel layer {alias!r} is the same as its CONFIG.")
    if "BACKEND" in entry:
        yield from _check_backend(alias, entry, [key for key in configs if isinstance(entry[key], dict)])


def _check_backend(alias: str, entry: dict[str, Any], configs: Sequence[str]) -> Iterator[CheckMessage]:
    path = entry["BACKEND"]
    if not isinstance(path, str):
        yield catalogue.BACKEND_FAILS(f"BACKEND of the channel layer {alias!r} must be a dotted path, not {path!r}.")
        return
    try:
        backend = import_string(OLD_BACKENDS.get(path, path))
    except Exception as error:
        hint = suggest(path, [*OLD_BACKENDS.values(), *OLD_BACKENDS])
        yield catalogue.BACKEND_FAILS(f"Cannot import BACKEND {path!r} of the channel layer {alias!r}: {error}", hint)
        return
    names = argument_names(backend)
    for key in configs:
        for name in entry[key]:
            if names is not None and name not in names:
                text = f"{key} of the channel layer {alias!r} has {name!r}, which {path} does not take."
                yield catalogue.UNKNOWN_CONFIG(text, suggest(str(name), names))


def _check_made(alias: str) -> list[CheckMessage]:
    try:
        layer = channel_layers[alias]
    except Exception as error:
        return [catalogue.LAYER_FAILS(f"The channel layer {alias!r} cannot be made: {error}")]
    try:
        _ = layer.router
    except (ImproperlyConfigured, ValueError, TypeError) as error:
        return [catalogue.ROUTING_FAILS(f"The routing of the channel layer {alias!r} cannot be used: {error}")]
    return []


def argument_names(backend: Any) -> set[str] | None:
    """Return the names of the keyword arguments that a class takes; None if it takes any."""
    names: set[str] = set()
    for base in getattr(backend, "__mro__", ()):
        if "__init__" not in vars(base) or base is object:
            continue
        parameters = inspect.signature(base.__init__).parameters.values()
        names |= {parameter.name for parameter in parameters if parameter.kind in _BY_NAME} - {"self"}
        if not any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
            return names
    return None


_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def suggest(name: str, known: Sequence[str] | set[str], likeness: float = 0.6) -> str:
    """Return a hint that names what ``name`` was perhaps meant to be; empty where nothing is that near, from 0 to 1."""
    names = sorted(known)
    near = get_close_matches(name, names, 1, likeness) or get_close_matches(name.upper(), names, 1, likeness)
    return f"Did you mean {near[0]!r}?" if near else ""


def usable_configs() -> dict[str, dict[str, Any]]:
    """Return the entries of ``CHANNEL_LAYERS`` that are dicts; other checks name the rest."""
    configs: Any = channel_layers.configs
    if not isinstance(configs, dict):
        return {}
    return {alias: entry for alias, entry in configs.items() if isinstance(entry, dict)}


def check_old_backends(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """No entry of ``CHANNEL_LAYERS`` uses a backend path of 1.x."""
    paths = {alias: entry.get("BACKEND") for alias, entry in usable_configs().items()}
    return [
        catalogue.OLD_BACKEND(
            f"The channel layer {alias!r} uses the old backend path {path!r}.",
            f"It works; the new path is {OLD_BACKENDS[path]!r}.",
        )
        for alias, path in paths.items()
        if isinstance(path, str) and path in OLD_BACKENDS
    ]


def check_redelivery(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Ordered messages wait for those before them until these were delivered again."""
    patience = conf.get("CHANNELS_ORDERING_TIMEOUT")
    found = []
    for alias in usable_configs():
        try:
            layer = channel_layers[alias].channel_layer
            repeated = [channel for channel in ORDERED_CHANNELS if layer.may_repeat(channel)]
            after = layer.redelivery_after if repeated else 0
        except Exception:  # noqa: S112 - check_layers names it, and layers of others need not have these
            continue
        if repeated and patience <= LATEST_REDELIVERY * after:
            text = f"The channel layer {alias!r} delivers {', '.join(repeated)} again after {after:g} seconds or more"
            found.append(catalogue.HASTY_ORDERING(f"{text}, and CHANNELS_ORDERING_TIMEOUT is {patience:g}."))
    return found


def check_local_layers(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """With ``DEBUG`` off, messages reach other processes."""
    if settings.DEBUG:
        return []
    found = []
    for alias in usable_configs():
        try:
            is_local = channel_layers[alias].local_only()
        except Exception:  # noqa: S112 - check_layers names it
            continue
        if is_local:
            found.append(catalogue.LOCAL_LAYER(f"The channel layer {alias!r} reaches this process only."))
    return found
