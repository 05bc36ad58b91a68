"""From a message to the consumer that takes it: ``route``, ``route_class``, ``include`` and ``Router``.

Matching reads the message and changes nothing. Anything with ``match(message)``, which returns None or
(consumer, keyword arguments), and ``channel_names()``, which returns a set, may stand in a routing.
"""

import copy
import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeAlias

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from channels import conf, formats
from channels.exceptions import UnusableMessage
from channels.names import decode_name
from channels.types import Consumer
from channels.utils import name_that_thing

DEFAULT_HTTP_CONSUMER = "channels.handler.ViewConsumer"
"""Takes ``http.request`` where the project routes nothing. Named, because Django's handlers are slow to import."""

Match: TypeAlias = tuple[Consumer, dict[str, Any]]
Pattern: TypeAlias = str | bytes | re.Pattern[str]


class RoutingEntry(Protocol):
    """What may stand in a routing."""

    def match(self, message: Any) -> Match | None:
        """Return the consumer of ``message`` and its keyword arguments, or None."""

    def channel_names(self) -> set[str]:
        """Return the channels this entry listens on; the same set for as long as the process runs."""


Routing: TypeAlias = "str | Mapping[str, Any] | Iterable[RoutingEntry]"


def require_synchronous(function: Any) -> None:
    """Do nothing, unless ``function`` is one that nobody would await.

    Raises:
        ImproperlyConfigured: It is an async function.
    """
    if inspect.iscoroutinefunction(function):
        raise ImproperlyConfigured(
            f"Consumers are synchronous, but {name_that_thing(function)} is an async function. "
            f"Write it with 'def' and call asynchronous code through asgiref.sync.async_to_sync."
        )


def _import_consumer(path: str) -> Any:
    try:
        return import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(f"Cannot import consumer {path!r}: {error}") from error


class _Filters(dict[str, re.Pattern[str]]):
    """Keyword filters of one route: each must match at the start of the message's value of that name."""

    def __init__(self, owner: str, filters: Mapping[str, Pattern]) -> None:
        super().__init__()
        for name, value in filters.items():
            pattern = re.compile(Router.normalise_re_arg(value))
            if pattern.groups != len(pattern.groupindex):
                raise ValueError(
                    f"Filter for {name} on {owner} contains positional groups; only named groups are allowed."
                )
            self[name] = pattern

    def match(self, message: Any) -> dict[str, re.Match[str]] | None:
        found = {}
        for name, pattern in self.items():
            value = message.get(name)
            if isinstance(value, bytes):
                # Bytes are matched as ASCII; what is not ASCII cannot match.
                value = value.decode("ascii") if value.isascii() else None
            matched = pattern.match(value) if isinstance(value, str) else None
            if matched is None:
                return None
            found[name] = matched
        return found

    def __str__(self) -> str:
        return " ".join(f"{name}={pattern.pattern}" for name, pattern in self.items())


class Route:
    """Send messages of some channels, if every filter matches, to one consumer.

    Args:
        channels: A channel name or a list of names.
        consumer: A synchronous callable that takes a message, or the dotted path to one.
        filters: Key of the message to the regular expression its value must begin with; named groups
            become keyword arguments of the consumer.

    Raises:
        ImproperlyConfigured: The consumer cannot be imported or cannot be called as one.
        ValueError: A filter has groups without a name.
    """

    def __init__(self, channels: str | bytes | Iterable[str | bytes], consumer: Any, **filters: Pattern) -> None:
        names = [channels] if isinstance(channels, str | bytes) else channels
        self.channels = {decode_name(name) for name in names}
        self.consumer = self._resolve_consumer(consumer)
        self.filters = _Filters(name_that_thing(self.consumer), filters)

    @staticmethod
    def _resolve_consumer(consumer: Any) -> Consumer:
        resolved: Any = _import_consumer(consumer) if isinstance(consumer, str) else consumer
        if not callable(resolved):
            raise ImproperlyConfigured(f"A consumer must be callable; {resolved!r} is not.")
        require_synchronous(resolved)
        return resolved  # type: ignore[no-any-return]

    def match(self, message: Any) -> Match | None:
        """Return the consumer and the values of the named groups, or None."""
        if message.channel.name not in self.channels:
            return None
        found = self.filters.match(message)
        if found is None:
            return None
        kwargs: dict[str, Any] = {}
        for matched in found.values():
            kwargs.update(matched.groupdict())
        return self.consumer, kwargs

    def channel_names(self) -> set[str]:
        """Return the channels this route listens on."""
        return set(self.channels)

    def __str__(self) -> str:
        filters = str(self.filters)
        return (
            f"{'/'.join(sorted(self.channels))}{f' ({filters})' if filters else ''} -> {name_that_thing(self.consumer)}"
        )


