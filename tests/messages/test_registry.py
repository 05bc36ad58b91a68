"""From CHANNEL_LAYERS to layers."""

import sys
import threading
import types

import pytest
from django.core.exceptions import ImproperlyConfigured

from channels import Channel
from channels.exceptions import InvalidChannelLayerError
from channels.layers.base import Outgoing
from channels.layers.inmemory import ChannelLayer
from channels.registry import OLD_BACKENDS, ChannelLayerManager, ChannelLayerWrapper

INMEMORY = "channels.layers.inmemory.ChannelLayer"


@pytest.fixture
def manager(settings):
    """A manager over settings of this test."""
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "asgiref.inmemory.ChannelLayer",
            "ROUTING": [],
            "CONFIG": {"capacity": 7},
            "TEST_CONFIG": {"capacity": 8},
        },
        "no_backend": {"ROUTING": []},
        "no_routing": {"BACKEND": INMEMORY},
        "bad_path": {"BACKEND": "tests.nowhere.Layer", "ROUTING": []},
        "bad_option": {"BACKEND": INMEMORY, "ROUTING": [], "CONFIG": {"colour": "red"}},
        "bad_routing": {"BACKEND": INMEMORY, "ROUTING": "tests.nowhere.routing"},
    }
    return ChannelLayerManager()


def test_old_backend_paths_make_our_layers(manager):
    """The setting stays as the project wrote it."""
    assert type(manager["default"].channel_layer) is ChannelLayer
    assert manager.configs["default"]["BACKEND"] == "asgiref.inmemory.ChannelLayer"


def test_layer_is_made_once_by_all_threads(manager):
    """Threads that ask at the same moment get the same layer."""
    barrier = threading.Barrier(8)
    found = []

    def ask():
        barrier.wait()
        found.append(manager["default"])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(layer) for layer in found}) == 1


@pytest.mark.parametrize(
    ("alias", "reason"),
    [
        ("no_backend", "No BACKEND specified for no_backend"),
        ("no_routing", "No ROUTING specified for no_routing"),
        ("bad_path", "Cannot import BACKEND 'tests.nowhere.Layer' specified for bad_path"),
        ("bad_option", "Wrong CONFIG of the channel layer bad_option: .*colour"),
    ],
)
def test_incomplete_entries_say_what_is_missing(manager, alias, reason):
    """The error names the alias and the key."""
    with pytest.raises(InvalidChannelLayerError, match=reason):
        manager[alias]


def test_test_backend_uses_its_own_configuration(manager):
    """And is a new layer each time."""
    layer = manager.make_test_backend("default")
    assert (layer.capacity, manager["default"].capacity) == (8, 7)
    assert manager.make_test_backend("default") is not layer
    with pytest.raises(InvalidChannelLayerError, match="No TEST_CONFIG specified for no_backend"):
        manager.make_test_backend("no_backend")


def test_set_swaps_layers_and_returns_the_old_one(manager):
    """None makes the layer anew when it is next asked for."""
    made = manager["default"]
    other = ChannelLayerWrapper(ChannelLayer(), "default", [])
    assert manager.set("default", other) is made
    assert manager["default"] is other
    assert manager.set("default", None) is other
    assert manager["default"] not in (made, other)


def test_membership_asks_the_settings(manager):
    """No layer is made by asking."""
    assert "bad_path" in manager
    assert "absent" not in manager


def test_changed_settings_are_used(manager, settings):
    """Overriding the setting in a test takes effect."""
    before = manager["default"]
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": INMEMORY, "ROUTING": []}}
    manager.forget(setting="CHANNEL_LAYERS")
    assert manager["default"] is not before


def test_wrapper_reads_its_routing_when_first_used(manager):
    """A process that only sends never imports the consumers."""
    layer = manager["bad_routing"]
    layer.send("c", {})
    with pytest.raises(Exception, match="Cannot import channel routing"):
        _ = layer.router


def test_wrapper_prints_alias_and_class(manager):
    """As commands show it."""
    assert str(manager["default"]) == f"default ({INMEMORY})"


def test_wrapper_asks_a_layer_that_has_no_more_for_one_channel_after_the_other():
    """A layer that was written for 1.x knows the statistics of one channel at a time."""

    class Old:
        """Has what 1.x asked for."""

        def channel_statistics(self, channel):
            return {"messages_pending": len(channel)}

    wrapper = ChannelLayerWrapper(Old(), "default", [])
    assert wrapper.statistics_of(["a", "bcd"]) == {"a": {"messages_pending": 1}, "bcd": {"messages_pending": 3}}


class Spy(ChannelLayer):
    """Notes what passes, as packages of 1.x do that knew of no batches."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def send(self, channel, message):
        self.seen.append(("send", channel))
        super().send(channel, message)

    def send_group(self, group, message):
        self.seen.append(("send_group", group))
        super().send_group(group, message)

    def receive(self, channels, block=False):
        self.seen.append(("receive", *channels))
        return super().receive(channels, block)


def test_methods_that_a_subclass_of_a_layer_overrides_are_used():
    """Sends of channels and groups and the receives of workers pass through them, batches or not."""
    spy = Spy()
    wrapper = ChannelLayerWrapper(spy, "default", [])
    Channel("c", channel_layer=wrapper).send({})
    wrapper.post_batch([Outgoing("g", {}, to_group=True)], lambda outcomes: spy.seen.append(outcomes))
    assert wrapper.receive_batch(["c"])[0].channels == ("c",)
    assert spy.seen == [("send", "c"), ("send_group", "g"), [None], ("receive", "c")]


def test_batches_that_a_subclass_of_a_layer_overrides_are_used():
    """Who overrides both is trusted to know what passes where."""

    class Batched(Spy):
        """Sends batches in its own way."""

        def send_batch(self, batch):
            self.seen.append(("send_batch", len(batch)))
            return super().send_batch(batch)

    spy = Batched()
    assert ChannelLayerWrapper(spy, "default", []).send_batch([Outgoing("c", {})] * 2) == [None, None]
    assert spy.seen == [("send_batch", 2)]


def test_only_the_class_itself_is_local():
    """A third-party layer that inherits from the in-memory one is not local by that."""

    class Elsewhere(ChannelLayer):
        """Reaches other processes."""

    assert ChannelLayerWrapper(ChannelLayer(), "default", []).local_only()
    assert not ChannelLayerWrapper(Elsewhere(), "default", []).local_only()


@pytest.mark.parametrize("old", sorted(path for path in OLD_BACKENDS if "inmemory" in path or "RedisChannel" in path))
def test_old_paths_point_at_layers_that_exist(old):
    """Every path of 1.x whose layer this version has can be imported under its new name."""
    from django.utils.module_loading import import_string

    assert isinstance(import_string(OLD_BACKENDS[old]), type)


def test_routing_that_asks_for_the_router_while_it_is_imported_is_an_error(tmp_path, monkeypatch):
    """It would wait for itself."""
    (tmp_path / "routing_in_a_circle.py").write_text("import channels_in_a_circle; channels_in_a_circle.layer.router\n")
    layer = ChannelLayerWrapper(ChannelLayer(), "default", "routing_in_a_circle.routing")
    monkeypatch.setitem(sys.modules, "channels_in_a_circle", types.SimpleNamespace(layer=layer))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImproperlyConfigured, match="Cannot import channel routing 'routing_in"):
        layer.router  # noqa: B018 - it is made when it is asked for
