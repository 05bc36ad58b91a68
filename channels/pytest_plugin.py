"""Fixtures for pytest: the tools of ``channels.test`` without a ``TestCase``.

Loaded by an entry point wherever this distribution is installed, so nothing of Django is touched before a fixture is
asked for, and nothing at all where Django has no settings: such a test is skipped, as pytest-django does.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from channels.registry import ChannelLayerWrapper
    from channels.test.live import LiveServer
    from channels.test.websocket import WSClient


def _require_django() -> None:
    from django.conf import settings

    if not os.environ.get("DJANGO_SETTINGS_MODULE") and not settings.configured:
        pytest.skip("no Django settings")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let tests with a live server commit what they store, as other processes could not see it otherwise."""
    # Before pytest-django sorts tests by how they use the database.
    if not config.pluginmanager.hasplugin("django"):
        return
    for item in items:
        if "live_channels_server" in getattr(item, "fixturenames", ()):
            marker = item.get_closest_marker("django_db")
            options = {**(marker.kwargs if marker else {}), "transaction": True}
            item.add_marker(pytest.mark.django_db(**options), append=False)


@pytest.fixture
def channel_layer() -> "Iterator[ChannelLayerWrapper]":
    """Empty layers, in this process, for every alias of CHANNEL_LAYERS; yields the default one."""
    _require_django()
    from channels.registry import DEFAULT_CHANNEL_LAYER, channel_layers
    from channels.test.commits import settling_commits
    from channels.test.layers import fresh_layers

    with settling_commits(), fresh_layers(channel_layers.configs):
        yield channel_layers[DEFAULT_CHANNEL_LAYER]


@pytest.fixture
def ws_client(channel_layer: "ChannelLayerWrapper") -> "WSClient":
    """A ``WSClient`` on an empty layer. Its session needs the database: ask for ``db`` as well."""
    from channels.test.websocket import WSClient

    return WSClient()


@pytest.fixture
def channel_routes(channel_layer: "ChannelLayerWrapper") -> Iterator[Callable[..., None]]:
    """A function that takes what ``apply_routes`` takes, and routes messages so until the test ends."""
    from channels.test.base import apply_routes

    with ExitStack() as stack:

        def route_by(routes: Any, aliases: Sequence[str] | None = None) -> None:
            stack.enter_context(apply_routes(routes) if aliases is None else apply_routes(routes, aliases))

        yield route_by


@pytest.fixture
def live_channels_server(request: pytest.FixtureRequest) -> "Iterator[LiveServer]":
    """A server and workers in processes of their own, with this test's settings and databases.

    ``url`` and ``ws_url`` say where. What consumers raise in the worker fails the test, unless it takes the errors
    away with ``take_errors()``. Implies ``django_db(transaction=True)``, and needs pytest-django.
    """
    _require_django()
    if not request.config.pluginmanager.hasplugin("django"):
        pytest.fail("The fixture live_channels_server needs pytest-django, which prepares the database of tests.")
    from channels.test.live import live_server

    with live_server() as server:
        yield server
