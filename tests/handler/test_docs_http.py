"""The examples of the HTTP page, run as a reader would run them."""

import sys
import textwrap
from pathlib import Path
from types import ModuleType

import pytest
from django.urls import path

from channels import names
from channels.dispatch import dispatch
from channels.handler import AsgiHandler
from channels.layers.inmemory import ChannelLayer
from channels.registry import ChannelLayerWrapper, channel_layers
from channels.worker import Worker
from tests.support.http import REPLY_CHANNEL, collect, message
from tests.test_docs import PYTHON_BLOCK

PAGE = Path(__file__).resolve().parents[2] / "docs" / "http.rst"
QUEUE = names.non_local_name(REPLY_CHANNEL)


def sources():
    """Return the example modules of the page by dotted name."""
    found = {}
    for block in PYTHON_BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        code = textwrap.dedent(block["body"]).strip()
        comment = code.partition("\n")[0]
        found[comment.removeprefix("# ").removesuffix(".py").replace("/", ".")] = code
    return found


SOURCES = sources()


@pytest.fixture
def modules(monkeypatch):
    """Make every example importable under the name that its first line gives."""
    made = {}
    for name, code in SOURCES.items():
        package, _, _ = name.partition(".")
        if package != "site":
            monkeypatch.setitem(sys.modules, package, ModuleType(package))
        made[name] = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, made[name])
        exec(compile(code, name, "exec"), made[name].__dict__)
    return made


@pytest.fixture
def layer():
    """Make a fresh layer the default one of the examples."""
    old = channel_layers["default"]
    wrapper = ChannelLayerWrapper(ChannelLayer(), "default", [])
    channel_layers.set("default", wrapper)
    yield wrapper
    channel_layers.set("default", old)


def serve(layer, routing, settings, **views):
    """Route ``layer`` as an example does, and add its views to the site."""
    urls = ModuleType("docs_http_urls")
    urls.urlpatterns = [path(f"{name}/", view) for name, view in views.items()]
    settings.ROOT_URLCONF = urls
    served = ChannelLayerWrapper(layer.channel_layer, "default", routing)
    served.router.check_default()
    return served


def ask(served, address, channel="http.request", **more):
    """Run the consumer of a request."""
    dispatch(served, channel, message(address, **more).content, sender=Worker)


def replies(served):
    """Return what was sent to the client."""
    return [delivery.content for delivery in served.channel_layer.receive_batch([QUEUE], limit=100)]


def test_page_names_a_file_for_each_example():
    """The page and this test speak of the same examples."""
    assert sorted(SOURCES) == [
        "site.http",
        "status.consumers",
        "status.routing",
    ]


def test_a_consumer_takes_the_requests_it_is_routed_for(modules, layer, settings):
    """And Django the others."""
    served = serve(layer, "status.routing.channel_routing", settings)
    ask(served, "/health/")
    assert collect(replies(served)).body == b'{"path": "/health/", "healthy": true}'
    ask(served, "/health/", method="POST")
    assert collect(replies(served)).status == 404


def test_consumer_of_ones_own_changes_what_it_says(modules):
    """The attributes reach the parts they are for."""
    consumer = modules["site.http"].http_consumer
    assert isinstance(consumer.handler, AsgiHandler)
    assert consumer.handler.request_class.body_receive_timeout == 600
    assert consumer.slow_timeout == 300
