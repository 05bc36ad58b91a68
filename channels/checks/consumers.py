"""Checks of what the routings lead to: who may open a socket, and whether its consumer decides."""

import types
from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage

from channels.checks import catalogue
from channels.checks.layers import usable_configs
from channels.registry import channel_layers
from channels.routed import walk
from channels.security.websockets import BaseOriginValidator
from channels.utils import name_that_thing

CONNECT = "websocket.connect"

DECIDING = frozenset(
    {"accept", "close", "reply_channel", "DenyConnection", "WebsocketCloseException", "super", "connect"}
)
"""Words in a function that may decide a handshake."""

HELPERS_DEEP = 5
"""How far the functions that a consumer calls are followed."""


def connect_consumers() -> list[Any]:
    """Return the consumers of handshakes in all routings that can be imported, each once."""
    found: dict[int, Any] = {}
    for alias in usable_configs():
        try:
            entries = channel_layers[alias].router.root.routing
        except Exception:  # noqa: S112 - check_layers names it
            continue
        consumers = [routed.consumer for routed in walk(entries) if CONNECT in routed.channels]
        found.update((id(consumer), consumer) for consumer in consumers)
    # Our own stand where the project routes nothing.
    return [consumer for consumer in found.values() if not _is_ours(consumer)]


def _is_ours(thing: Any) -> bool:
    return str(getattr(thing, "__module__", "")).split(".")[0] == "channels"


def _layers_of(thing: Any) -> Iterator[Any]:
    """Yield a decorated thing, what it decorates, and so on."""
    while thing is not None:
        yield thing
        thing = getattr(thing, "__wrapped__", None)


def _checks_origin(consumer: Any) -> bool:
    members = [consumer]
    if isinstance(consumer, type):
        members = [member for base in consumer.__mro__ for member in vars(base).values()]
    return any(
        isinstance(thing, BaseOriginValidator) or _uses_validator(thing)
        for member in members
        for thing in _layers_of(member)
    )


def _uses_validator(function: Any) -> bool:
    """Return whether a function names a validator, as a ``get_handler`` does that decorates what it returns."""
    if not isinstance(function, types.FunctionType) or _is_ours(function):
        return False
    named = [function.__globals__.get(word) for word in _words(function.__code__)]
    return any(isinstance(thing, type) and issubclass(thing, BaseOriginValidator) for thing in named)


def check_origins(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Each consumer of handshakes looks at the origin of the page."""
    return [
        catalogue.ORIGIN_UNCHECKED(f"The consumer {name_that_thing(consumer)} lets pages of any site open its socket.")
        for consumer in connect_consumers()
        if not _checks_origin(consumer)
    ]


def _may_decide(function: Any, depth: int = HELPERS_DEEP) -> bool:
    """Return whether ``function`` or a function that it calls has a word that may decide a handshake."""
    innermost = [function, *_layers_of(function)][-1]
    code = getattr(innermost, "__code__", None)
    if code is None or _is_ours(innermost):
        return True  # Not to be seen from here.
    words = set(_words(code))
    if words & DECIDING:
        return True
    helpers = [innermost.__globals__.get(word) for word in words]
    functions = [helper for helper in helpers if isinstance(helper, types.FunctionType) and not _is_ours(helper)]
    return depth > 0 and any(_may_decide(helper, depth - 1) for helper in functions)


def _words(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _words(constant)
        elif isinstance(constant, str):
            yield constant
        elif isinstance(constant, tuple):  # The keys of a dict that is written out.
            yield from (item for item in constant if isinstance(item, str))


def check_decisions(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Where handshakes are not accepted by default, each consumer of them decides."""
    if getattr(settings, "CHANNELS_AUTO_ACCEPT", None) is True:
        return []
    return [
        catalogue.UNDECIDED_CONSUMER(
            f"The consumer {name_that_thing(consumer)} does not seem to accept or close its socket."
        )
        for consumer in connect_consumers()
        if not _may_decide(_what_connects(consumer))
    ]


def _what_connects(consumer: Any) -> Any:
    """Return the function that a project wrote for handshakes; None if it is not to be seen."""
    if not isinstance(consumer, type):
        return consumer
    method = getattr(consumer, "method_mapping", {}).get(CONNECT, "connect")
    return getattr(consumer, method.removeprefix("raw_"), None)
