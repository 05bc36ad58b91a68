"""A project with typed consumers behind two servers and two workers on Redis, over real sockets."""

import pytest

from tests.consumers_typed.site import messages
from tests.consumers_typed.site.running import SECONDS, running
from tests.support.processes import wait_for
from tests.support.servers import unexpected

pytestmark = pytest.mark.slow

PING = {"action": "ping"}
PONG = {"action": "pong", "payload": None}


def talk(text, **payload):
    """Return a line of talk."""
    return {"action": "talk", "payload": {"text": text, **payload}}


def toast(**payload):
    """Return what consumers answer with."""
    return {"action": "toast", "payload": payload}


@pytest.fixture(scope="module")
def running_site(tmp_path_factory, newest_redis):
    """The project; nothing in it may fail but what fails on purpose."""
    with running(tmp_path_factory.mktemp("typed"), newest_redis.url) as site:
        yield site
        assert "Traceback" not in unexpected(site.log())


@pytest.fixture
def site(running_site):
    """The project, without the sockets of other tests."""
    yield running_site
    running_site.close_sockets()


def ask(socket, *contents):
    """Send messages that are answered once each; return the answers."""
    answers = []
    for content in contents:
        socket.send_json(content)
        answers.append(socket.receive_json(SECONDS))
    return answers


def test_smallest_consumer_answers(site):
    """A ping, by a message or by JSON."""
    socket = site.open("/echo/")
    socket.send_message(messages.PingMessage())
    assert socket.receive_json(SECONDS) == PONG
    assert ask(socket, PING) == [PONG]


def test_guarded_consumer_admits_users_only(site):
    """It says why, and closes."""
    assert ask(site.open("/guarded/1/", "eve"), PING) == [toast(user="eve", crew="kitchen")]
    assert site.open("/guarded/1/", expect=403).assert_closed(SECONDS) == 1000
    assert site.open("/guarded/4711/", "ada", expect=404).assert_closed(SECONDS) == 1000


def test_each_kind_of_message_is_matched(site):
    """One model after the other, with its payload."""
    asked = [talk("hello"), toast(kind="info", number=1), PING]
    expected = [toast(text="hello", crew="kitchen"), toast(kind="info", number=1), PONG]
    assert ask(site.open("/desk/1/"), *asked) == expected


@pytest.mark.parametrize(("path", "elsewhere"), [("/corner/den/", "/corner/attic/"), ("/corner/", "/corner/den/")])
def test_group_message_is_marked_for_each_member(site, path, elsewhere):
    """The sender, another tab of its user, a stranger; nobody who is elsewhere, also where the path says nothing."""
    sender, tab, stranger, far = site.open(path, "ada"), site.open(path, "ada"), site.open(path), site.open(elsewhere)
    sender.send_json(talk("hi"))
    for socket, is_mine, is_current in ((sender, True, True), (tab, True, False), (stranger, False, False)):
        assert socket.receive_json(SECONDS) == {
            "action": "talk_heard",
            "payload": {"name": "ada", "text": "hi"},
            "is_mine": is_mine,
            "is_current": is_current,
        }
    assert ask(far, talk("who?"))[0]["payload"] == {"name": "somebody", "text": "who?"}


def test_marks_are_right_across_servers(site):
    """Tabs of the sender's user, strangers and the anonymous, on the sender's server and on the other."""
    sender = site.open("/corner/wide/", "ada")
    others = [
        (name, site.open("/corner/wide/", name, server=server)) for name in ("ada", "bob", None) for server in (0, 1)
    ]
    for _ in range(2):
        sender.send_json(talk("hi"))
        heard = sender.receive_json(SECONDS)
        assert (heard["is_mine"], heard["is_current"]) == (True, True)
        for name, socket in others:
            heard = socket.receive_json(SECONDS)
            assert (heard["is_mine"], heard["is_current"]) == (name == "ada", False)


@pytest.mark.parametrize("view", ["tell", "atell"])
def test_views_tell_consumers(site, view):
    """From a synchronous view and an asynchronous one, each member by its own user."""
    sockets = [site.open("/notices/", user, server=server) for server, user in enumerate(("ada", None))]
    site.get(f"/{view}/?text=soon&level=warning")
    assert [socket.receive_json(SECONDS) for socket in sockets] == [
        toast(text="WARNING: soon", to="ada"),
        toast(text="WARNING: soon", to=""),
    ]


def test_failing_event_is_not_told(site):
    """The log has it; the sockets stay open and hear the next one."""
    socket = site.open("/notices/")
    site.get("/tell/?text=x&level=broken")
    wait_for(lambda: "an event on purpose" in site.log(), "The traceback in the log", SECONDS)
    site.get("/tell/?text=y")
    assert socket.receive_json(SECONDS) == toast(text="INFO: y", to="")
    assert "Failed to process channel event for websocket.send" in site.log()


def test_consumer_knows_its_connection(site):
    """User, request, object, scope, parts of the URL and query string, on a later message."""
    socket = site.open("/mirror/1/?a=1&a=2&b=x", "bob", headers={"User-Agent": "a test"})
    assert ask(socket, PING) == [
        toast(
            user="bob",
            agent="a test",
            crew="kitchen",
            scope_path="/mirror/1/",
            url={"pk": "1"},
            query={"a": ["1", "2"], "b": ["x"]},
        )
    ]


