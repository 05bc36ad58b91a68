"""Batches on any layer: many messages or channels at a time, or one by one where the layer has nothing better."""

import functools
from collections.abc import Iterable, Sequence
from typing import Any

from channels import exceptions, names
from channels.layers.twins import Delivery, Outgoing
from channels.types import Content


def by_queue(deliveries: Sequence[Delivery]) -> dict[str, list[Delivery]]:
    """Return ``deliveries`` by the queue that each came from, in order."""
    queues: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        queues.setdefault(names.non_local_name(delivery.channels[0]), []).append(delivery)
    return queues


def send_one_by_one(layer: Any, batch: Sequence[Outgoing]) -> list[Exception | None]:
    """Send ``batch`` by ``layer.send`` and ``layer.send_group``, with the results of ``send_batch``."""
    outcomes: list[Exception | None] = []
    for item in batch:
        try:
            (layer.send_group if item.to_group else layer.send)(item.name, item.content)
        except (exceptions.ChannelFull, exceptions.MessageTooLarge, TypeError, AssertionError) as error:
            outcomes.append(error)
        else:
            outcomes.append(None)
    return outcomes


def send_all(layer: Any, batch: Sequence[Outgoing]) -> list[Exception | None]:
    """``layer.send_batch`` for any object that can ``send``, batches or not."""
    send_batch: Any = getattr(layer, "send_batch", functools.partial(send_one_by_one, layer))
    outcomes: list[Exception | None] = send_batch(batch)
    return outcomes


def first_of(deliveries: Sequence[Delivery]) -> tuple[str | None, Content | None]:
    """Return the only one of ``deliveries``, for one channel, as ``receive`` does; two Nones if there is none."""
    return (deliveries[0].channels[0], deliveries[0].content) if deliveries else (None, None)


def statistics_one_by_one(layer: Any, channels: Iterable[str]) -> dict[str, dict[str, float]]:
    """Return ``layer.channel_statistics`` of each of ``channels``, with the result of ``statistics_of``."""
    return {channel: layer.channel_statistics(channel) for channel in channels}
