"""Runs workers inside the server's process where the layer reaches no other."""

import threading

from django.apps import AppConfig, apps
from django.conf import settings

from channels.registry import channel_layers
from channels.worker import Worker


def _work() -> None:
    apps.ready_event.wait()
    layer = channel_layers["default"]
    layer.router.check_default()
    Worker(layer, signal_handlers=False).run()


class ProjectConfig(AppConfig):
    """The served project as an app."""

    name = "tests.interface.project"
    label = "interface_project"

    def ready(self) -> None:
        """Start the workers that the environment asks for."""
        for _ in range(settings.PROJECT_WORKERS):
            threading.Thread(target=_work, daemon=True).start()
