"""The socket of a room: what it takes, what it refuses, who hears what."""

import base64
from collections.abc import Callable

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.support.chat import Site, Talker, hear, send

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


def refusal(site: Site, path: str, user: Talker | None = None, origin: str | None = None) -> int:
    """Return the HTTP status that a socket on ``path`` is refused with."""
    headers = {"Cookie": f"sessionid={user.http.cookies['sessionid']}"} if user else {}
    address = f"ws://127.0.0.1:{site.port}{path}"
    with (
        pytest.raises(InvalidStatus) as caught,
        connect(address, additional_headers=headers, origin=Origin(origin or site.url), proxy=None),
    ):
        pass
    return caught.value.response.status_code


def test_socket_refuses_visitors_without_a_login(site: Site) -> None:
    """No session, no socket."""
    assert refusal(site, "/rooms/lobby/socket/") == 403


def test_socket_refuses_rooms_that_do_not_exist(site: Site, anna: Talker) -> None:
    """The refusal says so with its status."""
    assert refusal(site, "/rooms/nowhere/socket/", anna) == 404


def test_socket_refuses_pages_of_other_sites(site: Site, anna: Talker) -> None:
    """A browser would send the cookie along with them."""
    assert refusal(site, "/rooms/lobby/socket/", anna, "https://elsewhere.example") == 403


def test_socket_refuses_paths_without_a_route(site: Site, anna: Talker) -> None:
    """Only rooms have sockets."""
    assert refusal(site, "/elsewhere/", anna) in (403, 404)


def test_message_reaches_everyone_in_the_room(anna: Talker, ben: Talker, room: str) -> None:
    """The speaker hears it too, which confirms it."""
    sockets = [anna.enter(room), ben.enter(room)]
    send(sockets[0], "chat", action="say", text="Hello", key="k1")
    heard = [hear(opened, "chat", "message", text="Hello") for opened in sockets]
    assert [message["author"] for message in heard] == [anna.name] * 2


def test_message_stays_in_its_room(anna: Talker, ben: Talker, room: str) -> None:
    """Another room hears only what is said there."""
    here, there = anna.enter(room), ben.enter("lobby")
    send(here, "chat", action="say", text="A secret", key="k1")
    hear(here, "chat", "message", text="A secret")
    send(there, "chat", action="say", text="In public", key="k1")
    assert hear(there, "chat", "message")["text"] == "In public"


def test_messages_of_one_sender_keep_their_order(anna: Talker, room: str) -> None:
    """Several workers take them, one after the other."""
    opened = anna.enter(room)
    for number in range(40):
        send(opened, "chat", action="say", text=str(number), key=str(number))
    heard = [hear(opened, "chat", "message")["text"] for _ in range(40)]
    assert heard == [str(number) for number in range(40)]


def test_message_sent_again_is_stored_once(anna: Talker, room: str) -> None:
    """A page that lost its connection repeats what was not confirmed."""
    opened = anna.enter(room)
    for _ in range(2):
        send(opened, "chat", action="say", text="Once", key="same")
        hear(opened, "chat", "message", text="Once")
    send(opened, "chat", action="catch up", after=0)
    assert len(hear(opened, "chat", "history")["messages"]) == 1


def test_history_comes_in_pages(anna: Talker, room: str) -> None:
    """Earlier messages are asked for by the oldest id on the page."""
    opened = anna.enter(room)
    for number in range(3):
        send(opened, "chat", action="say", text=str(number), key=str(number))
    last = [hear(opened, "chat", "message") for _ in range(3)][-1]
    send(opened, "chat", action="earlier", before=last["id"])
    history = hear(opened, "chat", "history")
    assert ([message["text"] for message in history["messages"]], history["has_earlier"]) == (["0", "1"], False)


@pytest.mark.parametrize("text", ["", "   ", "x" * 4001])
def test_message_without_a_fitting_text_is_answered_with_a_problem(anna: Talker, room: str, text: str) -> None:
    """Only the sender hears of it."""
    opened = anna.enter(room)
    send(opened, "chat", action="say", text=text, key="k1")
    assert "1 to 4000 characters" in hear(opened, "chat", "problem", key="k1")["text"]


@pytest.mark.parametrize("payload", [{}, {"action": "fly"}, {"action": "say", "text": 3, "key": "k"}])
def test_unknown_action_is_answered_with_a_problem(anna: Talker, room: str, payload: dict[str, object]) -> None:
    """The socket lives on."""
    opened = anna.enter(room)
    send(opened, "chat", **payload)
    assert "does not know" in hear(opened, "chat", "problem")["text"]


