"""A site written for 1.x, untouched, behind runserver and behind workers of its own on Redis."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.support.processes import Processes, free_port, wait_for

MANAGE = ["-m", "django"]
SECONDS = 60


class OldSite:
    """The old site, running."""

    def __init__(self, processes: Processes, port: int, database: str) -> None:
        self.processes = processes
        self.port = port
        self.database = database
        self.sockets = ExitStack()

    def get(self, path: str) -> str:
        """Return the text of a page."""
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=SECONDS).text

    def open(self, path: str = "/", cookie: str | None = None, **options: Any) -> ClientConnection:
        """Open a socket; it is closed with the site."""
        headers = {"Cookie": f"sessionid={cookie}"} if cookie else {}
        url = f"ws://127.0.0.1:{self.port}{path}"
        return self.sockets.enter_context(connect(url, additional_headers=headers, **options))

    def log_in(self, name: str) -> str:
        """Make a user, log in with Django's own view and return the session key."""
        code = f"from django.contrib.auth.models import User; User.objects.create_user({name!r}, password={name!r})"
        shell = self.processes.start([*MANAGE, "shell", "-c", code])
        assert shell.wait(30) == 0, self.processes.log()
        token = "t" * 32
        answer = httpx.post(
            f"http://127.0.0.1:{self.port}/login/",
            data={"username": name, "password": name},
            headers={"Cookie": f"csrftoken={token}", "X-CSRFToken": token},
            timeout=SECONDS,
        )
        assert answer.status_code == 302, answer.text
        return str(answer.cookies["sessionid"])

    def session_of(self, name: str, **data: Any) -> str:
        """Return the session key of a user who has logged in."""
        code = (
            "import sys, django; django.setup()\n"
            "from django.contrib.auth import *\n"
            "from django.contrib.auth.models import User\n"
            "from django.contrib.sessions.backends.db import SessionStore\n"
            f"user, _ = User.objects.get_or_create(username={name!r})\n"
            "session = SessionStore()\n"
            "session[SESSION_KEY] = str(user.pk)\n"
            "session[BACKEND_SESSION_KEY] = 'django.contrib.auth.backends.ModelBackend'\n"
            "session[HASH_SESSION_KEY] = user.get_session_auth_hash()\n"
            f"session.update({data!r})\n"
            "session.save()\n"
            "open(sys.argv[1], 'w').write(session.session_key)\n"
        )
        target = self.processes.log_file.with_name("session")
        assert self.processes.start(["-c", code, str(target)]).wait(30) == 0, self.processes.log()
        return target.read_text()


@pytest.fixture(params=["one process", "workers on Redis"])
def old_site(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Callable[[str], OldSite]]:
    """Start the old site with one of its routings; at the end nothing may have failed in it."""
    sites: list[OldSite] = []

    def start(routing: str) -> OldSite:
        database = str(tmp_path / "db.sqlite3")
        environment = {
            "DJANGO_SETTINGS_MODULE": "tests.legacy.oldsite.settings",
            "OLDSITE_DB": database,
            "OLDSITE_ROUTING": routing,
        }
        is_distributed = request.param != "one process"
        if is_distributed:
            environment["OLDSITE_REDIS_PORT"] = str(request.getfixturevalue("redis_server").port)
        processes = Processes(tmp_path, environment)
        assert processes.start([*MANAGE, "migrate", "--verbosity", "0"]).wait(60) == 0, processes.log()
        site = OldSite(processes, free_port(), database)
        sites.append(site)
        options = ["--noworker"] if is_distributed else []
        processes.start([*MANAGE, "runserver", "--noreload", *options, f"127.0.0.1:{site.port}"])
        workers = 2 if is_distributed else 0
        for _ in range(workers):
            processes.start([*MANAGE, "runworker", "-v", "2"])
        processes.wait_for_port(site.port)
        processes.wait_for_log("Listening on channels", workers or 4)
        return site

    yield start
    for site in sites:
        site.sockets.close()
        site.processes.stop()
        assert "Traceback" not in site.processes.log(), site.processes.log()


def test_raw_http_consumer_takes_all_requests(old_site):
    """The path is read from the message and the response is encoded by hand."""
    assert old_site("raw").get("/any/path") == "raw: /any/path"


def test_handler_can_be_called_by_a_consumer(old_site):
    """What it yields can be sent as it comes."""
    assert old_site("handled").get("/page/") == "a page"


def test_echo_needs_no_connect_consumer(old_site):
    """Sockets are accepted by default, and pages are still Django's."""
    site = old_site("echo")
    client = site.open("/any/")
    client.send("hello")
    assert client.recv(SECONDS) == "hello"
    assert site.get("/page/") == "a page"


def test_group_reaches_every_socket(old_site):
    """Undecided handshakes are accepted; who has left gets nothing and harms nobody."""
    site = old_site("group")
    first, second, third = site.open(), site.open(), site.open()
    third.close()
    first.send("hi")
    assert first.recv(SECONDS) == second.recv(SECONDS) == "somebody: hi"


