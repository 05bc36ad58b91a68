"""From messages to consumers."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from channels import include, route, route_class
from channels.message import Message
from channels.routing import Router


def first(message, **kwargs):
    """Take messages."""


def second(message, **kwargs):
    """Take others."""


dict_routing = {"websocket.receive": first, "chat.messages": "tests.routing.test_routing.second"}


class Sink:
    """A layer that nothing is sent to."""


def message(channel="websocket.receive", **content):
    """Return a message on ``channel``."""
    return Message(content, channel, Sink())


class ClassConsumer:
    """A consumer class."""

    @classmethod
    def channel_names(cls):
        """Listen on two channels."""
        return {"websocket.receive", "websocket.connect"}

    def __init__(self, message, **kwargs):
        """Consume."""


def test_route_takes_messages_of_its_channels_only():
    """The channel's name must be equal."""
    router = Router([route(["a", b"b"], first)])
    assert router.match(message("a")) == (first, {})
    assert router.match(message("b")) == (first, {})
    assert router.match(message("c")) is None
    assert router.channels == {"a", "b"}


def test_first_match_wins():
    """Routes are tried from top to bottom."""
    router = Router([route("a", first, path="^/x"), route("a", second), route("a", first)])
    assert router.match(message("a", path="/x"))[0] is first
    assert router.match(message("a", path="/y"))[0] is second


def test_named_groups_become_keyword_arguments():
    """A group that took no part in the match is None."""
    router = Router([route("a", first, path=r"^/(?P<room>\w+)/(?P<page>\d+)?", method=b"^(?P<verb>GET)$")])
    assert router.match(message("a", path="/r/", method="GET"))[1] == {"room": "r", "page": None, "verb": "GET"}


@pytest.mark.parametrize("value", [None, 5, ["/x"], "é".encode()])
def test_values_that_are_no_ascii_text_match_no_filter(value):
    """A filter on such a value refuses the route and raises nothing."""
    assert Router([route("a", first, path=".*")]).match(message("a", path=value)) is None


def test_missing_key_matches_no_filter():
    """A filter asks for the key to be there."""
    assert Router([route("a", first, path="")]).match(message("a")) is None


def test_empty_filter_matches_everything():
    """``path=r""`` takes every path, since filters match at the start."""
    assert Router([route("a", first, path=r"")]).match(message("a", path="/any")) == (first, {})


def test_bytes_values_are_matched_as_ascii():
    """A query string can be filtered."""
    assert Router([route("a", first, query_string="^x=1")]).match(message("a", query_string=b"x=1")) == (first, {})


@pytest.mark.parametrize("make", [route_class, None])
def test_groups_without_names_are_refused(make):
    """They would be lost, so they are an error, in routes and in includes."""
    with pytest.raises(ValueError, match="only named groups are allowed"):
        make(ClassConsumer, path="(a)") if make else route("a", first, path="(a)")
    with pytest.raises(ValueError, match="only named groups are allowed"):
        include([], path="(a)")


def test_route_class_listens_where_the_class_says():
    """The class names its channels."""
    assert route_class(ClassConsumer).channel_names() == {"websocket.receive", "websocket.connect"}
    assert route_class(f"{__name__}.ClassConsumer").consumer is ClassConsumer


def test_route_class_needs_a_class_that_names_its_channels():
    """Anything else is an error that says so."""
    with pytest.raises(ValueError, match="no valid channel_names method"):
        route_class(first)


def test_include_cuts_the_prefix_for_the_routes_inside():
    """Inner patterns see what follows; captured groups are added and inner ones win."""
    router = Router(
        [
            include(
                [route("websocket.receive", first, path=r"^/(?P<who>\w+)$")],
                path=r"^/chat(?P<who>x)?(?P<where>)",
            )
        ]
    )
    assert router.match(message(path="/chatx/ann")) == (first, {"who": "ann", "where": ""})
    assert router.match(message(path="/other/ann")) is None


def test_include_leaves_the_message_as_it_came():
    """The consumer gets the whole path."""
    original = message(path="/chat/ann", body=b"x" * 100)
    content = dict(original.content)
    Router([include([route("websocket.receive", first, path="^/ann")], path="^/chat")]).match(original)
    assert original.content == content


def test_included_routes_see_uncut_values_and_attributes():
    """Only what the prefix matched is cut; custom routing objects read the rest as usual."""
    seen = {}

    class Custom:
        def match(self, message):
            seen.update(message.content)
            seen["channel"] = message.channel.name
            seen["has"] = "path" in message
            return first, {}

        def channel_names(self):
            return {"websocket.receive"}

    Router([include([Custom()], path="^/chat")]).match(message(path="/chat/x", text="t"))
    assert seen == {"path": "/x", "text": "t", "channel": "websocket.receive", "has": True}