def test_what_the_handshake_noted_is_there_later(site):
    """Attributes that ``post_authentication`` set, on whichever worker; a message may change them."""
    socket = site.open("/presence/1/", "ada")
    assert ask(socket, PING, talk("busy"), PING) == [
        toast(presence=presence, crew="kitchen", stored=presence) for presence in ("here", "busy", "busy")
    ]


def test_own_errors_and_others_are_told_apart(site):
    """What the consumer catches it tells itself; anything else is told in general, and logged with the connection."""
    socket = site.open("/library/", "ada", headers={"X-Request-ID": "request-of-a-test"})
    told = ask(socket, {"action": "read", "payload": "4"}, {"action": "read", "payload": "x"})
    assert told[0] == toast(share=25.0)
    assert told[1]["action"] == "error"
    assert told[1]["payload"]["detail"].startswith("invalid literal")
    failed, answered = ask(socket, {"action": "read", "payload": "0"}, PING)
    assert failed == {"action": "error", "payload": {"detail": "Failed to process message"}}
    assert answered == PONG
    _, _, logged = site.log().partition("ERROR django.channels.typed Failed to process message")
    first, _, rest = logged.partition("\n")
    assert first.startswith(" (path /library/, user ")
    assert first.endswith("request request-of-a-test)")
    assert rest.startswith("Traceback")
    assert "ZeroDivisionError: a secret of the server" in rest


def test_room_of_a_crew_stores_and_tells(site):
    """Members only; what one writes is stored, serialized, and heard by the room or by the groups it names."""
    site.open("/crews/1/", "eve", expect=403)
    ada, bob = site.open("/crews/1/", "ada"), site.open("/crews/1/", "bob")
    ask(ada, PING)
    ada.send_json(talk("soup"))
    heard = [socket.receive_json(SECONDS) for socket in (ada, bob)]
    assert [(each["payload"]["text"], each["payload"]["author"]) for each in heard] == [("soup", "ada")] * 2
    assert [(each["is_mine"], each["is_current"]) for each in heard] == [(True, True), (False, False)]
    assert messages.NoteHeard.model_validate(heard[0]).payload.written_at.tzinfo is not None
    bob.send_json({"action": "enter", "payload": {"group_name": "pantry"}})
    ask(bob, PING)
    ada.send_json(talk("bread", groups=["pantry"]))
    assert bob.receive_json(SECONDS)["payload"]["text"] == "bread"
    assert ask(ada, PING) == [PONG]


def test_configured_consumer_does_as_its_attributes_say(site):
    """Completions, no log of ignored actions, and completions to the group."""
    ada, bob = site.open("/configured/", "ada"), site.open("/configured/", "bob")
    ada.send_json(PING)
    assert ada.receive_all_json(SECONDS) == [PONG]
    ada.send_json(talk("hi"))
    (heard,) = bob.receive_all_json(SECONDS, wait_group=True)
    assert heard["payload"] == {"text": "hi"}
    assert ada.receive_all_json(SECONDS) == []
    log = site.log()
    assert "Received websocket json: talk (path /configured/" in log
    assert "Sent websocket json to groups: talk_heard (path /configured/" in log
    assert "json: ping (path /configured/" not in log
    assert "json: pong (path /configured/" not in log


INVALID = {
    "unknown action": ('{"action": "x"}', "union_tag_invalid"),
    "no action": ("{}", "union_tag_not_found"),
    "wrong type": ('{"action": "talk", "payload": {"text": 1}}', "string_type"),
    "missing field": ('{"action": "talk", "payload": {}}', "missing"),
    "malformed": ('{"action": ', "json_invalid"),
    "empty": ("", "json_invalid"),
    "a list": ("[]", "dict_type"),
    "a number": ("1", "dict_type"),
    "binary": (b"\x00\xff", "binary_frame"),
    "binary that is JSON": (b'{"action": "ping"}', "binary_frame"),
    "too large": ('{"action": "ping", "payload": "%s"}' % ("x" * 3_000), "too_large"),
}


@pytest.mark.parametrize("case", INVALID)
def test_invalid_frame_is_answered(site, case):
    """The client is told what is wrong with it; the socket stays open and takes the next one."""
    frame, kind = INVALID[case]
    socket = site.open("/desk/1/")
    socket.send(**({"bytes": frame} if isinstance(frame, bytes) else {"text": frame}))
    told = socket.receive_json(SECONDS)
    assert told["action"] == "error"
    assert [set(detail) for detail in told["payload"]] == [{"type", "loc", "msg"}]
    assert told["payload"][0]["type"] == kind
    assert ask(socket, PING) == [PONG]


def test_flood_of_invalid_frames_is_throttled_and_then_closed(site):
    """Ten are answered, ten more are not, and the next closes; valid messages are answered in between."""
    socket = site.open("/library/")
    for _ in range(20):
        socket.send("{")
    socket.send_json(PING)
    answers = socket.receive_until_action("pong", SECONDS)
    assert [each["action"] for each in answers] == ["error"] * 10
    socket.send("{")
    assert socket.assert_closed(SECONDS) == 4429
