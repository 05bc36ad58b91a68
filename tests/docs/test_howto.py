"""The how-tos do what they say: their files are saved, their commands typed, and what they promise is looked at."""

import json
import os
import re
import secrets
import shutil
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from websockets.exceptions import InvalidStatus, WebSocketException

from channels.layers.ipc.place import default_directory
from tests.support.chat import browser
from tests.support.cluster import cluster_port
from tests.support.howto import SECONDS, Site, hear
from tests.support.missing import skip_or_fail
from tests.support.processes import ROOT, answers, free_port, wait_for
from tests.support.reader import Reader
from tests.support.redis import RedisServer

pytestmark = pytest.mark.slow

HOWTO = ROOT / "docs" / "howto"


@contextmanager
def building(directory: Path, replaced: Mapping[str, str] | None = None) -> Iterator[Site]:
    """Yield a new project, and a reader who adds to it."""
    site = Site(directory, replaced)
    try:
        yield site
    finally:
        site.reader.stop()
    assert "Traceback" not in site.reader.log(), site.reader.log()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A new project that needs nothing else."""
    with building(tmp_path) as site:
        yield site


def require(*programs: str) -> None:
    """Skip where a program is missing, or fail where CI is set."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    missing = [program for program in programs if shutil.which(program, path=path) is None]
    if missing:
        skip_or_fail(f"Install {' and '.join(missing)}.")


def texts(chrome: Any, selector: str) -> list[str]:
    """Return the texts of a page's elements."""
    script = "return [...document.querySelectorAll(arguments[0])].map((each) => each.textContent)"
    return list(chrome.execute_script(script, selector))


def read(site: Site, page: str, look) -> None:
    """Read a page to its end, looking at each checkpoint with the method of its name."""
    assert site.reader.read(HOWTO / f"{page}.rst", lambda name: getattr(look, name)())


@pytest.mark.browser
def test_long_polling(site: Site) -> None:
    """Clients wait, all hear the next headline, and who comes late gets what was missed at once."""

    class Look:
        def headlines(self) -> None:
            # The command before published one.
            assert self.ask(0).json() == {"headlines": [{"pk": 1, "text": "It rains"}]}
            answers: list[httpx.Response] = []
            clients = [threading.Thread(target=lambda: answers.append(self.ask(1))) for _ in range(2)]
            for client in clients:
                client.start()
            waiting = "from channels import Group; print(len(Group('news').channels()))"
            wait_for(lambda: site.shell(waiting) == "2", "two who wait", SECONDS)
            assert answers == []
            site.shell("from news.models import Headline; Headline.objects.create(text='It stops')")
            for client in clients:
                client.join(SECONDS)
            assert [answer.json() for answer in answers] == [{"headlines": [{"pk": 2, "text": "It stops"}]}] * 2
            wait_for(lambda: site.shell(waiting) == "0", "all have left the group", SECONDS)
            with browser() as chrome:
                chrome.get(f"{site.url}/news/")
                wait_for(lambda: texts(chrome, "li") == ["It rains", "It stops"], "the page shows both", SECONDS)
                wait_for(lambda: site.shell(waiting) == "1", "the page waits", SECONDS)
                site.shell("from news.models import Headline; Headline.objects.create(text='It snows')")
                wait_for(lambda: texts(chrome, "li")[2:] == ["It snows"], "the page shows what is new", SECONDS)

        def ask(self, after: int) -> httpx.Response:
            site.wait_until_up("/news/")
            return httpx.get(f"{site.url}/news/latest/?after={after}", timeout=SECONDS)

    read(site, "long-polling", Look())


@pytest.mark.browser
def test_server_sent_events(site: Site) -> None:
    """Headers at once, events as they come, what was missed on the next connection."""

    class Look:
        members = "from channels import Group; print(len(Group('ticker').channels()))"

        def opened(self) -> None:
            site.wait_until_up("/")
            self.stream = httpx.Client(timeout=SECONDS).stream("GET", f"{site.url}/prices/")
            response = self.stream.__enter__()
            assert response.headers["content-type"] == "text/event-stream"
            self.lines = response.iter_lines()
            assert next(self.lines) == "retry: 2000"
            wait_for(lambda: site.shell(self.members) == "1", "the client is in the group", SECONDS)

        def events(self) -> None:
            assert [next(self.lines) for _ in range(4)] == ["", "id: 1", "data: ACME 1234", ""]
            site.shell("from ticker.publish import keep_alive; keep_alive()")
            assert next(self.lines) == ": still here"
            self.stream.__exit__(None, None, None)
            site.shell("from ticker.publish import publish; publish('ACME', 1300)")
            with httpx.stream(
                "GET", f"{site.url}/prices/", headers={"Last-Event-ID": "1"}, timeout=SECONDS
            ) as response:
                lines = response.iter_lines()
                assert [next(lines) for _ in range(4)][2:] == ["id: 2", "data: ACME 1300"]
            with browser() as chrome:
                chrome.get(f"{site.url}/")
                wait_for(lambda: site.shell(self.members) == "1", "the page is in the group", SECONDS)
                site.shell("from ticker.publish import publish; publish('ACME', 1400)")
                wait_for(lambda: texts(chrome, "li") == ["ACME 1400"], "the page shows it", SECONDS)

    read(site, "server-sent-events", Look())


