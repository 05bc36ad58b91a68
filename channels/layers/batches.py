"""Batches on any layer: many messages or channels at a time, or one by one where the layer has nothing better."""

import functools
import time
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


POLL_SECONDS = 0.01
"""How long to wait after a ``receive`` that should have waited and did not, as those of many layers of 1.x do."""


def receive_one(layer: Any, channels: Sequence[str], timeout: float) -> list[Delivery]:
    """``receive_batch`` by ``layer.receive``; does not come back at once and empty-handed if it may wait."""
    began = time.monotonic()
    channel, content = layer.receive(channels, block=timeout > 0)
    if channel is not None:
        return [Delivery((channel,), content)]
    if timeout > 0 and time.monotonic() - began < POLL_SECONDS:
        time.sleep(min(timeout, POLL_SECONDS))
    return []


def send_one_by_one(layer: Any, batch: Sequence[Outgoing]) -> list[Exception | None]:
    """Send ``batch`` by ``layer.send`` and ``layer.send_group``, with the results of ``send_batch``."""
    outcomes: list[Exception | None] = []
    full: dict[str, Exception] = {}
    for item in batch:
        outcome = None if item.to_group else full.get(item.name)
        if outcome is None:
            try:
                (layer.send_group if item.to_group else layer.send)(item.name, item.content)
            except exceptions.ChannelFull as error:
                outcome = full[item.name] = error
            except exceptions.LayerUnavailable as error:
                return outcomes + [error] * (len(batch) - len(outcomes))
            except Exception as error:  # Layers of others raise what they like; the later items can do nothing for it.
                outcome = error
        outcomes.append(outcome)
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
