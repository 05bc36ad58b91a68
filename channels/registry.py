"""From ``CHANNEL_LAYERS`` to layers: built on first use, one per alias and process, shared by all threads."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from channels import conf
from channels.exceptions import InvalidChannelLayerError
from channels.layers.base import Delivery, Outgoing
from channels.layers.batches import receive_one, send_one_by_one, statistics_one_by_one
from channels.layers.foreign import RECEIVING, SENDING, overrides, send_through
from channels.routing import Router
from channels.types import Content
from channels.utils import name_that_thing

DEFAULT_CHANNEL_LAYER = "default"

_REDIS = "channels.layers.redis.RedisChannelLayer"
_REDIS_LOCAL = "channels.layers.redis.RedisLocalChannelLayer"
_REDIS_SENTINEL = "channels.layers.redis.RedisSentinelChannelLayer"
_IPC = "channels.layers.ipc.IPCChannelLayer"

OLD_BACKENDS: Mapping[str, str] = {
    "asgiref.inmemory.ChannelLayer": "channels.layers.inmemory.ChannelLayer",
    "asgi_redis.RedisChannelLayer": _REDIS,
    "asgi_redis.core.RedisChannelLayer": _REDIS,
    "asgi_redis.RedisLocalChannelLayer": _REDIS_LOCAL,
    "asgi_redis.local.RedisLocalChannelLayer": _REDIS_LOCAL,
    "asgi_redis.RedisSentinelChannelLayer": _REDIS_SENTINEL,
    "asgi_redis.sentinel.RedisSentinelChannelLayer": _REDIS_SENTINEL,
    "asgi_ipc.IPCChannelLayer": _IPC,
    "asgi_ipc.core.IPCChannelLayer": _IPC,
}
"""Backend paths of 1.x to the layers that took their place."""


class ChannelLayerWrapper:
    """A layer with its alias and routing. What it does not define itself is the layer's.

    Attributes may be set to replace methods of the layer (``wrapper.send = ...``); workers, channels and
    groups honour that.

    Args:
        channel_layer: The layer itself.
        alias: Its key in ``CHANNEL_LAYERS``.
        routing: A list of routes, a dict, or a dotted path; read when ``router`` is first used, so that a
            process which only sends never imports the consumers.
    """

    def __init__(self, channel_layer: Any, alias: str, routing: Any) -> None:
        self.channel_layer = channel_layer
        self.alias = alias
        self.routing = routing
        self._router: Router | None = None
        # Modules of the routing may ask for the router while they are imported; that shall fail, not wait for ever.
        self._router_lock = threading.RLock()

    @property
    def router(self) -> Router:
        """The routing as a ``Router``.

        Raises:
            ImproperlyConfigured: It cannot be imported.
        """
        with self._router_lock:
            if self._router is None:
                self._router = Router(self.routing)
            return self._router

    @contextmanager
    def rerouted(self, routing: Any) -> Iterator[None]:
        """Route the messages of this layer by another routing for the length of a ``with`` block.

        Raises:
            ImproperlyConfigured: It is not a routing, or cannot be imported.
        """
        router = Router(routing)
        with self._router_lock:
            old = self.routing, self._router
            self.routing, self._router = routing, router
        try:
            yield
        finally:
            with self._router_lock:
                self.routing, self._router = old

    def _has_own(self, methods: frozenset[str], batch: str) -> bool:
        """Return whether one of ``methods`` was replaced, here or on the layer, by who knows nothing of ``batch``."""
        layer = self.channel_layer
        replaced = not (methods.isdisjoint(vars(self)) and methods.isdisjoint(getattr(layer, "__dict__", ())))
        return replaced or overrides(layer, methods, batch)

    def local_only(self) -> bool:
        """Return whether the layer reaches this process only. Subclasses of such a layer say so themselves."""
        return bool(vars(type(self.channel_layer)).get("local_only", False))

    def send(self, channel: str, message: Content) -> None:
        """Send through the layer; what it raises when it is full is a ``channels.exceptions.ChannelFull``, too."""
        send_through(self.channel_layer, channel, message)

    def send_batch(self, batch: Sequence[Outgoing]) -> list[Exception | None]:
        """Send ``batch``; one by one where the layer cannot do better, or ``send`` or ``send_group`` was replaced."""
        if self._has_own(SENDING, "send_batch") or not hasattr(self.channel_layer, "send_batch"):
            return send_one_by_one(self, batch)
        outcomes: list[Exception | None] = self.channel_layer.send_batch(batch)
        return outcomes

    def post_batch(self, batch: Sequence[Outgoing], settle: Callable[[list[Exception | None]], None]) -> None:
        """Send ``batch`` soon where the layer can write it together with what is asked next; else at once."""
        if hasattr(self.channel_layer, "post_batch") and not self._has_own(SENDING, "send_batch"):
            self.channel_layer.post_batch(batch, settle)
        else:
            settle(self.send_batch(batch))

    def push(self, wait: bool = False) -> None:
        """Send what the calling thread posted now; with ``wait``, until it is settled."""
        if hasattr(self.channel_layer, "push"):
            self.channel_layer.push(wait)

    def receive_batch(self, channels: Sequence[str], limit: int = 1, timeout: float = 0) -> list[Delivery]:
        """Take up to ``limit`` messages; one at a time where the layer cannot do better or ``receive`` was replaced."""
        if not self._has_own(RECEIVING, "receive_batch") and hasattr(self.channel_layer, "receive_batch"):
            deliveries: list[Delivery] = self.channel_layer.receive_batch(channels, limit, timeout)
            return deliveries
        self.push()
        return receive_one(self, channels, timeout)

    def hand_back(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Put what was taken and not begun first on its channels again; return what the layer does not take back."""
        if not hasattr(self.channel_layer, "hand_back"):
            return list(deliveries)
        kept: list[Delivery] = self.channel_layer.hand_back(deliveries)
        return kept

    def statistics_of(self, channels: Iterable[str]) -> dict[str, dict[str, float]]:
        """Return the statistics of each of ``channels``; one at a time where the layer cannot do better."""
        if not hasattr(self.channel_layer, "statistics_of"):
            return statistics_one_by_one(self, channels)
        found: dict[str, dict[str, float]] = self.channel_layer.statistics_of(channels)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.channel_layer, name)

    def __str__(self) -> str:
        return f"{self.alias} ({name_that_thing(self.channel_layer)})"


