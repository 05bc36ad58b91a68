"""The contract of a channel layer, and what every layer does alike: names, capacities, batches, ``a``-twins.

A layer carries messages between processes and knows neither consumers nor connections. Each method has
one meaning: the synchronous one is the contract, the twin that begins with ``a`` is the same thing for an
event loop (``layers.twins``). A layer defines ``send``, ``receive`` and the group methods; it overrides batches
and twins where it can do better than one at a time in a thread.

Source: the message-passing ASGI draft, "Channel Layers" (docs/reference/messages).
"""

import fnmatch
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

from channels import exceptions, names
from channels.formats import LAYER_CHANNEL
from channels.layers.batches import receive_one, send_one_by_one, statistics_one_by_one
from channels.layers.twins import Delivery, Outgoing, ThreadedTwins
from channels.types import Content

__all__ = ["BaseChannelLayer", "Delivery", "Outgoing"]

DEFAULT_EXPIRY = 60
DEFAULT_GROUP_EXPIRY = 86_400
DEFAULT_CAPACITY = 100

DEFAULT_REPLY_CAPACITY = 10_000
"""Capacity of the queue that all connections of one interface process share, unless the project sets one."""


class BaseChannelLayer(ThreadedTwins):
    """Base of every channel layer.

    Args:
        expiry: Seconds until an unread message is dropped.
        group_expiry: Seconds until a membership ends unless it is renewed.
        capacity: Unread messages a channel may hold; None is 100 (see ``default_capacity``) for normal and
            single-reader channels and 10,000 for the reply queue of an interface process. A number rules both.
        channel_capacity: Glob or compiled regular expression to capacity; the first that matches the name
            (up to ``!``) rules.
    """

    extensions: Sequence[str] = ()
    """Which of ``groups``, ``flush``, ``statistics``, ``async``, ``ordering`` (``layers.turns``), ``inspection``
    (``layers.inspection``), ``upkeep`` (``layers.upkeep``) and ``once`` (``layers.once``) this layer has."""

    local_only: ClassVar[bool] = False
    """Whether the layer reaches only the process it lives in. Said by each class of itself, never inherited."""

    default_capacity: ClassVar[int] = DEFAULT_CAPACITY

    ChannelFull = exceptions.ChannelFull
    MessageTooLarge = exceptions.MessageTooLarge

    def __init__(
        self,
        expiry: float = DEFAULT_EXPIRY,
        group_expiry: float = DEFAULT_GROUP_EXPIRY,
        capacity: int | None = None,
        channel_capacity: Mapping[str | re.Pattern[str], int] | None = None,
    ) -> None:
        self.expiry = expiry
        self.group_expiry = group_expiry
        self.capacity = self.default_capacity if capacity is None else capacity
        self.reply_capacity = DEFAULT_REPLY_CAPACITY if capacity is None else capacity
        self.channel_capacity = self.compile_capacities(channel_capacity or {})

    # Sending

    def send(self, channel: str, message: Content) -> None:
        """Put ``message`` on ``channel``; later changes to the dict do not reach what was sent.

        Raises:
            ChannelFull: The channel holds as many messages as its capacity.
            MessageTooLarge: The layer cannot carry a message of this size.
            LayerUnavailable: The server behind the layer cannot be reached; its ``was_asked`` says whether the message
                may have been taken all the same.
            TypeError: ``channel`` is not a channel name.
        """
        raise NotImplementedError

    def send_batch(self, batch: Sequence[Outgoing]) -> list[Exception | None]:
        """Send every item of ``batch`` in order and return what each came to: None, or why it was not sent.

        The layer owns the contents from here on: callers must not change them. A layer that sends several at a
        time refuses, once one was refused because its channel is full, the later ones for that channel as well,
        so that trying again keeps their order. Layers with a server send them all in one write.

        Raises:
            LayerUnavailable: The server behind the layer cannot be reached; any of them may be lost.
        """
        return send_one_by_one(self, batch)

    def post_batch(self, batch: Sequence[Outgoing], settle: Callable[[list[Exception | None]], None]) -> None:
        """Send ``batch`` like ``send_batch``, without waiting for what it comes to.

        ``settle`` is called in this thread with what each item came to, now or during a later call. Layers with a
        server write the batch together with what the thread asks for next; a thread that is about to do something
        else calls ``push_soon``.
        """
        try:
            settle(self.send_batch(batch))
        except exceptions.LayerUnavailable as error:
            settle([error] * len(batch))

    def push(self, wait: bool = False) -> None:
        """Send what the calling thread posted now; with ``wait``, until it is settled."""

    def push_soon(self) -> None:
        """Send what the calling thread posted within a few milliseconds, whatever the thread does meanwhile."""

    # Receiving

    def receive(self, channels: Sequence[str], block: bool = False) -> tuple[str | None, Content | None]:
        """Take one message from any of ``channels``; ``(None, None)`` if there is none.

        Args:
            channels: Channel names; process-specific ones end at their ``!``.
            block: Wait for a message. May still return ``(None, None)`` after a while.

        Returns:
            The full name of the channel and the content.

        Raises:
            LayerUnavailable: The server behind the layer cannot be reached.
            TypeError: One of ``channels`` is not a name that can be received from.
        """
        raise NotImplementedError

    def receive_batch(self, channels: Sequence[str], limit: int = 1, timeout: float = 0) -> list[Delivery]:
        """Take up to ``limit`` messages, all from one of ``channels``; wait up to ``timeout`` seconds for the first.

        Raises:
            LayerUnavailable: The server behind the layer cannot be reached.
            TypeError: One of ``channels`` is not a name that can be received from.
        """
        return receive_one(self, channels, timeout)

    def hand_back(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Put messages that ``receive_batch`` returned, and that nobody worked on, first on their channels again.

        They keep their order, are taken before what else waits there whatever the capacity, and expire no later than
        that. The contents are the layer's again.

        Returns:
            Those that this layer does not take back; the caller is to run them. Here: all.

        Raises:
            LayerUnavailable: The server behind the layer cannot be reached.
        """
        return list(deliveries)

    def receive_many(self, channels: Sequence[str], block: bool = False) -> tuple[str | None, Content | None]:
        """Deprecated name of ``receive``."""
        warnings.warn("receive_many is deprecated; please use receive", DeprecationWarning, stacklevel=2)
        return self.receive(channels, block)

    def new_channel(self, pattern: str) -> str:
        """Return a new single-reader channel name that begins with ``pattern``, which ends in ``?``.

        Raises:
            TypeError: ``pattern`` does not end in ``?``. Process-specific names are made by their process.
        """
        if not isinstance(pattern, str) or not pattern.endswith("?"):
            raise TypeError(f"new_channel makes single-reader names: the pattern must end in '?', not {pattern!r}.")
        return names.require_channel_name(pattern + names.random_part())

    # Groups

    def group_add(self, group: str, channel: str) -> None:
        """Make ``channel`` a member of ``group`` until ``group_expiry`` seconds from now."""
        raise NotImplementedError

    def group_discard(self, group: str, channel: str) -> None:
        """End the membership of ``channel`` in ``group``, if there is one."""
        raise NotImplementedError

    def group_channels(self, group: str) -> list[str]:
        """Return the members of ``group``. Costs a read of the whole group."""
        raise NotImplementedError

    def send_group(self, group: str, message: Content) -> None:
        """Send ``message`` to every member of ``group``; full members are skipped and counted.

        Raises:
            MessageTooLarge: The layer cannot carry a message of this size.
            LayerUnavailable: The server behind the layer cannot be reached.
            TypeError: ``group`` is not a group name.
        """
        raise NotImplementedError

    # Statistics and housekeeping

    def statistics_of(self, channels: Iterable[str]) -> dict[str, dict[str, float]]:
        """Return what ``channel_statistics`` says of each of ``channels``, in their order.

        For layers with ``statistics`` only. Those with a server ask for many at once.

        Raises:
            LayerUnavailable: The server behind the layer cannot be reached.
            TypeError: One of ``channels`` is not a channel name.
        """
        return statistics_one_by_one(self, channels)

    def may_repeat(self, channel: str) -> bool:
        """Return whether a message on ``channel`` may be delivered more than once.

        Then it may be sent again where ``LayerUnavailable`` leaves open whether it was taken.
        """
        return False

    def flush(self) -> None:
        """Forget all messages and groups."""
        raise NotImplementedError

    def close(self) -> None:
        """Release what this layer holds open in the calling process; it may be used again afterwards."""

    # Names and capacities

    def valid_channel_name(self, name: object, receive: bool = False) -> bool:
        """Return True if ``name`` is a channel name; TypeError says why it is not."""
        names.require_channel_name(name, receive=receive)
        return True

    def valid_channel_names(self, channels: Sequence[object], receive: bool = False) -> bool:
        """Return True if ``channels`` is a non-empty list of channel names; else AssertionError or TypeError."""
        if not channels:
            raise AssertionError("Give at least one channel name.")
        names.require_channel_names(channels, receive=receive)
        return True

    def valid_group_name(self, name: object) -> bool:
        """Return True if ``name`` is a group name; TypeError says why it is not."""
        names.require_group_name(name)
        return True

    def non_local_name(self, name: str) -> str:
        """Return ``name`` up to and including its ``!``."""
        return names.non_local_name(name)

    def require_message(self, message: object) -> Content:
        """Return ``message`` if it can be sent.

        Raises:
            AssertionError: It is not a dict, or holds the key that layers reserve. The draft asks for this exception.
        """
        if not isinstance(message, dict):
            raise AssertionError(f"message is not a dict: {type(message).__name__}")
        if LAYER_CHANNEL in message:
            raise AssertionError(f"message contains the reserved key {LAYER_CHANNEL!r}")
        return message

    def compile_capacities(
        self, channel_capacity: Mapping[str | re.Pattern[str], int]
    ) -> list[tuple[re.Pattern[str], int]]:
        """Return ``channel_capacity`` as (pattern, capacity) pairs, globs turned into regular expressions."""
        return [
            (re.compile(fnmatch.translate(pattern)) if isinstance(pattern, str) else pattern, capacity)
            for pattern, capacity in channel_capacity.items()
        ]

    def get_capacity(self, channel: str) -> int:
        """Return the capacity that rules for ``channel``; for ``a!b`` that of the queue ``a!``."""
        queue = names.non_local_name(channel)
        for pattern, capacity in self.channel_capacity:
            if pattern.match(queue):
                return capacity
        return self.reply_capacity if queue.endswith("!") else self.capacity

    def channel_full(self, channel: str) -> exceptions.ChannelFull:
        """Return the error that says which channel is full, at what capacity, and what to do."""
        return exceptions.ChannelFull(
            f"Channel {channel} holds {self.get_capacity(channel)} unread messages, its capacity. Run more workers "
            f"for it, or raise 'capacity' or 'channel_capacity' in CONFIG of its layer."
        )

    def __str__(self) -> str:
        return f"{type(self).__name__}()"