class RouteClass(Route):
    """``Route`` for a consumer class, which says itself which channels it listens on.

    Args:
        consumer: A class with a ``channel_names`` method, or the dotted path to one.
        filters: As for ``Route``.

    Raises:
        ValueError: The class has no ``channel_names`` method, or a filter has groups without a name.
    """

    def __init__(self, consumer: Any, **filters: Pattern) -> None:
        resolved: Any = _import_consumer(consumer) if isinstance(consumer, str) else consumer
        if not callable(getattr(resolved, "channel_names", None)):
            raise ValueError("The consumer passed to RouteClass has no valid channel_names method")
        super().__init__(resolved.channel_names(), resolved, **filters)


def _cut(message: Any, prefixes: Mapping[str, re.Match[str]]) -> Any:
    """Return ``message`` as an included routing sees it: without what the prefixes matched. The original stays."""
    seen = copy.copy(message)
    seen.content = {**message.content, **{name: found.string[found.end() :] for name, found in prefixes.items()}}
    return seen


class Include:
    """Hand messages on to another routing, minus the prefixes that the filters match.

    Args:
        routing: A list of routes, a dict of channel to consumer, or the dotted path to either.
        filters: Key of the message to a regular expression; what it matches is cut off the value that the
            inner routing sees. The consumer gets the message as it came.
    """

    def __init__(self, routing: Routing, **filters: Pattern) -> None:
        self.routing = Router.resolve_routing(routing)
        self.prefixes = _Filters("include", filters)

    def match(self, message: Any) -> Match | None:
        """Return the first match of the inner routing; its keyword arguments win over those of the prefixes."""
        cuts = self.prefixes.match(message)
        if cuts is None:
            return None
        captured: dict[str, Any] = {}
        if cuts:
            message = _cut(message, cuts)
            for found in cuts.values():
                captured.update(found.groupdict())
        for entry in self.routing:
            match = entry.match(message)
            if match is not None:
                consumer, kwargs = match
                return consumer, {**captured, **kwargs}
        return None

    def channel_names(self) -> set[str]:
        """Return the channels that the inner routing listens on."""
        return {name for entry in self.routing for name in entry.channel_names()}


class Router:
    """The routing of one layer.

    Args:
        routing: A list of routes, a dict of channel to consumer, or the dotted path to either.

    Raises:
        ImproperlyConfigured: The routing or one of its consumers cannot be imported.
    """

    def __init__(self, routing: Routing) -> None:
        self.root = Include(routing)
        self.channels = self.root.channel_names()
        self._has_defaults = False

    def add_route(self, route: RoutingEntry) -> None:
        """Append ``route``; what stood before it still wins."""
        self.root.routing.append(route)
        self.channels = self.root.channel_names()

    def match(self, message: Any) -> Match | None:
        """Return (consumer, keyword arguments) of the first route that takes ``message``, or None."""
        return self.root.match(message)

    def check_default(self, http_consumer: Consumer | None = None) -> None:
        """Append consumers for what the project does not route: Django's views, and WebSockets.

        Doing it again changes nothing.

        Args:
            http_consumer: Takes ``http.request``; None is Django's views.
        """
        if self._has_defaults:
            return
        self._has_defaults = True
        self.add_route(Route("http.request", http_consumer or import_string(DEFAULT_HTTP_CONSUMER)()))
        self.add_route(Route("websocket.connect", answer_unrouted))
        self.add_route(Route(["websocket.receive", "websocket.disconnect"], ignore))

    @classmethod
    def resolve_routing(cls, routing: Any) -> list[RoutingEntry]:
        """Return ``routing`` as a list of entries.

        Raises:
            ImproperlyConfigured: It cannot be imported, or is not a routing.
        """
        resolved: Any = routing
        if isinstance(routing, str):
            try:
                resolved = import_string(routing)
            except ImportError as error:
                raise ImproperlyConfigured(f"Cannot import channel routing {routing!r}: {error}") from error
        if isinstance(resolved, Mapping):
            return [Route(channel, consumer) for channel, consumer in resolved.items()]
        if not isinstance(resolved, Iterable):
            raise ImproperlyConfigured(
                f"A channel routing must be a list of routes or a dict of channel to consumer, not {resolved!r}."
            )
        entries = list(resolved)
        for entry in entries:
            if not callable(getattr(entry, "match", None)) or not callable(getattr(entry, "channel_names", None)):
                raise ImproperlyConfigured(
                    f"{entry!r} in a channel routing is not a route: make one with route(), route_class() or include()."
                )
        return entries

    @classmethod
    def normalise_re_arg(cls, value: Pattern) -> str | re.Pattern[str]:
        """Return a filter's pattern as text; byte strings are read as ASCII."""
        return value.decode("ascii") if isinstance(value, bytes) else value


def answer_unrouted(message: Any) -> None:
    """Answer a handshake on a path that no route takes; ``CHANNELS_REJECT_UNROUTED`` says how."""
    if message.reply_channel is None:
        raise UnusableMessage("It has no reply_channel: who asks for a socket?")
    if conf.get("CHANNELS_REJECT_UNROUTED"):
        message.reply_channel.send(formats.websocket_deny(404, "There is no WebSocket at this path."))
    else:
        message.reply_channel.send(formats.websocket_accept())


def ignore(message: Any) -> None:
    """Do nothing."""


route = Route
route_class = RouteClass
include = Include
