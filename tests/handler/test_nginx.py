"""The nginx configuration of the documentation, word for word but for ports and paths, before uvicorn and a worker."""

import json
import re
import ssl
import textwrap
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from tests.support.http2 import make_certificate
from tests.support.nginx import find_nginx, nginx
from tests.support.pages import pages
from tests.support.processes import ROOT, free_port
from tests.support.redis import RedisServer

SECONDS = 60

FORGED = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "http", "x-real-ip": "203.0.113.9"}


def configuration() -> str:
    """Return the block of the documentation."""
    text = (ROOT / "docs" / "deploying.rst").read_text(encoding="utf-8")
    (block,) = re.findall(r"\.\. code-block:: nginx\n\n((?:    .*\n|\n)+)", text)
    return textwrap.dedent(block)


def adapted(changes: dict[str, str]) -> str:
    """Return the configuration with ports and paths of this machine; each of them must be there."""
    text = configuration()
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


class Site:
    """What clients outside see.

    Attributes:
        port, plain_port: Where HTTPS and HTTP are.
        context: Trusts the certificate.
    """

    def __init__(self, port: int, plain_port: int, certificate: Path) -> None:
        self.port = port
        self.plain_port = plain_port
        self.context = ssl.create_default_context(cafile=str(certificate))
        # The certificate is for the loopback address, the site is called otherwise.
        self.context.check_hostname = False

    def client(self) -> httpx.Client:
        """Return a client of the site, which calls it by its name."""
        url = f"https://127.0.0.1:{self.port}"
        return httpx.Client(
            base_url=url, verify=self.context, headers={"host": "example.com"}, timeout=SECONDS, trust_env=False
        )

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Make a request and return its response."""
        with self.client() as client:
            return client.request(method, path, **options)


@pytest.fixture(scope="module")
def site(newest_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """nginx, uvicorn, Redis, a worker."""
    find_nginx()
    directory = tmp_path_factory.mktemp("nginx")
    certificate, key = make_certificate(directory)
    (directory / "static").mkdir()
    (directory / "static" / "style.css").write_text("body {}")
    port, plain_port = free_port(), free_port()
    with pages("uvicorn", directory, newest_redis) as server:
        changes = {
            "127.0.0.1:8000": f"127.0.0.1:{server.port}",
            "listen 80;": f"listen 127.0.0.1:{plain_port};",
            "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "/etc/ssl/example.com.pem": str(certificate),
            "/etc/ssl/example.com.key": str(key),
            "/srv/mysite/static/": f"{directory}/static/",
        }
        with nginx(directory, adapted(changes), port):
            yield Site(port, plain_port, certificate)


def test_plain_http_is_redirected(site: Site) -> None:
    """To the same page by HTTPS."""
    url = f"http://127.0.0.1:{site.plain_port}/echo/?a=b"
    reply = httpx.get(url, headers={"host": "example.com"}, timeout=SECONDS, trust_env=False)
    assert (reply.status_code, reply.headers["location"]) == (301, "https://example.com/echo/?a=b")


def test_page_is_answered(site: Site) -> None:
    """By Django, with its headers."""
    reply = site.request("GET", "/")
    assert (reply.status_code, reply.text, reply.headers["x-frame-options"]) == (200, "Hello world", "DENY")


def test_static_files_are_answered_by_nginx(site: Site) -> None:
    """They never reach the interface."""
    reply = site.request("GET", "/static/style.css")
    assert (reply.text, reply.headers["content-type"]) == ("body {}", "text/css")


def test_site_knows_scheme_host_and_client(site: Site) -> None:
    """Those that nginx saw, whatever the client says."""
    facts = site.request("GET", "/echo/", headers=FORGED).json()
    assert (facts["secure"], facts["remote"], facts["uri"]) == (True, "127.0.0.1", "https://example.com/echo/")


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_upload_arrives_whole(size: int, site: Site) -> None:
    """Larger than any buffer on the way, or not."""
    content = bytes(number % 251 for number in range(size))
    reply = site.request("POST", "/digest/", content=content)
    assert reply.text == sha256(content).hexdigest()


def test_upload_in_chunks_arrives_whole(site: Site) -> None:
    """nginx says the length, which the client did not."""
    reply = site.request("POST", "/echo/", files={"f": b"x" * 100_000})
    ((_, _, size, _),) = reply.json()["FILES"]["f"]
    assert size == 100_000
    pieces = (b"y" * 1000 for _ in range(100))
    assert site.request("POST", "/digest/", content=pieces).text == sha256(b"y" * 100_000).hexdigest()


def test_large_download_is_complete(site: Site) -> None:
    """Piece by piece."""
    reply = site.request("GET", "/made/40/100000/")
    assert sha256(reply.content).digest() == sha256(b"".join(bytes([n]) * 100_000 for n in range(40))).digest()


def test_connections_are_kept(site: Site) -> None:
    """Many requests over one."""
    with site.client() as client:
        assert [client.get(f"/hello/{number}/").text for number in range(10)] == [f"Hello {n}" for n in range(10)]


def test_socket_opens_and_knows_its_client(site: Site) -> None:
    """Upgraded, with the scheme and the address that nginx saw."""
    url = f"wss://127.0.0.1:{site.port}/socket/"
    with connect(url, ssl=site.context, additional_headers=FORGED, open_timeout=SECONDS, proxy=None) as client:
        assert client.recv(SECONDS) == "wss 127.0.0.1"
        client.send("x" * 100_000)
        assert client.recv(SECONDS) == "x" * 100_000


def test_events_arrive_when_they_happen(site: Site) -> None:
    """Nothing on the way waits for more, although the response never ends."""
    with site.client() as client, client.stream("GET", "/events/") as reply:
        lines = reply.iter_lines()
        assert next(lines) == "data: hello"
        for number in range(3):
            assert site.request("POST", "/publish/", content=json.dumps(number).encode()).text == "published"
            assert [next(lines), next(lines)] == ["", f"data: {number}"]


def test_gone_client_ends_its_stream(site: Site) -> None:
    """nginx hangs up as well: the next client is served by the one worker there is."""
    with site.client() as client, client.stream("GET", "/stream/endless/") as reply:
        next(reply.iter_bytes())
    assert site.request("GET", "/").text == "Hello world"