@pytest.mark.browser
def test_presence(site: Site) -> None:
    """Who comes and goes is told to who is there; a lost socket is forgotten."""

    class Look:
        def people(self) -> None:
            site.wait_until_up()
            with pytest.raises(InvalidStatus):
                site.socket("/presence/lobby/")
            with site.socket("/presence/lobby/", site.log_in("anna")) as anna:
                hear(anna, {"here": ["anna"]})
                with site.socket("/presence/lobby/", site.log_in("ben")) as ben:
                    hear(ben, {"here": ["anna", "ben"]})
                    hear(anna, {"here": ["anna", "ben"]})
                hear(anna, {"here": ["anna"]})
                with browser() as chrome:
                    chrome.get(f"{site.url}/admin/login/")
                    name, _, value = site.log_in("eve").partition("=")
                    chrome.add_cookie({"name": name, "value": value})
                    chrome.get(f"{site.url}/")
                    wait_for(lambda: texts(chrome, "li") == ["anna", "eve"], "the page shows both", SECONDS)
                hear(anna, {"here": ["anna"]})
                # A row whose server was killed.
                site.shell(
                    "from presence.models import *; from django.contrib.auth.models import User\n"
                    "Visit.objects.create(socket='x', room='lobby', user=User.objects.get(username='ben'), "
                    "seen=timezone.now() - GIVEN_UP_AFTER)"
                )
                anna.send('{"alive": true}')
                wait_for(lambda: site.rows("select count(*) from presence_visit") == [(1,)], "it is forgotten", SECONDS)
            wait_for(lambda: site.rows("select count(*) from presence_visit") == [(0,)], "nobody is there", SECONDS)

    read(site, "presence", Look())


def test_background_jobs(tmp_path: Path, redis_url: str) -> None:
    """A job is done by a worker of its own, and the page hears of it, before or after it asks."""
    with building(tmp_path, {"redis://localhost:6379/0": redis_url}) as site:

        class Look:
            def started(self) -> None:
                # The command after this one orders the first report.
                site.wait_until_up()

            def done(self) -> None:
                wait_for(lambda: site.rows("select done is not null from reports_report") == [(1,)], "done", SECONDS)
                with site.socket("/reports/1/") as early, site.socket("/reports/2/") as late:
                    hear(early, {"done": True, "text": "Rain: all is well."})
                    answer = httpx.post(f"{site.url}/reports/", data={"title": "Snow"}, timeout=SECONDS)
                    assert (answer.status_code, answer.json()) == (202, {"report": 2})
                    hear(late, {"done": True, "text": "Snow: all is well."})

        read(site, "background-jobs", Look())


def test_notifications(tmp_path: Path, redis_server: RedisServer) -> None:
    """A row saved and a task run elsewhere reach the page of their user."""
    broker = f"redis://127.0.0.1:{redis_server.port}/1"
    replaced = {"redis://localhost:6379/0": redis_server.url, "redis://localhost:6379/1": broker}
    with building(tmp_path, replaced) as site, ExitStack() as sockets:

        class Look:
            def connected(self) -> None:
                site.wait_until_up()
                self.anna, self.ben = [
                    sockets.enter_context(site.socket("/notes/", site.log_in(name))) for name in ("anna", "ben")
                ]

            def notified(self) -> None:
                assert hear(self.anna, {"text": "It rains"}) == []
                assert hear(self.anna, {"text": "4 words"}) == []
                site.shell("from notes.consumers import notify; notify(2, 'for ben')")
                assert hear(self.ben, {"text": "for ben"}) == []

        read(site, "notifications", Look())


def test_delayed_work(tmp_path: Path, redis_server: RedisServer) -> None:
    """A reminder comes when it is due, a job's message at once, and Celery's again and again."""
    broker = f"redis://127.0.0.1:{redis_server.port}/1"
    with building(tmp_path, {"redis://localhost:6379/1": broker, "5.0": "1.0"}) as site, ExitStack() as sockets:

        class Look:
            def delayed(self) -> None:
                site.wait_until_up()
                site.reader.wait_for_log("Running delay server")
                self.socket = sockets.enter_context(site.socket("/reminders/"))
                self.socket.send('{"text": "second", "seconds": 1.5}')
                self.socket.send('{"text": "first", "seconds": 0.5}')
                assert hear(self.socket, {"text": "second"}) == [{"text": "first"}]

            def sent(self) -> None:
                assert hear(self.socket, {"text": "A new hour"}) == []

            def beaten(self) -> None:
                # The server has noticed the new files, and starts again.
                wait_for(self.hears_twice, "two beats", SECONDS)

            def hears_twice(self) -> bool:
                with suppress(OSError, WebSocketException), site.socket("/reminders/") as socket:
                    return hear(socket, {"text": "Stretch"}) == hear(socket, {"text": "Stretch"}) == []
                return False

        read(site, "delayed-work", Look())


