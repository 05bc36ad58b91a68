"""Taking messages from the database and putting them on a layer, so that none is lost and none is sent twice.

Messages are locked, sent and deleted in one transaction, so no two servers send the same one. A server that dies
after the send and before the commit leaves messages that look unsent; the layer knows their marks (``layers.once``)
and does not take them again. On a layer that keeps no marks such messages are sent twice.
"""

import contextlib
import functools
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.db import connections, router, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from channels import counters, names
from channels.exceptions import ChannelFull, ChannelsError, LayerUnavailable
from channels.layers.base import Outgoing
from channels.layers.batches import send_all
from channels.layers.once import Marked, Once, once_of

logger = logging.getLogger("django.channels")

BATCH = 200
"""Most messages sent in one transaction."""

DEFAULT_REQUEUE_MS = 1000
"""How long a message whose channel is full is put off, in milliseconds."""

MARK_SECONDS = 604_800
"""How long the layer knows a mark: whoever finds a message of a server that died must do so within a week."""

SENT_MARK_SECONDS = 3600
"""The same once the message is deleted: then only what comes twice from the layer itself is still to be caught."""

PUT_OFF = {"channel_full": "their channels are full", "unavailable": "the servers that carry them cannot be reached"}
"""Why messages are put off: the end of the counter's name, and the words in the log."""


class Row(Protocol):
    """What is read of a message in the database (``models.DelayedMessage``)."""

    pk: Any
    due_date: datetime
    channel_name: str
    content: str
    mark: str | None


def send_messages(
    layer: Any,
    messages: QuerySet[Any],
    limit: int = BATCH,
    requeue_delay: float = DEFAULT_REQUEUE_MS,
) -> int:
    """Send up to ``limit`` of ``messages``, those due first, except for what another server is about to send.

    Those whose channel is full, or whose server alone cannot be reached, are put off; those that can never be sent
    are logged, counted and deleted.

    Args:
        layer: Where to.
        messages: Which.
        limit: How many at most.
        requeue_delay: How long to put messages off, in milliseconds.

    Returns:
        How many were sent, put off or deleted.

    Raises:
        LayerUnavailable: No server behind the layer can be reached; all of them still wait.
        DatabaseError: The database cannot do it now; the same.
    """
    using = router.db_for_write(messages.model)
    with transaction.atomic(using=using):
        rows = list(_lock(messages.using(using)).order_by("due_date", "pk")[:limit])
        marked = {row.pk: marked for row in rows if (marked := _read(row)) is not None}
        outcomes = dict(zip(marked, _send(layer, list(marked.values())), strict=True))
        put_off = _put_off([row for row in rows if _may_wait(outcomes.get(row.pk))], outcomes, requeue_delay)
        for row in rows:
            if row.pk not in put_off and (error := outcomes.get(row.pk)) is not None:
                counters.add("message.dropped.delayed_refused")
                _log_drop(row, error)
        gone = [row.pk for row in rows if row.pk not in put_off]
        messages.model.objects.using(using).filter(pk__in=gone).delete()
        if (once := once_of(layer)) is not None:
            sent = [marked[key] for key in gone if key in marked]
            transaction.on_commit(functools.partial(_keep, once, sent), using=using)
    return len(rows)


def _may_wait(error: Exception | None) -> bool:
    return isinstance(error, ChannelFull) or _is_trouble(error)


def _put_off(rows: Sequence[Row], outcomes: Mapping[Any, Exception | None], delay_ms: float) -> set[Any]:
    """Let ``rows`` be due later, and return their keys."""
    if not rows:
        return set()
    full = sum(isinstance(outcomes[row.pk], ChannelFull) for row in rows)
    for reason, count in (("channel_full", full), ("unavailable", len(rows) - full)):
        if count:
            counters.add(f"message.delayed.{reason}", count)
            logger.warning("%d delayed messages are put off: %s.", count, PUT_OFF[reason])
    due_date = timezone.now() + timedelta(milliseconds=delay_ms)
    for row in rows:
        # What was out of reach may have been sent all the same: it must be known again.
        row.mark, row.due_date = _mark_of(row), due_date
    model: Any = type(rows[0])
    model.objects.using(router.db_for_write(model)).bulk_update(rows, ["mark", "due_date"])
    return {row.pk for row in rows}


def _lock(messages: QuerySet[Any]) -> QuerySet[Any]:
    """Return ``messages``, to be read so that no other server reads the same before the transaction ends."""
    features = connections[messages.db].features
    if features.has_select_for_update:
        locked: QuerySet[Any] = messages.select_for_update(skip_locked=features.has_select_for_update_skip_locked)
        return locked
    # Such a database lets one write at a time: a write that changes nothing makes the others wait for the commit.
    messages.model.objects.using(messages.db).filter(pk=0).update(due_date=F("due_date"))
    return messages


def _read(row: Row) -> Marked | None:
    """Return the message of a row; one that is none is reported."""
    try:
        content = json.loads(row.content)
        if not isinstance(content, dict):
            raise ValueError(f"the content is not an object but {type(content).__name__}")
        names.require_channel_name(row.channel_name)
    except (ValueError, TypeError, RecursionError) as error:
        counters.add("message.dropped.delayed_invalid")
        _log_drop(row, error)
        return None
    return Marked(Outgoing(row.channel_name, content), _mark_of(row))


def _mark_of(row: Row) -> str:
    if row.mark is not None:
        return row.mark
    # A message of 1.x. The key alone would not do: tables are emptied, and count from 1 again.
    text = "\n".join((str(row.pk), row.due_date.isoformat(), row.channel_name, row.content))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _send(layer: Any, batch: Sequence[Marked]) -> list[Exception | None]:
    """Return what each of ``batch`` came to.

    Raises:
        Exception: All of them came to ``LayerUnavailable``, or to what only layers of others raise.
    """
    if not batch:
        return []
    once = once_of(layer)
    outgoing = [outgoing for outgoing, _ in batch]
    outcomes = once.send(batch, MARK_SECONDS) if once is not None else send_all(layer, outgoing)
    first = outcomes[0]
    if first is not None and all(_is_trouble(outcome) for outcome in outcomes):
        raise first
    return outcomes


def _is_trouble(error: Exception | None) -> bool:
    """Return whether ``error`` says nothing of the message: it may be sent later."""
    about_the_message = (ChannelsError, TypeError, AssertionError)
    return error is not None and (isinstance(error, LayerUnavailable) or not isinstance(error, about_the_message))


def _keep(once: Once, batch: Sequence[Marked]) -> None:
    with contextlib.suppress(LayerUnavailable):  # They live for a week then.
        once.keep(batch, SENT_MARK_SECONDS)


def _log_drop(row: Row, error: Exception) -> None:
    logger.error("A delayed message to %s cannot be sent; it is dropped: %s", row.channel_name, error)