def test_whole_messages_can_be_sent_to_a_group(old_site):
    """Keys that belong to received messages are passed over; rooms are kept in channel sessions."""
    site = old_site("rooms")
    here, there, elsewhere = site.open("/blue/"), site.open("/blue/"), site.open("/red/")
    here.send("to blue")
    elsewhere.send("to red")
    assert here.recv(SECONDS) == there.recv(SECONDS) == "to blue"
    assert elsewhere.recv(SECONDS) == "to red"


def test_channel_sessions_end_with_their_sockets(old_site):
    """No row stays behind."""
    site = old_site("rooms")
    for _ in range(3):
        site.open("/blue/").close()

    def sessions() -> int:
        with closing(sqlite3.connect(site.database)) as database:
            return database.execute("select count(*) from django_session where session_key like 'chn%'").fetchone()[0]

    wait_for(lambda: sessions() == 0, "channel sessions removed")


@pytest.mark.parametrize("where", ["cookie", "parameter"])
def test_users_come_from_the_http_session(old_site, where):
    """By the cookie, or by the session key in the URL."""
    site = old_site("users")
    key = site.session_of("anna")
    client = site.open("/", cookie=key) if where == "cookie" else site.open(f"/?session_key={key}")
    client.send("hi")
    assert client.recv(SECONDS) == "anna: hi"


def test_consumers_pass_work_on_to_other_channels(old_site):
    """A channel of the project's own, a consumer that asks to be called later, and the database."""
    site = old_site("lines")
    client = site.open("/blue/")
    for number in (1, 2):
        client.send("a line")
        assert client.recv(SECONDS) == f"blue has {number}"


def test_ordering_of_receive_alone_keeps_the_order(old_site):
    """Connect was not decorated; every frame comes back in its place."""
    site = old_site("ordered")
    client = site.open()
    frames = [str(number) for number in range(20)]
    for frame in frames:
        client.send(frame)
    assert [client.recv(SECONDS) for _ in frames] == frames


def test_handshake_is_accepted_or_refused_by_hand(old_site):
    """Strangers and foreign origins get 403; the visitor's session is there on later messages."""
    site = old_site("visitors")
    origin = f"http://127.0.0.1:{site.port}"
    key = site.session_of("anna", colour="green")
    for cookie, from_where in ((None, origin), (key, "http://elsewhere.example")):
        with pytest.raises(InvalidStatus) as refusal:
            site.open("/old/visit/", cookie=cookie, origin=from_where)
        assert refusal.value.response.status_code == 403
    client = site.open("/old/visit/", cookie=key, origin=origin)
    client.send("colour?")
    assert client.recv(SECONDS) == "green"
    client.send("bye")
    assert client.recv(SECONDS) == "bye"
    wait_for(lambda: client.close_code == 1000, "closed")


def test_class_names_its_channels_and_groups(old_site):
    """A socket's frames become jobs on channels of the project's own; answers come through the group."""
    client = old_site("classes").open("/workshop/")
    client.send("double 21")
    assert client.recv(SECONDS) == "double 42"
    client.send("square 7")
    assert client.recv(SECONDS) == "square 49"


def test_class_knows_user_path_and_captured_arguments(old_site):
    """The user logged in through Django's own view."""
    site = old_site("classes")
    client = site.open("/mirror/hall/", cookie=site.log_in("anna"))
    for frame in ("text", b"bytes"):
        client.send(frame)
        assert client.recv(SECONDS) == frame
    client.send("who?")
    assert client.recv(SECONDS) == "anna on /mirror/hall/ in hall"
    client.send("bye")
    wait_for(lambda: client.close_code == 4000, "closed")


def test_json_class_encodes_and_decodes(old_site):
    """To one socket and to a group, on sockets that its connect method did not accept itself."""
    site = old_site("classes")
    first, second = site.open("/json/"), site.open("/json/")
    first.send('{"n": 1}')
    assert json.loads(first.recv(SECONDS)) == {"n": 1}
    first.send('{"to": "all"}')
    assert [json.loads(client.recv(SECONDS)) for client in (first, second)] == [{"to": "all"}] * 2


def test_decorators_and_attributes_make_other_classes_of_one(old_site):
    """Each route has its own start; the count is kept in the channel session."""
    site = old_site("classes")
    for path, numbers in (("/count/one/", ["1", "2"]), ("/count/hundred/", ["100", "101"])):
        client = site.open(path)
        for number in numbers:
            client.send("next")
            assert client.recv(SECONDS) == number


def test_streams_share_a_socket(old_site):
    """Each stream greets, hears its own frames and answers in its own name."""
    client = old_site("classes").open("/streams/")
    assert json.loads(client.recv(SECONDS)) == {"stream": "echo", "payload": {"greeting": "on echo"}}
    for stream, payload in (("echo", {"echo": {"n": 1}}), ("quiet", {"heard": {"n": 1}})):
        client.send(json.dumps({"stream": stream, "payload": {"n": 1}}))
        assert json.loads(client.recv(SECONDS)) == {"stream": "echo", "payload": payload}
