"""DelayedMessage: a message and when it is due, and the database of these. How messages are sent is in ``sending``."""

import json
import secrets
from datetime import timedelta
from typing import Any, ClassVar

from django.db import models, router
from django.utils import timezone

from channels.delay.sending import DEFAULT_REQUEUE_MS, send_messages
from channels.registry import DEFAULT_CHANNEL_LAYER, channel_layers


def make_mark() -> str:
    """Return what tells a message from all others."""
    return secrets.token_hex(16)


class DelayedMessageQuerySet(models.QuerySet["DelayedMessage"]):
    """Delayed messages."""

    def is_due(self) -> "DelayedMessageQuerySet":
        """Return those whose time has come."""
        due: DelayedMessageQuerySet = self.filter(due_date__lte=timezone.now())
        return due


class DelayedMessage(models.Model):
    """A message that waits in the database.

    Make one with ``channel_name``, ``content`` and ``delay`` to delay a message in a transaction of your own.
    """

    due_date = models.DateTimeField(db_index=True)
    channel_name = models.CharField(max_length=512)
    content = models.TextField(help_text="The message, as JSON.")
    # Null, because messages of 1.x have none, and those without a mark are not alike.
    mark = models.CharField(max_length=200, null=True, unique=True, default=make_mark, editable=False)  # noqa: DJ001

    objects: ClassVar[Any] = DelayedMessageQuerySet.as_manager()

    class Meta:
        db_table = "channels.delay_delayedmessage"  # As 1.x named it.
        verbose_name = "delayed message"

    def __str__(self) -> str:
        return f"{self.channel_name} at {self.due_date:%Y-%m-%d %H:%M:%S}"

    @property
    def delay(self) -> int:
        """Milliseconds until the message is due, negative once it is; setting it counts from now."""
        return round((self.due_date - timezone.now()) / timedelta(milliseconds=1))

    @delay.setter
    def delay(self, milliseconds: float) -> None:
        self.due_date = timezone.now() + timedelta(milliseconds=milliseconds)

    def set_content(self, content: dict[str, Any]) -> None:
        """Keep ``content``.

        Raises:
            TypeError: It holds what JSON cannot carry, such as bytes.
        """
        self.content = json.dumps(content)

    def send(self, channel_layer: Any = None, requeue_delay: float = DEFAULT_REQUEUE_MS) -> None:
        """Send the message now and delete it; put it off if its channel is full. Does nothing if it was sent already.

        Args:
            channel_layer: The layer; None is the default layer.
            requeue_delay: How long to put it off, in milliseconds.

        Raises:
            LayerUnavailable: The server behind the layer cannot be reached; the message still waits.
        """
        layer = channel_layers[DEFAULT_CHANNEL_LAYER] if channel_layer is None else channel_layer
        send_messages(layer, type(self).objects.filter(pk=self.pk), requeue_delay=requeue_delay)


def database() -> str:
    """Return the alias of the database that messages wait in."""
    return router.db_for_write(DelayedMessage)
