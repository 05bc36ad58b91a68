"""Attacks over real sockets on a site behind each server: refused in the right way, without harm to other clients."""

import contextlib
import json
import re
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.support.frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, RawSocket, deflated, frame
from tests.support.processes import Processes, wait_for
from tests.support.redis import RedisServer, find_newest
from tests.support.servers import COMMANDS, Server, serve, unexpected

pytestmark = pytest.mark.slow

SECONDS = 30

SECRETS = {
    "SITE_SECRET_KEY": f"django-{secrets.token_hex(16)}",
    "SITE_LAYER_KEY": f"layer-{secrets.token_hex(16)}",
}
REDIS_PASSWORD = f"redis-{secrets.token_hex(16)}"
PASSWORD = f"user-{secrets.token_hex(16)}"
AUTHORIZATION = f"bearer-{secrets.token_hex(16)}"

USER = "from django.contrib.auth.models import User; User.objects.create_user('alice', password='{}')"


class Site:
    """The attacked site.

    Attributes:
        server: The server before it.
        secrets: What its log must not hold.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.secrets = {*SECRETS.values(), REDIS_PASSWORD, PASSWORD, AUTHORIZATION}

    @contextlib.contextmanager
    def socket(self, path: str, **options: Any) -> Iterator[ClientConnection]:
        """Yield an open WebSocket."""
        with connect(self.server.ws_url + path, open_timeout=SECONDS, close_timeout=SECONDS, **options) as client:
            yield client

    def client(self) -> httpx.Client:
        """Return a browser without pages."""
        return httpx.Client(base_url=self.server.url, timeout=SECONDS, trust_env=False)

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Return the response to a request."""
        with self.client() as client:
            return client.get(path, **options)

    def raw(self, text: bytes) -> bytes:
        """Send bytes as they are; return what comes back until the end, or until nothing more does."""
        with socket.create_connection(("127.0.0.1", self.server.port), SECONDS) as client:
            client.sendall(text)
            answer = b""
            with contextlib.suppress(OSError):
                while piece := client.recv(65536):
                    answer += piece
                    if b"\r\n\r\n" in answer:
                        client.settimeout(1)
            return answer

    def assert_serves(self) -> None:
        """Assert that the next client is served, over HTTP and WebSocket."""
        assert self.get("/who/").text == "nobody"
        with self.socket("/echo/") as client:
            client.send("still there?")
            assert client.recv(SECONDS) == "still there?"

    def log_in(self, client: httpx.Client) -> None:
        """Log ``client`` in as the user."""
        token = client.get("/token/").text
        self.secrets.add(client.cookies["sessionid"])
        form = {"name": "alice", "password": PASSWORD, "csrfmiddlewaretoken": token}
        assert client.post("/login/", data=form).text == "welcome"
        self.secrets.add(client.cookies["sessionid"])


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with one user, to be copied."""
    directory = tmp_path_factory.mktemp("database")
    path = directory / "site.sqlite3"
    environment = {**SECRETS, "SITE_DATABASE": str(path), "SITE_REDIS": "redis://127.0.0.1:1"}
    processes = Processes(directory, {"DJANGO_SETTINGS_MODULE": "tests.abuse.site.settings", **environment})
    for arguments in (["migrate", "--verbosity", "0"], ["shell", "--command", USER.format(PASSWORD)]):
        command = [sys.executable, "-m", "django", *arguments]
        subprocess.run(command, check=True, cwd=processes.cwd, env=processes.environment, capture_output=True)
    return path


@pytest.fixture(scope="module")
def guarded_redis(newest_redis: RedisServer) -> Iterator[RedisServer]:
    """A Redis with a password."""
    server = RedisServer(find_newest(), "--requirepass", REDIS_PASSWORD)
    server.url = f"unix://:{REDIS_PASSWORD}@{server.socket}"
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture(scope="module", params=list(COMMANDS))
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, database: Path, guarded_redis: RedisServer
) -> Iterator[Site]:
    """The site behind one server, with a worker."""
    guarded_redis.flush()
    directory = tmp_path_factory.mktemp(request.param)
    own = shutil.copy(database, directory)
    processes = Processes(
        directory,
        {
            "DJANGO_SETTINGS_MODULE": "tests.abuse.site.settings",
            "SITE_DATABASE": str(own),
            "SITE_REDIS": guarded_redis.url,
            **SECRETS,
        },
    )
    try:
        processes.start(["-m", "django", "runworker", "--threads", "2"])
        with serve(request.param, "tests.abuse.site.asgi:application", processes) as server:
            processes.wait_for_log("Listening on channels", 2)
            yield Site(server)
            (directory / "log.txt").write_text(without_tracebacks_of_servers(processes.log()))
    finally:
        processes.stop()


def without_tracebacks_of_servers(log: str) -> str:
    """Return ``log`` without the tracebacks in which no line of ours stands: servers write some for bad frames."""
    first, *blocks = unexpected(log).split("Traceback ")
    ours = [f"Traceback {block}" for block in blocks if "channels/" in block]
    return "".join([first, *ours])


# Frames

WITHOUT_A_CODE = 1005
"""How granian closes."""

VIOLATIONS = {
    "reserved opcode": (frame(3, b"x"), {1002}),
    "reserved control opcode": (frame(11, b""), {1002}),
    "reserved bit": (frame(TEXT, b"x", rsv=2), {1002}),
    "no mask": (frame(TEXT, b"x", mask=False), {1002}),
    "fragmented ping": (frame(PING, b"x", fin=False), {1002}),
    "long ping": (frame(PING, b"x" * 126), {1002, 1009}),
    "continuation of nothing": (frame(CONTINUATION, b"x"), {1002}),
    "text within a message": (frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"), {1002}),
    "text that is not UTF-8": (frame(TEXT, b"\xce\xba\xff"), {1007}),
    "surrogates": (frame(TEXT, b"\xed\xa0\x80"), {1007}),
    "text cut in a character": (frame(TEXT, b"\xce\xba\xe1\xbd", fin=False) + frame(CONTINUATION, b""), {1007}),
    "close of one byte": (frame(CLOSE, b"\x03"), {1002}),
    "close with a code that is none": (frame(CLOSE, (999).to_bytes(2, "big")), {1002}),
    "close with a code that is never sent": (frame(CLOSE, (1006).to_bytes(2, "big")), {1002}),
    "close with a reason that is not UTF-8": (frame(CLOSE, b"\x03\xe8\xff"), {1002, 1007}),
    "negative length": (b"\x82\xff" + b"\xff" * 8 + b"\0" * 4, {1002, 1009}),
}


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_frame_against_the_protocol_ends_its_socket_only(site: Site, violation: str) -> None:
    """With the code that the protocol has for it, or without a word."""
    data, codes = VIOLATIONS[violation]
    with RawSocket(site.server.port, "/echo/") as attacker:
        attacker.send(data)
        assert attacker.close_code() in {*codes, WITHOUT_A_CODE, None}


def test_fragments_and_pings_between_them_make_one_message(site: Site) -> None:
    """However small they are."""
    text = "κόσμε" * 10
    first, *others = text.encode()
    with RawSocket(site.server.port, "/echo/") as client:
        client.send(frame(TEXT, bytes([first]), fin=False))
        for byte in others:
            client.send(frame(CONTINUATION, bytes([byte]), fin=False))
        client.send(frame(PING, b"p") + frame(CONTINUATION, b""))
        frames = [client.read(), client.read()]
    assert (TEXT, text.encode()) in frames


@pytest.mark.parametrize("kind", [TEXT, BINARY])
def test_frame_above_the_limit_is_1009(site: Site, kind: int) -> None:
    """Whether the server or the interface finds it."""
    with RawSocket(site.server.port, "/echo/") as attacker:
        attacker.send(frame(kind, b"x" * 100_001))
        assert attacker.close_code() in (1009, 4009, WITHOUT_A_CODE)


def test_fragments_above_the_limit_are_1009(site: Site) -> None:
    """Together: each is small, and so is each part of a form that drips in."""
    with RawSocket(site.server.port, "/echo/") as attacker:
        with contextlib.suppress(OSError):  # It need not wait for the last.
            attacker.send(frame(BINARY, b"x" * 1000, fin=False))
            for _ in range(150):
                attacker.send(frame(CONTINUATION, b"x" * 1000, fin=False))
            attacker.send(frame(CONTINUATION, b""))
        assert attacker.close_code() in (1009, 4009, WITHOUT_A_CODE, None)
    site.assert_serves()


def test_clients_that_drip_keep_nobody_out(site: Site) -> None:
    """A byte of a header, a body and a frame at a time, from many at once, while others are served."""
    beginnings = [
        b"GET /who/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        b"POST /take/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n",
    ]
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection(("127.0.0.1", site.server.port), SECONDS)) for _ in range(20)
        ]
        sockets = [stack.enter_context(RawSocket(site.server.port, "/echo/")) for _ in range(5)]
        for number, client in enumerate(clients):
            client.sendall(beginnings[number % 2])
        for each in sockets:
            each.send(frame(TEXT, b"x", fin=False))
        for _ in range(5):
            with contextlib.suppress(OSError):  # Some servers have had enough by then.
                for client in clients:
                    client.sendall(b"x")
            for each in sockets:
                each.send(frame(CONTINUATION, b"x", fin=False))
            assert site.get("/who/").text == "nobody"
        for each in sockets:
            each.send(frame(CONTINUATION, b"x"))
            assert each.read() == (TEXT, b"x" * 7)


def test_frame_that_unpacks_to_far_more_than_the_limit_is_refused(site: Site) -> None:
    """64 MB of zeros in 64 kB; the memory of the server is no worse for it than the server's own limit allows."""
    with RawSocket(site.server.port, "/echo/", "Sec-WebSocket-Extensions: permessage-deflate") as attacker:
        if "permessage-deflate" not in attacker.accepted:
            attacker.send(frame(BINARY, deflated(b"\0" * 64_000_000), rsv=4))
            assert attacker.close_code() in (1002, WITHOUT_A_CODE, None)
        else:
            attacker.send(frame(BINARY, deflated(b"\0" * 64_000_000), rsv=4))
            assert attacker.close_code() in (1009, 4009, None)
    site.assert_serves()


