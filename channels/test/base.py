"""Test cases with layers of their own, and ``Client``, which sends messages and runs their consumers.

The client runs the dispatch that workers run. What makes it look like a browser is in ``channels.test.websocket``.
"""

import functools
import inspect
import random
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.test import TestCase, TransactionTestCase

from channels.channel import Group
from channels.dispatch import consume
from channels.formats import REPLY_CHANNEL, copy_content
from channels.message import Message
from channels.registry import DEFAULT_CHANNEL_LAYER, ChannelLayerWrapper, channel_layers
from channels.routing import Include
from channels.test.commits import settle_commits, settling_commits
from channels.test.layers import CLIENT_LETTERS, fresh_layers
from channels.types import Consumer, Content

if TYPE_CHECKING:
    _Base = TransactionTestCase
else:
    _Base = object

T = TypeVar("T")


def take_message(channel: str, alias: str = DEFAULT_CHANNEL_LAYER) -> Message | None:
    """Take the next message of ``channel`` from the layer ``alias``; None if there is none."""
    settle_commits()
    layer = channel_layers[alias]
    name, content = layer.receive([channel])
    return None if name is None else Message(content, name, layer)


class ChannelTestCaseMixin(_Base):
    """Gives each test empty layers, in this process, with the project's routing."""

    test_channel_aliases: ClassVar[Sequence[str]] = [DEFAULT_CHANNEL_LAYER]
    """The layers to replace."""

    @classmethod
    def setUpClass(cls) -> None:
        """Replace the layers for what is set up for all tests as well."""
        stack = ExitStack()
        # An override of CHANNEL_LAYERS on the class comes later.
        stack.enter_context(fresh_layers(cls.test_channel_aliases, may_be_missing=True))
        cls.addClassCleanup(stack.close)
        super().setUpClass()

    # The place before ``setUp``, which subclasses override without calling ours.
    def _callSetUp(self) -> None:
        stack = ExitStack()
        # First, so that nothing of what was stored for all tests reaches the layers of this one.
        stack.enter_context(settling_commits())
        stack.enter_context(fresh_layers(self.test_channel_aliases))
        self.addCleanup(stack.close)
        super()._callSetUp()  # type: ignore[misc]

    def get_next_message(
        self, channel: str, alias: str = DEFAULT_CHANNEL_LAYER, require: bool = False
    ) -> Message | None:
        """Take the next message of ``channel``.

        Args:
            channel: Name of the channel.
            alias: The layer to take it from.
            require: Fail if there is none, instead of returning None.
        """
        message = take_message(channel, alias)
        if message is None and require:
            self.fail(f"Expected a message on channel {channel}, got none")
        return message


class ChannelTestCase(ChannelTestCaseMixin, TestCase):
    """Django's ``TestCase`` with empty layers for each test."""


class TransactionChannelTestCase(ChannelTestCaseMixin, TransactionTestCase):
    """Django's ``TransactionTestCase`` with empty layers for each test."""


class Client:
    """Sends messages, runs their consumers in the calling thread, and receives their replies.

    Args:
        alias: The layer to use.

    Attributes:
        reply_channel: The channel where consumers answer this client.
    """

    keeps_connections = True
    """Consumers leave the database connections alone: a test's transaction is open in them."""

    def __init__(self, alias: str = DEFAULT_CHANNEL_LAYER) -> None:
        self.alias = alias
        self.reply_channel = alias + "".join(random.choices(string.ascii_letters, k=CLIENT_LETTERS))  # noqa: S311 - a test's name, not a secret

    @property
    def channel_layer(self) -> ChannelLayerWrapper:
        """The layer that the alias stands for now."""
        return channel_layers[self.alias]

    def get_next_message(self, channel: str) -> Message | None:
        """Take the next message of ``channel``; None if there is none."""
        return take_message(channel, self.alias)

    def get_consumer_by_channel(self, channel: str) -> Consumer | None:
        """Return the consumer that a message without content on ``channel`` goes to, or None."""
        match = self.channel_layer.router.match(Message({"text": ""}, channel, self.channel_layer))
        return None if match is None else match[0]

    def join_group(self, name: str) -> None:
        """Make this client a member of the group ``name``."""
        settle_commits()
        Group(name, channel_layer=self.channel_layer).add(self.reply_channel)

    def send(self, to: str, content: Content | None = None) -> None:
        """Put a copy of ``content`` on the channel ``to``, with this client as its reply channel unless it names one.

        Raises:
            ChannelFull: The channel holds as many messages as its capacity.
        """
        message = copy_content(content or {})
        message.setdefault(REPLY_CHANNEL, self.reply_channel)
        self.channel_layer.send(to, message)

    def consume(self, channel: str, fail_on_none: bool = True) -> Any:
        """Take the next message of ``channel``, run its consumer and return what that returns.

        What the consumer raises comes out of here, except that a ``ChannelSocketException`` acts on the client.
        What it sent leaves when it has ended, as in production.

        Args:
            channel: Name of the channel.
            fail_on_none: Fail if there is no message, instead of returning None.

        Raises:
            AssertionError: There is no message, or no route for it.
        """
        message = self._take(channel, fail_on_none)
        return None if message is None else self._run(message)

    def send_and_consume(self, channel: str, content: Content | None = None, fail_on_none: bool = True) -> Any:
        """``send``, then ``consume``."""
        self.send(channel, content)
        return self.consume(channel, fail_on_none=fail_on_none)

    def receive(self) -> Any:
        """Return the content of the next reply, or None."""
        message = self.get_next_message(self.reply_channel)
        return None if message is None else message.content

    def _take(self, channel: str, fail_on_none: bool) -> Message | None:
        message = self.get_next_message(channel)
        if message is None and fail_on_none:
            raise AssertionError(f"No message for channel {channel}")
        return message

    def _run(self, message: Message) -> Any:
        match = self.channel_layer.router.match(message)
        if match is None:
            raise AssertionError(f"Can't find consumer for message {message}: {message.content!r:.300}")
        settle_commits()
        return consume(message, match, sender=type(self))


