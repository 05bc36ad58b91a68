"""The layer's methods for messages that are not finished: handing back, finishing, and dead letters.

A part of the layer, for its length. What is kept where is decided in ``durable``.
"""

import logging
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress

from channels import counters, names
from channels.exceptions import LayerUnavailable
from channels.layers.base import Delivery
from channels.layers.redis.core import LayerCore
from channels.layers.redis.deadletters import DeadLetter
from channels.types import Content

logger = logging.getLogger("django.channels.layers")

_LETTERS_AT_A_TIME = 100


class UnfinishedMethods(LayerCore):
    """What a Redis layer does with messages that it handed out, or gave up."""

    def hand_back(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Put what was taken and not worked on first on its channels again, as the contract says.

        A message that is delivered at least once is handed out to the next who asks, and counts as not delivered.
        One of those that is not in hand any more is ignored. Where a server is lost at this moment, and may have taken
        others or not, nobody is to run them, so that none runs twice.
        """
        in_hand, contents = self._mine.in_hand, [delivery.content for delivery in deliveries]
        receipts = [receipt for receipt in map(in_hand.find, contents) if receipt is not None]
        if receipts:
            self._run(self._durable.hand_back(receipts))
            in_hand.pop(contents)  # Not before: where that failed, the caller runs them.
        others = [delivery for delivery in deliveries if not self._durable.keeps(delivery.channels[0])]
        failures = self._run(self._sender.hand_back(others)) if others else []
        return [delivery for part, error in failures for delivery in _certainly_kept(part, error)]

    def may_repeat(self, channel: str) -> bool:
        """Return whether messages on ``channel`` are delivered at least once."""
        return self._durable.keeps(channel)

    def is_in_hand(self, content: Content) -> bool:
        """Return whether ``content`` is a message that this process was given to finish."""
        return content in self._mine.in_hand

    def finish_deliveries(self, contents: Sequence[Content], succeeded: bool) -> None:
        """Say that the work on messages with ``__deliveries__`` is over: done for good, or to be done again later.

        Args:
            contents: The very contents that ``receive_batch`` returned; any others are ignored.
            succeeded: Remove the messages; else they are delivered again after ``redelivery_after`` seconds.
        """
        receipts = self._mine.in_hand.pop(contents)
        if receipts and succeeded:
            self._post(self._durable.finish(receipts), _report_unfinished)

    def dead_letter_channels(self) -> dict[str, int]:
        """Return how many dead letters each channel has that has any. Looks through all keys of the servers."""
        found: dict[str, int] = {}
        for shard in self._holders():
            channels = [
                channel
                for key in shard.keys_from(self._durable.letters.prefix, "stream")
                if (channel := self._dead(key))
            ]
            counts = self._run(self._durable.letters.count(channels))
            found.update((channel, count) for channel, count in counts.items() if count)
        return dict(sorted(found.items()))

    def _dead(self, key: bytes) -> str | None:
        """Return the channel whose dead letters are at ``key``, if it is one of this layer."""
        with suppress(ValueError, TypeError):
            name = self._parts.keys.shown(key.decode()[len(self._durable.letters.prefix) :].strip("{}"))
            return names.require_channel_name(name)
        return None

    def dead_letters(
        self, channel: str, limit: int = _LETTERS_AT_A_TIME, ids: Iterable[str] | None = None
    ) -> list[DeadLetter]:
        """Return messages of ``channel`` that were delivered ``max_deliveries`` times and never finished.

        Args:
            channel: Its name.
            limit: How many at most, the oldest first.
            ids: Those with these ids only, whatever the limit; ids that there are not are passed over.

        Raises:
            ValueError: One of ``ids`` is not the id of a dead letter.
        """
        return self._run(self._durable.letters.read(names.require_channel_name(channel), limit, _require_ids(ids)))

    def replay_dead_letters(
        self, channel: str, limit: int = _LETTERS_AT_A_TIME, ids: Iterable[str] | None = None
    ) -> int:
        """Send dead letters of ``channel`` again, as new messages, and return how many; arguments as before.

        Raises:
            ChannelFull: There is no room for more; those sent so far are no dead letters any more.
            ValueError: One of ``ids`` is not the id of a dead letter.
        """
        letters = self.dead_letters(channel, limit, ids)
        for letter in letters:
            self.send(channel, letter.content)
            self._run(self._durable.letters.delete(channel, [letter.id]))
        return len(letters)

    def delete_dead_letters(self, channel: str, ids: Iterable[str] | None = None) -> int:
        """Forget the dead letters of ``channel`` with these ``ids``, or all of them, and return how many.

        Raises:
            ValueError: One of ``ids`` is not the id of a dead letter.
        """
        return self._run(self._durable.letters.delete(names.require_channel_name(channel), _require_ids(ids)))


def _certainly_kept(part: Sequence[Delivery], error: LayerUnavailable) -> Sequence[Delivery]:
    """Return ``part``, which could not be handed back because of ``error``, if the server certainly did not take it."""
    if not error.was_asked:
        return part
    counters.add("message.dropped.unreturned", len(part))
    logger.error("%d messages were being handed back, and may be on their channels or not: %s", len(part), error)
    return ()


def _require_ids(ids: Iterable[str] | None) -> list[str] | None:
    if ids is None:
        return None
    if isinstance(ids, str):
        raise ValueError(f"Give the ids of dead letters as a list, not the text {ids!r}.")
    checked = list(ids)
    for number in checked:
        if not isinstance(number, str) or not re.fullmatch(r"\d{1,19}-\d{1,19}", number):
            raise ValueError(f"{number!r} is not the id of a dead letter; they look like '1700000000000-0'.")
    return checked


def _report_unfinished(result: object) -> None:
    if isinstance(result, Exception):
        counters.add("message.repeated.unfinished")
        logger.warning("A message was done with, but will be delivered again: %s", result)