READS_BODIES_ITSELF = {"daphne"}
"""Servers that call the application when a body is complete, and wait for it for as long as their own options say."""

# Those who are slow, and those who bring too much


def test_clients_that_never_finish_keep_nobody_out(site: Site) -> None:
    """Headers, bodies and handshakes that never end: each holds its own connection and no worker."""
    unfinished = [
        b"GET /who/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        b"POST /take/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nx",
        b"GET /echo/ HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
    ]
    with contextlib.ExitStack() as stack:
        for number in range(60):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", site.server.port), SECONDS))
            client.sendall(unfinished[number % 3])
        site.assert_serves()


def test_body_that_never_ends_is_408(site: Site) -> None:
    """After the timeout; daphne keeps it to itself, so nothing behind it is held."""
    if site.server.name in READS_BODIES_ITSELF:
        return
    answer = site.raw(b"POST /take/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nx")
    assert answer.split(b" ")[1] == b"408"


def test_handshake_that_nobody_decides_is_403(site: Site) -> None:
    """After the timeout."""
    with pytest.raises(InvalidStatus) as caught, site.socket("/never/"):
        pass
    assert caught.value.response.status_code == 403


@pytest.mark.parametrize("is_chunked", [False, True], ids=["announced", "chunked"])
def test_body_above_the_limit_is_413(site: Site, is_chunked: bool) -> None:
    """Before it is read, or when it turns out to be."""
    body: Any = iter([b"x" * 50_000] * 5) if is_chunked else b"x" * 250_000
    with site.client() as client:
        assert client.post("/take/", content=body).status_code == 413


