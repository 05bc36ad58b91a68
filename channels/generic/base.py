"""BaseConsumer: a class whose methods are the consumers of some channels. Knows no protocol."""

import functools
import types
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from channels.auth import open_channel_session_user
from channels.message import Message
from channels.routing import Pattern, RouteClass, require_synchronous, route_class
from channels.sessions import Opener, call_within, open_channel_session
from channels.types import Consumer


class BaseConsumer:
    """A consumer with one method per channel. Calling the class runs it; each message gets its own instance.

    Args:
        message: The message to consume.
        kwargs: What routing captured.

    Attributes:
        message: The message; handlers get the same object.
        kwargs: What routing captured.
    """

    method_mapping: ClassVar[Mapping[str, str]] = {}
    """Channel name to the name of the method that consumes its messages."""

    channel_session = False
    """Give the methods ``message.channel_session``."""

    channel_session_user = False
    """Give the methods ``message.user`` and ``message.channel_session``."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        names = cls.method_mapping.values() if isinstance(cls.method_mapping, Mapping) else ()
        for name in names:
            # The raw methods of protocols call those that projects override, which have the same name without it.
            for called in (name, name.removeprefix("raw_")):
                require_synchronous(getattr(cls, called, None))

    def __init__(self, message: Message, **kwargs: Any) -> None:
        self.message = message
        self.kwargs = kwargs
        self.dispatch(message, **kwargs)

    @classmethod
    def channel_names(cls) -> set[str]:
        """Return the channels this class consumes; the same set for as long as the process runs."""
        return set(cls.method_mapping)

    @classmethod
    def as_route(cls, attrs: dict[str, Any] | None = None, **filters: Pattern) -> RouteClass:
        """Return a route to this class.

        Args:
            attrs: Class attributes to route to a subclass with.
            filters: As for ``route_class``.

        Raises:
            AssertionError: ``attrs`` is not a dict.
        """
        if attrs is None:
            return route_class(cls, **filters)
        if not isinstance(attrs, dict):
            raise AssertionError("attrs must be a dict")
        body = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, **attrs}
        return route_class(types.new_class(cls.__name__, (cls,), exec_body=lambda ns: ns.update(body)), **filters)

    def get_openers(self) -> Sequence[Opener]:
        """Return what is open around the methods, outermost first."""
        if self.channel_session_user:
            return (open_channel_session_user,)
        return (open_channel_session,) if self.channel_session else ()

    def get_handler(self, message: Message, **kwargs: Any) -> Consumer:
        """Return the method that consumes ``message``, within what the class asks for. Override to decorate it.

        Raises:
            KeyError: No method is mapped to the channel.
        """
        method: Consumer = getattr(self, self.method_mapping[message.channel.name])  # type: ignore[union-attr]
        openers = self.get_openers()
        if not openers:
            return method

        @functools.wraps(method)
        def handler(message: Message, *args: Any, **kwargs: Any) -> Any:
            return call_within(openers, message, method, message, *args, **kwargs)

        return handler

    def dispatch(self, message: Message, **kwargs: Any) -> Any:
        """Call the handler of ``message``. Override for a choice that a mapping cannot express."""
        return self.get_handler(message, **kwargs)(message, **kwargs)
