"""What every layer has from its base: names, capacities, old names of methods."""

import re

import pytest

from channels import exceptions
from channels.layers.base import BaseChannelLayer
from channels.layers.inmemory import ChannelLayer


@pytest.fixture
def layer():
    """A layer of the base class that can be used."""
    return ChannelLayer(capacity=5, channel_capacity={"big.*": 7, re.compile(r"^web\.\w+!$"): 3, "*": 6})


def test_base_promises_no_extension():
    """Who derives from it says what it has."""
    assert list(BaseChannelLayer.extensions) == []
    assert not hasattr(BaseChannelLayer, "receive_async")


@pytest.mark.parametrize("name", ["ChannelFull", "MessageTooLarge"])
def test_errors_can_be_reached_on_class_and_instance(layer, name):
    """As 1.x has it; they are the package's."""
    assert getattr(BaseChannelLayer, name) is getattr(layer, name) is getattr(exceptions, name)


def test_valid_names_are_true(layer):
    """The methods of 1.x answer or raise."""
    assert layer.valid_channel_name("a.b-c_1!x")
    assert layer.valid_channel_names(["a", "b!"], receive=True)
    assert layer.valid_group_name("a.b-c_1")
    assert layer.non_local_name("a!b") == "a!"
    assert layer.non_local_name("a?b") == "a?b"


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (lambda layer: layer.valid_channel_name("a b"), "Channel name must be a valid unicode string"),
        (lambda layer: layer.valid_channel_name(b"a"), "not of 'str' type"),
        (lambda layer: layer.valid_channel_name("a" * 100), "under 100 characters"),
        (lambda layer: layer.valid_channel_name("a?"), "must not end with ?"),
        (lambda layer: layer.valid_channel_name("a!b", receive=True), "must end at the !"),
        (lambda layer: layer.valid_channel_names(["a", "a\n"]), "Channel name must be a valid unicode string"),
        (lambda layer: layer.valid_group_name("a!b"), "Group name must be a valid unicode string"),
    ],
)
def test_names_that_are_not_valid_raise(layer, check, text):
    """In the words of 1.x."""
    with pytest.raises(TypeError, match=re.escape(text)):
        check(layer)


def test_list_of_names_must_not_be_empty(layer):
    """1.x asserted it."""
    with pytest.raises(AssertionError, match="at least one channel name"):
        layer.valid_channel_names([])


@pytest.mark.parametrize(("channel", "capacity"), [("small", 6), ("big.one", 7), ("web.a!b", 3), ("web.a!", 3)])
def test_first_pattern_that_matches_gives_the_capacity(layer, channel, capacity):
    """Globs and regular expressions, in the order of the dict; of a name with ``!``, the queue is matched."""
    assert layer.get_capacity(channel) == capacity


def test_given_capacity_rules_reply_queues_too():
    """Without one they hold more than other channels."""
    assert ChannelLayer(capacity=5).get_capacity("a!b") == 5
    assert ChannelLayer().get_capacity("a!b") > ChannelLayer().get_capacity("a")


def test_old_name_of_receive_warns(layer):
    """And receives."""
    layer.send("c", {"n": 1})
    with pytest.warns(DeprecationWarning, match="receive_many is deprecated; please use receive"):
        assert layer.receive_many(["c"]) == ("c", {"n": 1})


@pytest.mark.parametrize("pattern", ["a!", "a", "a.b", "", None])
def test_new_channels_have_one_reader(layer, pattern):
    """Names of a process are made by that process."""
    assert re.fullmatch(r"a\?[\w-]{12}", layer.new_channel("a?"))
    with pytest.raises(TypeError, match="must end in '\\?'"):
        layer.new_channel(pattern)