class ChannelLayerManager:
    """The layers of a project by alias, as ``CHANNEL_LAYERS`` describes them."""

    def __init__(self) -> None:
        self._layers: dict[str, ChannelLayerWrapper] = {}
        self._lock = threading.RLock()

    @property
    def configs(self) -> dict[str, Any]:
        """The setting ``CHANNEL_LAYERS`` as the project wrote it."""
        configs: dict[str, Any] = conf.get("CHANNEL_LAYERS")
        return configs

    def make_backend(self, name: str) -> ChannelLayerWrapper:
        """Return a new layer for the alias ``name``.

        Raises:
            KeyError: There is no such alias.
            InvalidChannelLayerError: Its entry is incomplete, or its backend cannot be imported or made.
        """
        return self._make(name, self._config(name).get("CONFIG", {}))

    def make_test_backend(self, name: str) -> ChannelLayerWrapper:
        """Return a new layer for the alias ``name`` with its ``TEST_CONFIG``.

        Raises:
            KeyError: There is no such alias.
            InvalidChannelLayerError: As for ``make_backend``, or there is no ``TEST_CONFIG``.
        """
        config = self._config(name)
        if "TEST_CONFIG" not in config:
            raise InvalidChannelLayerError(f"No TEST_CONFIG specified for {name}")
        return self._make(name, config["TEST_CONFIG"])

    def _config(self, name: str) -> dict[str, Any]:
        try:
            config: dict[str, Any] = self.configs[name]
        except KeyError:
            known = ", ".join(map(repr, self.configs)) or "none"
            raise KeyError(f"CHANNEL_LAYERS has no layer {name!r}; it has {known}.") from None
        return config

    def _make(self, name: str, arguments: dict[str, Any]) -> ChannelLayerWrapper:
        config = self._config(name)
        for key in ("BACKEND", "ROUTING"):
            if key not in config:
                raise InvalidChannelLayerError(f"No {key} specified for {name}")
        path = config["BACKEND"]
        try:
            backend = import_string(OLD_BACKENDS.get(path, path))
        except ImportError as error:
            raise InvalidChannelLayerError(f"Cannot import BACKEND {path!r} specified for {name}: {error}") from error
        try:
            layer = backend(**arguments)
        except TypeError as error:
            raise InvalidChannelLayerError(f"Wrong CONFIG of the channel layer {name}: {error}") from error
        return ChannelLayerWrapper(layer, name, config["ROUTING"])

    def set(self, key: str, layer: ChannelLayerWrapper | None) -> ChannelLayerWrapper | None:
        """Put ``layer`` in the place of the alias ``key`` (None: build it anew when used) and return the old one."""
        with self._lock:
            old = self._layers.pop(key, None)
            if layer is not None:
                self._layers[key] = layer
            return old

    def __getitem__(self, key: str) -> ChannelLayerWrapper:
        layer = self._layers.get(key)
        if layer is None:
            with self._lock:
                if key not in self._layers:
                    self._layers[key] = self.make_backend(key)
                layer = self._layers[key]
        return layer

    def __contains__(self, key: object) -> bool:
        return key in self.configs

    def forget(self, **kwargs: Any) -> None:
        """Close all layers and build them anew when next used; receiver of ``setting_changed``."""
        if kwargs.get("setting", "CHANNEL_LAYERS") != "CHANNEL_LAYERS":
            return
        with self._lock:
            layers, self._layers = self._layers, {}
        for layer in layers.values():
            if hasattr(layer.channel_layer, "close"):
                layer.channel_layer.close()


channel_layers = ChannelLayerManager()
"""The layers of this project."""

setting_changed.connect(channel_layers.forget, dispatch_uid="channels.registry.forget")
