"""The project of these tests: its processes on a real Redis, and its commands in this process."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from channels.layers.inspection import inspection_of
from channels.registry import channel_layers
from tests.support.processes import Processes, wait_for
from tests.support.redis import RedisServer

CAPACITY = 3


class Site:
    """The project.

    Attributes:
        url: Of its Redis.
        processes: What it runs.
    """

    def __init__(self, directory: Path, url: str, **environment: str) -> None:
        self.url = url
        self.processes = Processes(
            directory,
            {"DJANGO_SETTINGS_MODULE": "tests.monitor.site.settings", "SITE_REDIS": url, **environment},
        )

    @property
    def layer(self) -> Any:
        """The layer, as this process sees it."""
        return channel_layers["default"]

    def announced(self, kind: str) -> list[Any]:
        """Return what processes of one kind say of themselves."""
        inspection = inspection_of(self.layer)
        assert inspection is not None
        return [one for one in inspection.announced() if one.content["kind"] == kind]

    def start_worker(self, *options: str, **environment: str) -> Any:
        """Start a worker, wait until it is visible, and return its process."""
        before = len(self.announced("worker"))
        kept = self.processes.environment
        self.processes.environment = {**kept, **environment}
        process = self.processes.start(["-m", "django", "runworker", *options])
        self.processes.environment = kept
        wait_for(lambda: len(self.announced("worker")) > before, f"A worker:\n{self.processes.log()}", 60)
        return process

    def command(self, *arguments: str, **options: Any) -> str:
        """Run ``manage.py channels`` in this process and return what it writes, with the error that it ends with."""
        out = io.StringIO()
        try:
            call_command("channels", *arguments, stdout=out, no_color=True, **options)
        except CommandError as error:
            out.write(f"CommandError: {error}")
        return out.getvalue()


def _use(settings: Any, url: str, **config: Any) -> None:
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels.layers.redis.RedisChannelLayer",
            "CONFIG": {"hosts": [url], **config},
            "ROUTING": "tests.monitor.site.routing.channel_routing",
        }
    }


@pytest.fixture
def use_layer(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let this process use another Redis, as the project does."""
    return lambda url, **config: _use(settings, url, **config)


@pytest.fixture
def site(redis_server: RedisServer, tmp_path: Path, use_layer: Callable[..., None]) -> Iterator[Site]:
    """The project without any process; channels hold three messages."""
    use_layer(redis_server.url, capacity=CAPACITY)
    layer = {"capacity": CAPACITY}
    site = Site(tmp_path, redis_server.url, SITE_LAYER=json.dumps(layer))
    yield site
    with redis_server.client() as client:
        client.rpush("release", *range(20))
    site.processes.stop()
    channel_layers.forget()
