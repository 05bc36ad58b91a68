"""What a consumer set on itself in the handshake, for the later messages of its connection.

Each message has an instance of its own, on any worker. So these attributes are in the channel session: JSON-like values
as they are, instances of models by their primary keys, read again when they are asked for.
"""

import copy
import inspect
import logging
from collections.abc import Collection
from typing import Any

from django.apps import apps
from django.db.models import Model

from channels.exceptions import WebsocketCloseException
from channels.types import Content
from channels.utils import printable

logger = logging.getLogger("django.channels.typed")

KEY = "channels.typed.kept"
"""Where the attributes are in the channel session: a dict of packed values by name."""

GONE = 4404
"""Close code of a socket that is about something which does not exist any more."""


def keep(consumer: Any, before: Collection[str]) -> None:
    """Keep the attributes that ``consumer`` has and had not ``before``; what is computed on demand stays so."""
    kind = type(consumer)
    added = [
        name
        for name in vars(consumer)
        if name not in before and not hasattr(inspect.getattr_static(kind, name, None), "__get__")
    ]
    if added:
        consumer.session[KEY] = {name: _pack(vars(consumer)[name]) for name in added}


def restore(consumer: Any) -> None:
    """Give ``consumer`` the attributes of the handshake; instances of models wait until they are asked for."""
    for name, packed in consumer.session.get(KEY, {}).items():
        if "value" in packed:
            # A copy, so that what a message changes in place is seen to have changed.
            vars(consumer)[name] = copy.deepcopy(packed["value"])
        elif "model" in packed and hasattr(type(consumer), name):
            # The default on the class would be found in its place.
            recall(consumer, name)


def recall(consumer: Any, name: str) -> Any:
    """Return the attribute ``name``, which ``consumer`` lacks, as the handshake set it.

    Raises:
        AttributeError: It did not, or what it was set to cannot be kept.
        WebsocketCloseException: It was an instance of a model that does not exist any more.
    """
    session = getattr(vars(consumer).get("message"), "channel_session", None)
    packed = {} if session is None else session.get(KEY, {}).get(name, {})
    if "type" in packed:
        raise AttributeError(
            f"{type(consumer).__name__}.{name} was set in the handshake to a {packed['type']}, which later messages "
            f"cannot be given: set JSON-like values and instances of models, or make it a functools.cached_property."
        )
    if "model" not in packed:
        return object.__getattribute__(consumer, name)
    found = apps.get_model(packed["model"])._base_manager.using(packed["database"]).filter(pk=packed["pk"]).first()
    if found is None:
        logger.info(
            "Closing a socket on %s: %s, its %r, does not exist any more.", printable(consumer.path), packed, name
        )
        raise WebsocketCloseException(GONE)
    vars(consumer)[name] = found
    return found


def update(consumer: Any) -> None:
    """Keep what a message made of the attributes of the handshake."""
    kept: Content | None = consumer.session.get(KEY)
    if not kept:
        return
    own = vars(consumer)
    changed = {name: now for name, was in kept.items() if name in own and (now := _pack(own[name])) != was}
    if changed:
        consumer.session[KEY] = {**kept, **changed}


def key_of(instance: Model) -> str | list[str]:
    """Return the primary key of ``instance`` as JSON can hold it, and as its model finds it again."""
    key: Any = instance.pk
    return [str(part) for part in key] if isinstance(key, tuple) else str(key)


def _pack(value: Any) -> Content:
    if isinstance(value, Model) and value.pk is not None:
        return {"model": value._meta.label, "pk": key_of(value), "database": value._state.db}
    return {"value": value} if _is_json(value) else {"type": type(value).__name__}


def _is_json(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    return value is None or type(value) in (bool, int, float, str)