def test_packed_body_stays_packed(site: Site) -> None:
    """Nothing unpacks what clients pack, so there is no bomb."""
    with site.client() as client:
        answer = client.post("/take/", content=deflated(b"\0" * 10_000_000), headers={"Content-Encoding": "deflate"})
    assert int(answer.text) < 20_000


@pytest.mark.parametrize(
    "text",
    [
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: " + b"x" * 300_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 300_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X-A: b\r\n" * 20_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\nConnection: close\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nxx",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00" * 10 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Bad\x00Name: 1\r\nConnection: close\r\n\r\n",
    ],
    ids=["header", "path", "headers", "hosts", "length", "lengths", "version", "tls", "nul"],
)
def test_request_that_is_none_is_refused(site: Site, text: bytes) -> None:
    """With a status of the client's fault, or without an answer; the next client is served."""
    answer = site.raw(text)
    assert not answer or int(answer.split(b" ")[1]) >= 400
    assert site.get("/who/").text == "nobody"


# Who one is, and where one comes from


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1", 101),
        ("https://site.example:8443", 101),
        ("https://evil.example", 403),
        ("https://site.example.evil.example", 403),
        ("https://evil.example/site.example", 403),
        ("https://site.example@evil.example", 403),
        ("null", 403),
        ("https://[::1", 403),
        (None, 403),
    ],
)
def test_page_of_another_site_opens_no_socket(site: Site, origin: str | None, status: int) -> None:
    """Nor does one that has no origin."""
    headers = () if origin is None else (f"Origin: {origin}",)
    with RawSocket(site.server.port, "/guarded/", *headers) as client:
        assert client.status == status or (status, client.status) == (403, 400)  # By a server that looks itself.


