"""The page in the admin. Staff with the permission ``channels_monitor.view_layer`` may see it."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from channels.monitor.models import Layer
from channels.registry import DEFAULT_CHANNEL_LAYER, channel_layers


@admin.register(Layer)
class LayerAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """One page in the place of a list; nothing can be added, changed or deleted."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False."""
        return False

    def get_urls(self) -> list[URLPattern]:
        """Return the URL of the page, under the name that the index of the admin looks for."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_changelist"
        return [path("", self.admin_site.admin_view(self.live_view), name=name)]

    def live_view(self, request: HttpRequest) -> TemplateResponse:
        """Return the page; what it shows comes over its socket.

        Raises:
            PermissionDenied: The user may not see it.
        """
        if not self.has_view_permission(request):
            raise PermissionDenied("This page needs the permission channels_monitor.view_layer.")
        aliases = sorted(channel_layers.configs, key=lambda alias: (alias != DEFAULT_CHANNEL_LAYER, alias))
        context = {
            **self.admin_site.each_context(request),
            "title": "Channels, live",
            "opts": self.opts,
            "aliases": aliases,
        }
        return TemplateResponse(request, "channels_monitor/live.html", context)
