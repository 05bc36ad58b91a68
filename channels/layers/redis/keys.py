"""How the things of a layer are named in Redis. What the keys hold is told in docs/reference/redis.

With a veil the names of channels and groups cannot be read on the server; in a cluster what belongs together has a
hash tag, so that it shares a slot.
"""

import functools
from typing import Protocol

from channels import names

PROCESSES = "processes"
"""Stands for the place where processes are announced."""


class Veil(Protocol):
    """Makes names unreadable, each always in the same way."""

    def hide(self, name: str) -> str:
        """Return what stands for ``name``: ASCII letters, digits, hyphens and underscores."""

    def show(self, hidden: str) -> str:
        """Return the name that ``hidden`` stands for; ValueError if it stands for none."""


class Keys:
    """The keys of one layer.

    Args:
        prefix: What keys begin with.
        stats_prefix: What those of statistics begin with.
        veil: Hides names; None leaves them readable.
        is_tagged: Whether names are hash tags.
    """

    def __init__(self, prefix: str, stats_prefix: str, veil: Veil | None = None, is_tagged: bool = False) -> None:
        self.prefix = prefix
        self.stats_prefix = stats_prefix
        self._is_tagged = is_tagged
        self._form = "{%s}" if is_tagged else "%s"
        # Names of queues come again and again; those of single readers never do, so the memory is bounded.
        self._hide = functools.lru_cache(4096)(veil.hide) if veil else None
        self._show = functools.lru_cache(4096)(veil.show) if veil else None

    def hidden(self, channel: str) -> str:
        """Return what stands for a channel or group: of ``a!b`` only ``a`` is hidden, and a ``?`` still shows."""
        if self._hide is None:
            return channel
        head, mark, local_part = channel.partition("!")
        if mark:
            return f"{self._hide(head)}!{local_part}"
        return self._hide(channel) + "?" * ("?" in channel)

    def shown(self, hidden: str) -> str:
        """Return the channel or group that ``hidden`` stands for.

        Raises:
            ValueError: It was hidden by another secret.
        """
        if self._show is None:
            return hidden
        head, mark, local_part = hidden.partition("!")
        if mark:
            return f"{self._show(head)}!{local_part}"
        return self._show(hidden.rstrip("?"))

    def channel_of(self, member: bytes) -> str:
        """Return the channel that ``member`` of a set stands for.

        Raises:
            ValueError: It stands for none: somebody else wrote it.
        """
        try:
            return names.require_channel_name(self.shown(member.decode()))
        except TypeError as error:
            raise ValueError(str(error)) from error

    def queue(self, queue: str) -> str:
        """Return the key of the messages of ``queue``."""
        return self.prefix + self._form % self.hidden(queue)

    def queue_of(self, key: bytes) -> str:
        """Return the queue whose messages are at ``key``."""
        return self.shown(key.decode()[len(self.prefix) :].strip("{}"))

    def alive(self, queue: str) -> str:
        """Return the key that says that somebody reads ``queue``."""
        return f"{self.prefix}:alive:{self._form % self.hidden(queue)}"

    def gone(self, queue: str) -> str:
        """Return the key that says that whoever read ``queue`` was taken for dead."""
        return f"{self.prefix}:gone:{self._form % self.hidden(queue)}"

    def group(self, group: str) -> str:
        """Return the key of the members of ``group``."""
        return f"{self.prefix}:group:{self._form % self.hidden(group)}"

    @property
    def group_prefix(self) -> str:
        """What the keys of the members of groups begin with."""
        return f"{self.prefix}:group:"

    def epoch(self, tag: str) -> str:
        """Return the key of what says since when a server has its keys; ``tag`` is of those there."""
        return f"{self.prefix}:epoch{tag}"

    def normal(self, group: str) -> str:
        """Return the key of its normal channels, where those stay on the machine."""
        return f"{self.prefix}:normal:{self._form % self.hidden(group)}"

    def stream(self, queue: str) -> str:
        """Return the key of messages of ``queue`` that are delivered at least once."""
        return f"{self.prefix}:stream:{self._form % self.hidden(queue)}"

    def dead(self, queue: str) -> str:
        """Return the key of the dead letters of ``queue``."""
        return f"{self.prefix}:dead:{self._form % self.hidden(queue)}"

    def returned(self, queue: str) -> str:
        """Return the key of what was handed back of such messages unbegun."""
        return f"{self.prefix}:returned:{self._form % self.hidden(queue)}"

    @property
    def processes(self) -> str:
        """The key of what processes say of themselves."""
        return f"{self.prefix}:{self._form % self.hidden(PROCESSES)}"

    def readable(self, rest: str) -> str:
        """Return what follows the prefix in a key, with the name at its end readable.

        Raises:
            ValueError: The name was hidden by another secret.
        """
        head, colon, name = rest.rpartition(":")
        return head + colon + self.shown(name.strip("{}"))

    def statistics(self, queue: str) -> str:
        """Return the key of what was counted of ``queue``."""
        return self.stats_prefix + self._form % self.hidden(queue)

    @property
    def total(self) -> str:
        """The key of what was counted of all queues."""
        return self.stats_prefix + self._form % "#global#"

    def turn(self, connection: str, tag: str) -> str:
        """Return the key of the line of ``connection``; ``tag`` is that of its shard."""
        return f"{self.prefix}:turn:{tag}{self.hidden(connection)}"

    def turns(self, tag: str) -> str:
        """Return the key of the lines that wait."""
        return f"{self.prefix}:turns{tag}"

    def mark(self, queue: str, mark: str) -> str:
        """Return the key that says that a message with ``mark`` was sent to ``queue``; it is where the queue is."""
        return f"{self.prefix}:once:{self._form % self.hidden(queue) if self._is_tagged else ''}{mark}"