class apply_routes:
    """Route messages by ``routes`` in a ``with`` block, a test function, or every test of a ``TestCase``.

    Args:
        routes: A route, a list of routes or of lists of them, a dict, or the dotted path to a routing.
        aliases: The layers that are routed so.

    Raises:
        ImproperlyConfigured: ``routes`` is not a routing.
    """

    def __init__(self, routes: Any, aliases: Sequence[str] = (DEFAULT_CHANNEL_LAYER,)) -> None:
        self.routing = _as_routing(routes)
        self.aliases = [aliases] if isinstance(aliases, str) else list(aliases)
        self._stacks: list[ExitStack] = []

    def __enter__(self) -> "apply_routes":
        with ExitStack() as stack:
            for alias in self.aliases:
                stack.enter_context(channel_layers[alias].rerouted(self.routing))
            self._stacks.append(stack.pop_all())
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stacks.pop().close()

    def __call__(self, decorated: T) -> T:
        """Decorate a function, or a class derived from ``unittest.TestCase``."""
        if inspect.isclass(decorated):
            return self._decorate_class(decorated)  # type: ignore[no-any-return]
        return self._decorate_function(decorated)  # type: ignore[arg-type, return-value]

    def _decorate_class(self, test_case: Any) -> Any:
        if not hasattr(test_case, "addCleanup"):
            raise TypeError(
                f"apply_routes decorates functions and classes derived from unittest.TestCase; "
                f"{test_case.__qualname__} is none. Decorate its methods, or use the fixture channel_routes."
            )
        is_first = _ROUTED not in vars(test_case)
        setattr(test_case, _ROUTED, [self, *vars(test_case).get(_ROUTED, ())])
        if is_first:
            test_case.setUp = _routed(test_case.setUp)
        return test_case

    def _decorate_function(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def routed_coroutine(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return await function(*args, **kwargs)

            return routed_coroutine

        @functools.wraps(function)
        def routed(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return routed


_ROUTED = "_channel_routes"
"""Attribute of a decorated class: its ``apply_routes``, the outermost first."""


def _routed(set_up: Callable[[Any], None]) -> Callable[[Any], None]:
    @functools.wraps(set_up)
    def routed_set_up(test: Any) -> None:
        if _ROUTED not in vars(test):  # Else by the class that this one is derived from.
            with ExitStack() as stack:
                # Those of a class win over those of its bases.
                for each in reversed(type(test).__mro__):
                    for routes in vars(each).get(_ROUTED, ()):
                        stack.enter_context(routes)
                setattr(test, _ROUTED, ())
                stack.callback(delattr, test, _ROUTED)
                test.addCleanup(stack.pop_all().close)
        set_up(test)

    return routed_set_up


def _as_routing(routes: Any) -> Any:
    """Return ``routes`` as something that may stand in ROUTING."""
    if isinstance(routes, str | Mapping):
        return routes
    if not isinstance(routes, Iterable):
        return [routes]
    return [Include(entry) if isinstance(entry, list | tuple) else entry for entry in routes]
