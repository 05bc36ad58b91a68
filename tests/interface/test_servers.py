"""The same clients before every server that users run: real sockets, real processes.

Each server serves a new project's application with a worker process on Redis, and an untouched ``asgi.py`` of 1.x with
workers in its own process on the in-memory layer.
"""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.support.processes import Processes, wait_for
from tests.support.servers import COMMANDS, DENIES_WITH_STATUS, REPORTS_CLOSE_CODES, Server, serve

SECONDS = 60


class Site:
    """A served project.

    Attributes:
        server: The server before it.
        journal: What its consumers write down.
    """

    def __init__(self, server: Server, journal: Path) -> None:
        self.server = server
        self._journal = journal

    @contextmanager
    def socket(self, path: str, **options: Any) -> Iterator[ClientConnection]:
        """Yield an open WebSocket."""
        with connect(self.server.ws_url + path, open_timeout=SECONDS, close_timeout=SECONDS, **options) as client:
            yield client

    def refusal(self, path: str) -> Any:
        """Return the response that refuses a WebSocket."""
        with pytest.raises(InvalidStatus) as caught, self.socket(path):
            pass
        return caught.value.response

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Make a request and return its response."""
        return httpx.request(method, self.server.url + path, timeout=SECONDS, trust_env=False, **options)

    def journal(self, channel: str, path: str) -> list[Any]:
        """Wait for what the consumers of ``channel`` wrote down about ``path`` and return it."""

        def entries() -> list[Any]:
            lines = map(json.loads, self._journal.read_text().splitlines())
            return [entry for entry in lines if (entry["channel"], entry["path"]) == (channel, path)]

        found: list[Any] = wait_for(entries, f"{channel} of {path} in the journal")
        return found


@pytest.fixture(scope="module", params=[f"{name}-{way}" for name in COMMANDS for way in ("redis", "memory")])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The project behind one server, on one layer."""
    name, way = request.param.split("-")
    directory = tmp_path_factory.mktemp(request.param)
    journal = directory / "journal"
    journal.touch()
    environment = {"DJANGO_SETTINGS_MODULE": "tests.interface.project.settings", "PROJECT_JOURNAL": str(journal)}
    if way == "redis":
        environment["PROJECT_REDIS"] = request.getfixturevalue("newest_redis").url
        app = "tests.interface.project.asgi:application"
    else:
        environment["PROJECT_WORKERS"] = "2"
        app = "tests.interface.project.asgi_of_1x:channel_layer"
    processes = Processes(directory, environment)
    try:
        if way == "redis":
            processes.start(["-m", "django", "runworker"])
        with serve(name, app, processes) as server:
            processes.wait_for_log("Listening on channels")
            yield Site(server, journal)
    finally:
        processes.stop()


# WebSockets


def test_text_is_sent_back(site: Site) -> None:
    """Unicode included."""
    with site.socket("/echo/") as client:
        client.send("grüße")
        assert client.recv(SECONDS) == "grüße"


def test_bytes_are_sent_back(site: Site) -> None:
    """As bytes."""
    with site.socket("/echo/") as client:
        client.send(b"\x00\xff")
        assert client.recv(SECONDS) == b"\x00\xff"


def test_frames_keep_their_order(site: Site) -> None:
    """From consumers to the client."""
    with site.socket("/echo/") as client:
        client.send("count 300")
        assert [int(client.recv(SECONDS)) for _ in range(300)] == list(range(300))


def test_data_alone_accepts(site: Site) -> None:
    """What is sent during the handshake is shown after it."""
    with site.socket("/greet/") as client:
        assert client.recv(SECONDS) == "hello"


def test_undecided_connect_is_accepted(site: Site) -> None:
    """A connect consumer that says nothing lets the client in."""
    with site.socket("/forever/") as client:
        client.send("x")
        assert client.recv(SECONDS) == "x"


def test_refused_handshake_is_403(site: Site) -> None:
    """And consumers hear of the end, once."""
    path = f"/refuse/{site.server.name}/"
    assert site.refusal(path).status_code == 403
    assert [entry["order"] for entry in site.journal("websocket.disconnect", path)] == [1]


def test_denial_has_its_status_where_the_server_can(site: Site) -> None:
    """403 elsewhere."""
    response = site.refusal("/deny/")
    if site.server.name in DENIES_WITH_STATUS:
        assert (response.status_code, response.body) == (401, b"Log in first")
    else:
        assert response.status_code == 403


def test_broken_connect_consumer_refuses(site: Site) -> None:
    """The client is not left waiting."""
    assert site.refusal("/broken/").status_code == (500 if site.server.name in DENIES_WITH_STATUS else 403)


@pytest.mark.parametrize("code", [1000, 3000, 4321])
def test_close_code_reaches_the_client(site: Site, code: int) -> None:
    """After the last frame."""
    with site.socket("/echo/") as client:
        client.send(f"close {code}")
        assert client.recv(SECONDS) == "bye"
        with pytest.raises(ConnectionClosed) as caught:
            client.recv(SECONDS)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == code


def test_close_code_of_the_client_reaches_consumers_once(site: Site) -> None:
    """With the order after the last frame."""
    path = "/leave/"
    with site.socket(path) as client:
        client.send("x")
        client.recv(SECONDS)
        client.close(4100)
    code = 4100 if site.server.name in REPORTS_CLOSE_CODES else 1006
    assert [(entry["code"], entry["order"]) for entry in site.journal("websocket.disconnect", path)] == [(code, 2)]


