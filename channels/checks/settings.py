"""Checks of the settings other than ``CHANNEL_LAYERS``: their names, their values, and choices not made."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.sessions.backends import signed_cookies
from django.core.checks import CheckMessage

from channels import conf
from channels.checks import catalogue
from channels.checks.layers import suggest, usable_configs

PREFIXES = ("CHANNELS_", "CHANNEL_")


def check_names(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Settings that begin like those of this package are settings of this package."""
    found = []
    for name in dir(settings):
        if not name.isupper() or not name.startswith(PREFIXES) or name in conf.SETTINGS:
            continue
        # All begin alike, so they have to be more alike than other names.
        hint = suggest(name, set(conf.SETTINGS), likeness=0.8)
        if hint:
            found.append(catalogue.MISSPELLED_SETTING(f"There is no setting {name}.", hint))
        elif name.startswith("CHANNELS_"):
            found.append(catalogue.UNKNOWN_SETTING(f"There is no setting {name}."))
    return found


def check_values(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Each setting has a value of its kind. ``CHANNEL_LAYERS`` has checks of its own."""
    return [
        catalogue.WRONG_VALUE(f"{name} must be {setting.kind.text}, not {conf.get(name)!r}.")
        for name, setting in conf.SETTINGS.items()
        if name != "CHANNEL_LAYERS" and not setting.kind.accepts(conf.get(name))
    ]


def check_auto_accept(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """The project says what becomes of a handshake that its connect consumer leaves undecided."""
    if not usable_configs() or hasattr(settings, "CHANNELS_AUTO_ACCEPT"):
        return []
    text = "CHANNELS_AUTO_ACCEPT is not set: WebSockets whose connect consumer decides nothing are accepted."
    return [catalogue.AUTO_ACCEPT_UNDECIDED(text)]


def check_unrouted(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """The project says what becomes of WebSockets on paths that no route takes."""
    if not usable_configs() or hasattr(settings, "CHANNELS_REJECT_UNROUTED"):
        return []
    text = "CHANNELS_REJECT_UNROUTED is not set: WebSockets on paths that no route takes are accepted and ignored."
    return [catalogue.REJECT_UNDECIDED(text)]


def check_session_engines(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Sessions are kept where consumers can reach them."""
    if not usable_configs() or not apps.is_installed("django.contrib.sessions"):
        return []
    engine = conf.get("CHANNEL_SESSION_ENGINE")
    if engine is not None and _is_in_cookies(engine):
        return [catalogue.COOKIE_ENGINE(f"CHANNEL_SESSION_ENGINE is {engine!r}: a socket cannot set cookies.")]
    if engine is None and _is_in_cookies(settings.SESSION_ENGINE):
        text = "SESSION_ENGINE keeps sessions in signed cookies, which consumers cannot use."
        return [catalogue.COOKIE_SESSIONS(text)]
    return []


def _is_in_cookies(engine: Any) -> bool:
    try:
        store = import_module(engine).SessionStore
    except Exception:
        return False  # Django's own error when it is used says more.
    return isinstance(store, type) and issubclass(store, signed_cookies.SessionStore)
