"""The page of waiting messages: look at them, put them off, send or delete them now."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import Truncator
from django.utils.translation import ngettext

from channels.delay.models import DelayedMessage
from channels.delay.sending import BATCH, send_messages
from channels.exceptions import LayerUnavailable
from channels.registry import DEFAULT_CHANNEL_LAYER, channel_layers


@admin.register(DelayedMessage)
class DelayedMessageAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Waiting messages, those due first."""

    list_display = ("due_date", "channel_name", "beginning")
    list_filter = ("due_date",)
    search_fields = ("channel_name", "content")
    date_hierarchy = "due_date"
    ordering = ("due_date",)
    readonly_fields = ("channel_name", "content")
    actions = ("send_now",)

    @admin.display(description="content")
    def beginning(self, message: DelayedMessage) -> str:
        """Return what the content begins with."""
        return Truncator(message.content).chars(80)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody writes messages here: programs do."""
        return False

    def save_model(self, request: HttpRequest, obj: DelayedMessage, form: Any, change: bool) -> None:
        """Store when it is due, unless it was sent while somebody looked at it: saving would send it again."""
        if not DelayedMessage.objects.filter(pk=obj.pk).update(due_date=obj.due_date):
            self.message_user(request, "This message was sent meanwhile; it could not be changed.", messages.ERROR)

    @admin.action(description="Send now", permissions=["change"])
    def send_now(self, request: HttpRequest, queryset: QuerySet[DelayedMessage]) -> None:
        """Send the chosen messages on the default layer."""
        keys = list(queryset.values_list("pk", flat=True))
        layer, count = channel_layers[DEFAULT_CHANNEL_LAYER], 0
        try:
            for first in range(0, len(keys), BATCH):
                count += send_messages(layer, DelayedMessage.objects.filter(pk__in=keys[first : first + BATCH]))
        except LayerUnavailable as error:
            self.message_user(request, f"The channel layer cannot be reached: {error}", messages.ERROR)
        else:
            text = ngettext("%d message was taken care of.", "%d messages were taken care of.", count)
            self.message_user(request, text % count, messages.SUCCESS)