@pytest.mark.parametrize("host", ["evil.example", "site.example.evil.example", "127.0.0.1\\@evil.example", "a b", ""])
def test_host_that_is_not_ours_is_400(site: Site, host: str) -> None:
    """So that no page is made with links to it."""
    answer = site.raw(f"GET /where/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert answer.split(b" ")[1] == b"400"
    assert b"evil.example" not in answer


def test_forwarded_headers_change_nothing_unless_trusted(site: Site) -> None:
    """Neither the host nor the scheme nor the path that the site believes to be at."""
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil", "X-Script-Name": "/evil"}
    assert site.get("/where/", headers=forged).text == f"{site.server.url}/where/"


def test_form_without_its_token_is_403(site: Site) -> None:
    """Cookies alone do not write."""
    with site.client() as client:
        token = client.get("/token/").text
        site.secrets.add(client.cookies["sessionid"])
        form = {"name": "alice", "password": PASSWORD}
        assert client.post("/login/", data=form).status_code == 403
        assert client.post("/login/", data={**form, "csrfmiddlewaretoken": "x" * len(token)}).status_code == 403


def test_login_changes_the_key_of_the_session(site: Site) -> None:
    """Whoever planted the key that was there before has nothing."""
    with site.client() as victim:
        token = victim.get("/token/").text
        planted = victim.cookies["sessionid"]
        victim.post("/login/", data={"name": "alice", "password": PASSWORD, "csrfmiddlewaretoken": token})
        site.secrets.update({planted, victim.cookies["sessionid"]})
        assert victim.get("/who/").text == "alice"
        assert victim.cookies["sessionid"] != planted
    assert site.get("/who/", headers={"Cookie": f"sessionid={planted}"}).text == "nobody"
    with site.socket("/who/", additional_headers={"Cookie": f"sessionid={planted}"}) as client:
        client.send("who?")
        assert client.recv(SECONDS) == "nobody "


@pytest.mark.parametrize("key", ["x" * 32, "chn" + "a" * 29, "../../etc/passwd", "%00", "a" * 5000])
def test_key_that_a_client_made_up_is_no_session(site: Site, key: str) -> None:
    """Neither in a cookie nor in the path: none is made under it."""
    with site.socket(f"/who/?session_key={key}", additional_headers={"Cookie": f"sessionid={key}"}) as client:
        client.send("who?")
        assert client.recv(SECONDS) == "nobody "


def test_connection_cannot_choose_what_is_remembered_for_it(site: Site) -> None:
    """Each has a session of its own, whatever it claims to be."""
    with site.socket("/remember/") as first:
        first.send("a secret of the first")
        assert first.recv(SECONDS) == "nothing"
        headers = {"Reply-Channel": "websocket.send.x!y", "Cookie": "sessionid=x; reply_channel=websocket.send.x!y"}
        with site.socket("/remember/?reply_channel=x", additional_headers=headers) as second:
            second.send("what was it?")
            assert second.recv(SECONDS) == "nothing"


def test_nobody_speaks_to_the_socket_of_another(site: Site) -> None:
    """Whatever a frame calls its channel, group or stream, the answer goes to who sent it."""
    with site.socket("/private/victim/") as victim, site.socket("/private/attacker/") as attacker:
        victim.send('"hello"')
        assert json.loads(victim.recv(SECONDS)) == {"yours": "hello"}
        frames = [
            {"reply_channel": "websocket.send.x!y", "group": "private-victim", "text": "gotcha", "close": True},
            {"stream": "one", "payload": {"reply_channel": "x"}, "reply_channel": "x"},
            {"accept": True, "texts_by_identity": {"alice": "gotcha"}, "identity": "alice"},
        ]
        for content in frames:
            attacker.send(json.dumps(content))
            assert json.loads(attacker.recv(SECONDS)) == {"yours": content}
        victim.send('"still mine"')
        assert json.loads(victim.recv(SECONDS)) == {"yours": "still mine"}
    with site.socket("/streams/") as streams:
        streams.send(json.dumps({"stream": "two", "payload": {}, "reply_channel": "x"}))
        assert json.loads(streams.recv(SECONDS))["error"]["code"] == "unknown_stream"


# What comes back


def test_header_of_two_lines_is_not_sent(site: Site) -> None:
    """Neither from a view, where Django sees it, nor from a consumer, where the interface does."""
    assert site.get("/split/?fine").headers["x-echo"] == "fine"
    for path in ("/header/?value=on%20purpose%0d%0aSet-Cookie:%20b=c", "/split/?a%0d%0aSet-Cookie:b=c"):
        answer = site.raw(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        assert answer.split(b" ")[1] == b"500"
        assert b"set-cookie" not in answer.lower()


@pytest.mark.parametrize("path", ["/../settings.py", "/static/../settings.py", "/static/%2e%2e/settings.py", "/..%2fx"])
def test_path_that_climbs_finds_nothing(site: Site, path: str) -> None:
    """There is no page above the root."""
    answer = site.raw(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    assert int(answer.split(b" ")[1]) in (400, 404)
    assert b"SECRET_KEY" not in answer


def test_path_of_two_lines_is_one_line_in_the_log(site: Site) -> None:
    """Who chooses a path writes no log line of his own, and commands no terminal that shows it."""
    path = "/guarded/%0aFORGED%1b[2J/"
    with RawSocket(site.server.port, path, "Origin: https://evil.example") as client:
        assert client.status == 403
    assert site.get(path).status_code == 404
    wait_for(lambda: "FORGED" in site.server.log(), "The refusal in the log")
    lines = site.server.log().splitlines()
    assert not [line for line in lines if line.startswith("FORGED")]
    assert not [line for line in lines if "\x1b[2J" in line]


# Afterwards: these are last, so that the log holds all of the above


def test_log_holds_no_secret(site: Site) -> None:
    """Everything is logged that can be, and after a login, on pages and sockets with keys of all kinds."""
    with site.client() as client:
        site.log_in(client)
        cookie = f"sessionid={client.cookies['sessionid']}"
        headers = {"Authorization": f"Bearer {AUTHORIZATION}", "Cookie": cookie}
        assert client.get("/who/", headers=headers).text == "alice"
    with site.socket("/who/", additional_headers=headers) as client:
        client.send("who?")
        assert client.recv(SECONDS).startswith("alice")
    wait_for(lambda: "websocket.receive" in site.server.log(), "Debug lines in the log")
    log = site.server.log()
    assert [secret for secret in sorted(site.secrets) if secret in log] == []
    assert not re.search(r"pbkdf2|csrftoken=[A-Za-z0-9]{20}", log)


def test_site_is_as_it_was(site: Site) -> None:
    """Every process serves, and none of our code stands in a traceback that a client caused."""
    site.assert_serves()
    assert site.server.process.poll() is None
    assert "Traceback " not in without_tracebacks_of_servers(site.server.log())