def test_routing_object_inside_an_include_may_do_all_that_a_message_allows():
    """It gets a message of its own: changes reach neither the next route nor the consumer."""
    seen = []

    class Custom:
        def match(self, message):
            seen.extend([isinstance(message, Message), message["path"], dict(message.items()), message.copy()["path"]])
            message["path"] = "/changed"

        def channel_names(self):
            return {"websocket.receive"}

    original = message(path="/chat/x", text="t")
    router = Router(
        [include([Custom()], path="^/chat"), include([route("websocket.receive", first, path="^/x")], path="^/chat")]
    )
    assert router.match(original) == (first, {})
    assert seen == [True, "/x", {"path": "/x", "text": "t"}, "/x"]
    assert original["path"] == "/chat/x"


@given(st.lists(st.text("abc/", min_size=1, max_size=4), min_size=1, max_size=5))
def test_nested_includes_match_what_one_pattern_matches(parts):
    """Cutting prefix by prefix is the same as matching the whole."""
    routing = [route("websocket.receive", first, path="$")]
    for part in reversed(parts):
        routing = [include(routing, path="^" + part)]
    assert Router(routing).match(message(path="".join(parts))) == (first, {})


@pytest.mark.parametrize("routing", [dict_routing, f"{__name__}.dict_routing"])
def test_routing_may_be_a_dict_or_a_path(routing):
    """Values may be dotted paths themselves."""
    router = Router(routing)
    assert router.channels == {"websocket.receive", "chat.messages"}
    assert router.match(message("chat.messages")) == (second, {})
    assert router.root.routing[0].consumer is first


def test_unimportable_routing_names_the_path():
    """The error says which routing, and why."""
    with pytest.raises(ImproperlyConfigured, match=r"Cannot import channel routing 'tests\.nowhere\.routing'"):
        Router("tests.nowhere.routing")


def test_unimportable_consumer_names_the_path():
    """The error says which consumer, when the route is made."""
    with pytest.raises(ImproperlyConfigured, match=r"Cannot import consumer 'tests\.urls\.nothing'"):
        route("a", "tests.urls.nothing")


def test_async_consumers_are_refused_with_the_remedy():
    """They would never be awaited."""

    async def consumer(message):
        """Be asynchronous."""

    with pytest.raises(ImproperlyConfigured, match="Consumers are synchronous"):
        route("a", consumer)


@pytest.mark.parametrize("routing", [5, [5], [first]])
def test_what_is_no_routing_is_refused(routing):
    """A list of consumers, say, is a mistake worth naming."""
    with pytest.raises(ImproperlyConfigured):
        Router(routing)


def test_defaults_come_last_and_once():
    """What the project routes wins; asking twice appends once."""
    router = Router([route("websocket.connect", first, path="^/mine")])
    router.check_default(http_consumer=second)
    router.check_default(http_consumer=second)
    assert len(router.root.routing) == 4
    assert router.match(message("websocket.connect", path="/mine"))[0] is first
    assert router.match(message("http.request", path="/"))[0] is second
    assert router.channels == {"http.request", "websocket.connect", "websocket.receive", "websocket.disconnect"}


def test_http_default_is_the_view_system():
    """Without a consumer of its own, a project's requests go to Django's views."""
    router = Router([])
    router.check_default()
    consumer, _ = router.match(message("http.request", path="/"))
    assert type(consumer).__name__ == "ViewConsumer"


class Replies:
    """A layer that keeps what is sent."""

    def __init__(self):
        self.sent = []

    def send(self, channel, content):
        """Keep it."""
        self.sent.append(content)


@pytest.mark.parametrize(
    ("reject", "reply"),
    [
        (False, {"accept": True}),
        (True, {"close": True, "status": 404, "reason": "There is no WebSocket at this path."}),
    ],
)
def test_unrouted_sockets_are_answered_as_the_project_chose(settings, reject, reply):
    """Accepted as in 1.x, or refused with 404."""
    settings.CHANNELS_REJECT_UNROUTED = reject
    layer = Replies()
    router = Router([])
    router.check_default(http_consumer=first)
    unrouted = Message({"path": "/", "reply_channel": "websocket.send.a!b"}, "websocket.connect", layer)
    consumer, kwargs = router.match(unrouted)
    consumer(unrouted, **kwargs)
    assert layer.sent == [reply]


def test_routes_print_as_people_read_them():
    """Channels, filters and consumer."""
    text = str(route(["b", "a"], first, path="^/x"))
    assert text == f"a/b (path=^/x) -> {__name__}.first"


def test_routing_can_be_looked_into():
    """Debugging tools of 1.x list the routes with their channels, filters and prefixes."""
    inner = route("websocket.connect", first, path=r"^/(?P<room>\w+)$", method="GET")
    (outer,) = Router([include([inner], path="^/chat")]).root.routing
    assert {name: pattern.pattern for name, pattern in outer.prefixes.items()} == {"path": "^/chat"}
    (found,) = outer.routing
    assert (found.channels, found.consumer) == ({"websocket.connect"}, first)
    assert {name: pattern.pattern for name, pattern in found.filters.items()} == {
        "path": r"^/(?P<room>\w+)$",
        "method": "GET",
    }