def test_redis_high_availability(tmp_path: Path) -> None:
    """The site goes on after the master is gone, and on a cluster."""
    require("redis-server", "redis-cli")
    ports = {name: str(cluster_port()) for name in ("26379", "6379", "6380", "7001", "7002", "7003")}
    with building(tmp_path, ports) as site, ExitStack() as sockets:

        class Look:
            def replicating(self) -> None:
                with redis.Redis(port=int(ports["6380"])) as replica:
                    wait_for(lambda: self.info(replica, "replication").get("master_link_status") == "up", "a replica")

            def watched(self) -> None:
                with redis.Redis(port=int(ports["26379"])) as sentinel:
                    wait_for(
                        lambda: self.info(sentinel, "sentinel").get("master0", {}).get("slaves") == 1, "a Sentinel"
                    )

            def info(self, server: "redis.Redis", part: str) -> dict[str, Any]:
                with suppress(redis.ConnectionError):
                    return dict(server.info(part))
                return {}

            def sentinel(self) -> None:
                site.wait_until_up()
                self.anna, self.ben = [sockets.enter_context(site.socket("/lobby/")) for _ in range(2)]
                self.talk("before")

            def failover(self) -> None:
                wait_for(lambda: self.is_heard("after"), "heard after the failover", SECONDS)

            def is_heard(self, text: str) -> bool:
                self.anna.send(json.dumps({"text": text}))
                with suppress(TimeoutError):
                    return json.loads(self.ben.recv(2))["text"] == text
                return False

            def talk(self, text: str) -> None:
                self.anna.send(json.dumps({"text": text}))
                hear(self.ben, {"author": "somebody", "text": text})

            def nodes(self) -> None:
                for name in ("7001", "7002", "7003"):
                    wait_for(lambda name=name: answers(int(ports[name])), f"node {name}")

            def agreed(self) -> None:
                with redis.Redis(port=int(ports["7003"])) as node:
                    wait_for(lambda: node.cluster("info")["cluster_state"] == "ok", "a cluster", SECONDS)

            def cluster(self) -> None:
                sockets.close()
                self.sentinel()

        read(site, "redis-high-availability", Look())


def test_load_balancers(tmp_path: Path, redis_url: str) -> None:
    """Sockets of both servers hear each other; when one is stopped no page fails and its sockets come back."""
    require("haproxy")
    replaced = {"8001": str(free_port()), "8002": str(free_port()), "redis://localhost:6379/0": redis_url}
    with building(tmp_path, replaced) as site, ExitStack() as stack:

        class Look:
            def listening(self) -> None:
                for name in ("8001", "8002"):
                    wait_for(lambda name=name: answers(int(replaced[name])), name, SECONDS)

            def balanced(self) -> None:
                site.wait_until_up()
                sockets = [stack.enter_context(site.socket("/lobby/")) for _ in range(4)]
                sockets[0].send('{"text": "hello"}')
                for socket in sockets:
                    hear(socket, {"author": "somebody", "text": "hello"})
                one = site.reader.running[1]
                one.send_signal(signal.SIGTERM)
                while one.poll() is None:
                    assert httpx.get(f"{site.url}/", timeout=SECONDS).status_code == 200
                wait_for(lambda: {socket.close_code for socket in sockets} == {None, 1012}, "its sockets end", SECONDS)
                with site.socket("/lobby/") as back:
                    back.send('{"text": "again"}')
                    hear(back, {"author": "somebody", "text": "again"})

        read(site, "load-balancers", Look())


@pytest.mark.browser
def test_project_template(tmp_path: Path, redis_url: str) -> None:
    """The page on new projects, in an empty directory."""
    home = tmp_path / "home"
    home.mkdir()
    # A name of its own is a layer of its own.
    name = f"mysite{secrets.token_hex(4)}"
    replaced = {"redis://localhost:6379/0": redis_url, "mysite": name}
    reader = Reader(home, {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}, replaced)
    site = Site.__new__(Site)
    site.reader = reader

    def look(checkpoint: str) -> None:
        site.wait_until_up()
        with site.socket("/lobby/") as socket:
            socket.send('{"text": "hello"}')
            hear(socket, {"author": "somebody", "text": "hello"})
        if checkpoint == "lobby":
            with browser() as chrome:
                chrome.get(site.url)
                wait_for(lambda: texts(chrome, "#state") == ["connected"], "the page is connected", SECONDS)
            reader.stop()

    try:
        assert reader.read(ROOT / "docs/project-template.rst", look) == ["lobby", "production"]
        assert re.search(r"Ran 3 tests in .*\n\nOK", reader.log())
    finally:
        reader.stop()
        shutil.rmtree(default_directory(name))


def test_every_howto_has_a_test() -> None:
    """A page that nobody reads to its end is noticed."""
    source = Path(__file__).read_text(encoding="utf-8")
    pages = {page.stem for page in HOWTO.glob("*.rst")} - {"index"}
    assert pages == {page for page in pages if f'"{page}"' in source}