def test_close_by_a_consumer_is_followed_by_one_disconnect(site: Site) -> None:
    """Whoever closes, consumers clean up once."""
    path = "/closed/"
    with site.socket(path) as client:
        client.send("close 4000")
        client.recv(SECONDS)
        with pytest.raises(ConnectionClosed):
            client.recv(SECONDS)
    with site.socket("/echo/") as client:
        client.send("x")
        client.recv(SECONDS)
    assert [entry["code"] for entry in site.journal("websocket.disconnect", path)] == [4000]


def test_first_offered_subprotocol_that_the_site_speaks_is_chosen(site: Site) -> None:
    """The client's order of preference counts."""
    with site.socket("/echo/", subprotocols=["other", "chat.v1", "chat.v2"]) as client:
        assert client.subprotocol == "chat.v1"


def test_subprotocol_of_the_consumer_is_chosen(site: Site) -> None:
    """It knows which ones were offered."""
    with site.socket("/subprotocol/other/", subprotocols=["other", "chat.v1"]) as client:
        assert client.subprotocol == "other"
    assert site.journal("websocket.connect", "/subprotocol/other/")[0]["subprotocols"] == ["other", "chat.v1"]


def test_malformed_replies_do_not_end_the_socket(site: Site) -> None:
    """Wrong keys, and two kinds of frame at once, are dropped; what follows arrives."""
    with site.socket("/echo/") as client:
        client.send("malformed")
        assert client.recv(SECONDS) == "survived"


def test_failing_receive_consumer_does_not_end_the_socket(site: Site) -> None:
    """Its error is logged, and the next frame is answered."""
    with site.socket("/echo/") as client:
        client.send("raise")
        client.send("still here")
        assert client.recv(SECONDS) == "still here"


def test_group_reaches_all_members(site: Site) -> None:
    """Many sockets, one message."""

    async def scenario() -> list[Any]:
        url = site.server.ws_url + "/group/"
        clients = [await connect_async(url, open_timeout=SECONDS) for _ in range(20)]
        await clients[0].send("everyone look")
        received = [await asyncio.wait_for(client.recv(), SECONDS) for client in clients]
        for client in clients:
            await client.close()
        return received

    assert asyncio.run(scenario()) == ["everyone look"] * 20


def test_large_frames_pass(site: Site) -> None:
    """Half a megabyte, both ways."""
    with site.socket("/echo/", max_size=None) as client:
        client.send("x" * 500_000)
        assert len(client.recv(SECONDS)) == 500_000


# HTTP


def test_view_answers(site: Site) -> None:
    """What no consumer takes goes to Django."""
    response = site.request("POST", "/page/?a=b", content=b"12345")
    assert (response.status_code, response.text) == (200, "POST /page/ a=b 5")


def test_consumer_answers(site: Site) -> None:
    """Status, repeated headers and body as it sent them."""
    response = site.request("GET", "/echo/a%20b?q=%C3%A4")
    assert (response.status_code, response.headers.get_list("x-twice")) == (201, ["1", "2"])
    assert (response.json()["path"], response.json()["query_string"]) == ("/echo/a b", "q=%C3%A4")


def test_streamed_response_is_complete(site: Site) -> None:
    """Chunk by chunk."""
    assert site.request("GET", "/stream/").text == "one two three"


def test_large_response_is_complete(site: Site) -> None:
    """More than any buffer on the way."""
    assert len(site.request("GET", "/large/").content) == 3_000_000


@pytest.mark.parametrize(("size", "in_parts"), [(1000, False), (524_288, False), (524_289, True), (3_000_000, True)])
def test_body_arrives_whole(site: Site, size: int, in_parts: bool) -> None:
    """In one message up to a limit, in parts beyond it."""
    body = bytes(number % 251 for number in range(size))
    facts = site.request("POST", "/echo/", content=body).json()
    assert (facts["body_bytes"], facts["in_parts"]) == (size, in_parts)
    assert facts["body_digest"] == sha256(body).hexdigest()


def test_body_beyond_the_limit_is_413(site: Site) -> None:
    """Announced by its length."""
    assert site.request("POST", "/echo/", content=b"x" * 4_000_001).status_code == 413


def test_malformed_response_is_500(site: Site) -> None:
    """At once."""
    assert site.request("GET", "/malformed/").status_code == 500


def test_end_of_each_request_is_told_once(site: Site) -> None:
    """To whoever listens on http.disconnect."""
    site.request("GET", "/echo/once/")
    site.request("GET", "/echo/twice/")
    site.journal("http.disconnect", "/echo/twice/")
    assert len(site.journal("http.disconnect", "/echo/once/")) == 1


def raw_request(site: Site, text: bytes) -> bytes:
    """Send bytes as they are; return the whole response."""
    with socket.create_connection(("127.0.0.1", site.server.port), SECONDS) as client:
        client.sendall(text)
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    return answer


def test_headers_arrive_clean(site: Site) -> None:
    """Names with an underscore could pose as others; spaces after a value are not part of it."""
    answer = raw_request(
        site,
        b"GET /echo/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        b"X_Forged: 1\r\nX-Padded: value \t \r\nX-Same: 1\r\nX-Same: 2\r\n\r\n",
    )
    body = answer.partition(b"\r\n\r\n")[2]
    headers = json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])["headers"]
    assert ["x-padded", "value"] in headers
    assert [value for name, value in headers if name == "x-same"] == ["1", "2"]
    assert not [name for name, _ in headers if "forged" in name]


def test_path_that_is_not_utf8_is_400(site: Site) -> None:
    """On every server alike."""
    answer = raw_request(site, b"GET /echo/%ff HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    assert answer.split(b" ")[1] == b"400"


def test_head_has_no_body(site: Site) -> None:
    """Servers see to that."""
    response = site.request("HEAD", "/page/")
    assert (response.status_code, response.content) == (200, b"")