def test_picture_is_served_to_everyone_in_the_room(anna: Talker, ben: Talker, room: str) -> None:
    """A binary frame comes back byte for byte, over HTTP."""
    mine, theirs = anna.enter(room), ben.enter(room)
    mine.send(PIXEL)
    answer = ben.http.get(hear(theirs, "chat", "message")["picture"])
    assert (answer.headers["content-type"], answer.content) == ("image/png", PIXEL)


@pytest.mark.parametrize("data", [b"", b"\x00\xff\xfe not a picture", PIXEL + bytes(500_000)])
def test_other_binary_frames_harm_nothing(anna: Talker, room: str, data: bytes) -> None:
    """Bytes that are no picture, or too many, are answered; the next message goes through."""
    opened = anna.enter(room)
    opened.send(data)
    assert "Only PNG" in hear(opened, "chat", "problem")["text"]
    send(opened, "chat", action="say", text="Still here", key="k1")
    assert hear(opened, "chat", "message")["text"] == "Still here"


def test_newcomer_hears_who_is_here(anna: Talker, ben: Talker, room: str) -> None:
    """The list holds everyone once."""
    hear(anna.enter(room), "presence", "here", users=[anna.name])
    assert hear(ben.enter(room), "presence", "here")["users"] == sorted([anna.name, ben.name])


def test_room_hears_who_joins(anna: Talker, ben: Talker, room: str) -> None:
    """With a list that is newer than the one before."""
    opened = anna.enter(room)
    before = hear(opened, "presence", "here", users=[anna.name])
    ben.enter(room)
    after = hear(opened, "presence", "here", users=sorted([anna.name, ben.name]))
    assert after["version"] > before["version"]


def test_room_hears_who_leaves(anna: Talker, ben: Talker, room: str) -> None:
    """With a list that is newer than the one before."""
    opened, other = anna.enter(room), ben.enter(room)
    before = hear(opened, "presence", "here", users=sorted([anna.name, ben.name]))
    other.close()
    after = hear(opened, "presence", "here", users=[anna.name])
    assert after["version"] > before["version"]


def test_user_with_two_pages_leaves_with_the_second(anna: Talker, ben: Talker, room: str) -> None:
    """Closing one of them is no news."""
    opened = anna.enter(room)
    both = sorted([anna.name, ben.name])
    pages = [ben.enter(room), ben.enter(room)]
    before = hear(pages[1], "presence", "here", users=both)
    pages[0].close()
    send(pages[1], "presence", action="alive")
    assert hear(pages[1], "presence", "here") == before
    pages[1].close()
    hear(opened, "presence", "here", users=both)
    hear(opened, "presence", "here", users=[anna.name])


def test_user_whose_socket_vanished_leaves_at_the_next_sign_of_life(
    site: Site, anna: Talker, ben: Talker, room: str
) -> None:
    """Of somebody else: a server that is killed sends no disconnect. Who turns out to be there joins again."""
    opened, other = anna.enter(room), ben.enter(room)
    both = sorted([anna.name, ben.name])
    hear(opened, "presence", "here", users=both)
    site.execute(
        "UPDATE chat_visit SET seen = '2000-01-01 00:00:00' "
        "WHERE user_id = (SELECT id FROM auth_user WHERE username = ?)",
        ben.name,
    )
    send(opened, "presence", action="alive")
    hear(opened, "presence", "here", users=[anna.name])
    send(other, "presence", action="alive")
    hear(opened, "presence", "here", users=both)


def test_room_hears_who_is_writing(anna: Talker, ben: Talker, room: str) -> None:
    """It is passed on and stored nowhere."""
    opened, other = anna.enter(room), ben.enter(room)
    send(other, "presence", action="writing")
    assert hear(opened, "presence", "writing")["user"] == ben.name


def test_logout_closes_the_sockets_of_the_user(anna: Talker, room: str) -> None:
    """The close code tells the page why."""
    opened = anna.enter(room)
    hear(opened, "presence", "here")
    anna.post("/logout/")
    with pytest.raises(ConnectionClosed) as caught:
        hear(opened, "nothing", "more")
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 4001


def test_session_that_was_logged_out_opens_no_socket(site: Site, talker: Callable[[], Talker], room: str) -> None:
    """The old cookie is worth nothing."""
    user = talker()
    key = user.http.cookies["sessionid"]
    user.post("/logout/")
    user.http.cookies.set("sessionid", key, "127.0.0.1")
    assert refusal(site, f"/rooms/{room}/socket/", user) == 403
