"""Projects as they were written for 1.x in different years, only their Django parts of today: they run, untouched, and
the migration report finds what it should in them and nothing else.
"""

import json
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from channels.legacy.scan import scan
from tests.support.processes import Processes, free_port, wait_for

HERE = Path(__file__).resolve().parent
SECONDS = 30

PLANTED = {
    "site2016": [
        ("Procfile", "daphne-command", "web: daphne liveblog.asgi:channel_layer --port $PORT --bind 0.0.0.0 -v2"),
        ("liveblog/settings.py", "old-backend", "'BACKEND': 'asgi_redis.RedisChannelLayer',"),
        ("posts/consumers.py", "slight", "@enforce_ordering(slight=True)"),
        ("posts/consumers.py", "undecided-connect", "def connect_blog(message):"),
        ("posts/consumers.py", "daphne-response", "if not message.reply_channel.name.startswith('daphne.response'):"),
        ("posts/consumers.py", "slight", "@enforce_ordering(slight=True)"),
        ("posts/consumers.py", "slight", "@enforce_ordering(slight=True)"),
        ("requirements.txt", "requirement", "asgi-redis==0.14.1"),
        ("requirements.txt", "requirement", "channels==0.17.3"),
        ("requirements.txt", "requirement", "daphne==0.15.0"),
    ],
    "site2017": [
        ("requirements/base.txt", "requirement", "channels>=1.1,<1.2"),
        ("requirements/base.txt", "requirement", "asgi_redis>=1.3,<1.4"),
        ("requirements/base.txt", "requirement", "asgiref~=1.1"),
        ("requirements/base.txt", "requirement", "daphne~=1.2"),
        ("requirements/base.txt", "requirement", "msgpack-python==0.4.8"),
        (
            "supervisor.conf",
            "daphne-command",
            "command=/srv/support/env/bin/daphne -b 127.0.0.1 -p 8001 --http-timeout 60 --ws-protocol tickets "
            "support.asgi:channel_layer",
        ),
        ("support/settings.py", "old-backend", '"BACKEND": "asgi_redis.core.RedisChannelLayer",'),
        ("tickets/consumers.py", "slight", "slight_ordering = True"),
        ("tickets/consumers.py", "undecided-connect", "def connect(self, message, team, **kwargs):"),
        ("tickets/consumers.py", "returned-message", 'return {"accept": True}'),
        ("tickets/tests.py", "old-import", "from channels.tests import ChannelTestCase, WSClient, apply_routes"),
    ],
    "site11": [
        (
            "docker-compose.yml",
            "daphne-command",
            "command: daphne inventory.asgi:channel_layer --bind 0.0.0.0 --port 8000",
        ),
        ("inventory/settings.py", "old-backend", '"BACKEND": "asgi_redis.RedisChannelLayer",'),
        ("requirements.txt", "requirement", "channels==1.1.8"),
        ("requirements.txt", "requirement", "asgi_redis==1.4.3"),
        ("stock/demultiplexers.py", "slight", "slight_ordering = True"),
    ],
}


class Site:
    """A copy of one project, with an interface server and a worker.

    Args:
        name: Its directory.
        package: The package with its ``asgi.py``.
        directory: Where it is copied to.
        redis_url: The Redis that its settings read from the environment.
    """

    def __init__(self, name: str, package: str, directory: Path, redis_url: str) -> None:
        self.home = directory / name
        shutil.copytree(HERE / name, self.home)
        path = os.pathsep.join([str(self.home), str(HERE.parents[1])])
        environment = {"REDIS_URL": redis_url, "PYTHONPATH": path, "PYTHONWARNINGS": "default"}
        self.processes = Processes(directory, environment, self.home)
        self.port = free_port()
        self.package = package
        self.sockets = ExitStack()

    def manage(self, *arguments: str) -> str:
        """Run a command of ``manage.py`` to its end; return what it printed."""
        before = len(self.processes.log())
        assert self.processes.start(["manage.py", *arguments]).wait(120) == 0, self.processes.log()
        return self.processes.log()[before:]

    def serve(self, *worker_options: str) -> None:
        """Migrate; start uvicorn on the ``channel_layer`` of its ``asgi.py``, and a worker."""
        self.manage("migrate", "--verbosity", "0")
        application = f"{self.package}.asgi:channel_layer"
        self.processes.start(["-m", "uvicorn", application, "--port", str(self.port), "--log-level", "warning"])
        self.processes.start(["manage.py", "runworker", *worker_options])
        self.processes.wait_for_port(self.port)
        self.processes.wait_for_log("Listening on channels")

    def post(self, path: str, **data: str) -> httpx.Response:
        """Post a form, with a CSRF token."""
        token = "t" * 32
        headers = {"Cookie": f"csrftoken={token}", "X-CSRFToken": token}
        return httpx.post(f"http://127.0.0.1:{self.port}{path}", data=data, headers=headers, timeout=SECONDS)

    def log_in(self, name: str) -> str:
        """Make a user, use the login page and return the cookie."""
        user = f"from django.contrib.auth.models import User; User.objects.create_user('{name}', password='pw')"
        self.manage("shell", "-c", user)
        answer = self.post("/login/", username=name, password="pw")
        assert answer.status_code == 302, answer.text
        return f"sessionid={answer.cookies['sessionid']}"

    def open(self, path: str, cookie: str = "") -> ClientConnection:
        """Open a socket as a page of the site does; it is closed with the site."""
        client = connect(
            f"ws://127.0.0.1:{self.port}{path}",
            origin=f"http://127.0.0.1:{self.port}",
            additional_headers={"Cookie": cookie} if cookie else {},
        )
        return self.sockets.enter_context(client)

    def waiting(self) -> int:
        """Return how many delayed messages wait."""
        with closing(sqlite3.connect(self.home / "db.sqlite3", timeout=SECONDS)) as database:
            (count,) = database.execute('SELECT count(*) FROM "channels.delay_delayedmessage"').fetchone()
        return int(count)

    def stop(self) -> None:
        """Stop everything; nothing may have failed in it."""
        self.sockets.close()
        self.processes.stop()
        assert "Traceback" not in self.processes.log(), self.processes.log()


@pytest.fixture
def start_site(redis_server, tmp_path: Path) -> Iterator[Callable[[str, str], Site]]:
    """Return a function that copies a site; what it started is stopped."""
    sites: list[Site] = []

    def start(name: str, package: str) -> Site:
        sites.append(Site(name, package, tmp_path, f"redis://127.0.0.1:{redis_server.port}/0"))
        return sites[-1]

    yield start
    for site in sites:
        site.stop()


def hear(client: ClientConnection) -> object:
    """Return the next frame, decoded."""
    return json.loads(client.recv(SECONDS))


@pytest.mark.parametrize("name", PLANTED)
def test_report_finds_what_is_planted_and_nothing_else(name):
    """By file, kind and line."""
    found = [
        (
            str(Path(finding.path).relative_to(HERE / name)),
            finding.code,
            Path(finding.path).read_text().splitlines()[finding.line - 1].strip(),
        )
        for finding in scan([HERE / name])
    ]
    assert sorted(found) == sorted(PLANTED[name])


def test_site_of_2016_runs(start_site):
    """A dict of dotted names, undecided handshakes, slight ordering, models that notify, work on another channel."""
    site = start_site("site2016", "liveblog")
    site.serve("-v2")
    reader, other = site.open("/blog/news/stream/"), site.open("/blog/other/stream/")
    assert site.post("/blog/news/post/", body="three small words").text == "ok"
    assert [(hear(reader), hear(reader))] == [
        ({"id": 1, "body": "three small words", "words": 0}, {"id": 1, "body": "three small words", "words": 3})
    ]
    reader.send("hm")
    assert hear(reader) == {"comment": "hm", "by": "somebody"}
    other.send("here?")
    assert hear(other) == {"comment": "here?", "by": "somebody"}
    page = httpx.get(f"http://127.0.0.1:{site.port}/blog/news/", timeout=SECONDS).text
    assert "<p>three small words (3)</p>" in page


def test_site_of_2017_runs(start_site):
    """Includes, explicit accepts, strict order, users, origins, classes with groups of their own."""
    site = start_site("site2017", "support")
    site.serve("--threads", "4")
    cookie = site.log_in("ann")
    agent, urgent = site.open("/agents/red/", cookie), site.open("/agents/urgent/")
    customer = site.open("/tickets/7/", cookie)
    for number in range(20):
        customer.send(f"line {number}")
    assert [hear(customer) for _ in range(20)] == [
        {"ticket": 7, "text": f"line {number}", "by": "ann"} for number in range(20)
    ]
    customer.send("help!")
    assert hear(urgent) == {"urgent": "7"}
    agent.send('{"a": 1}')
    assert hear(agent) == {"said": {"a": 1}, "by": "ann"}
    with pytest.raises(InvalidStatus):
        site.open("/closed/")
    agent.send('{"close": true}')
    with pytest.raises(Exception, match="4001"):
        agent.recv(SECONDS)


def test_tests_of_2017_pass(start_site):
    """With the old import and the old client."""
    printed = start_site("site2017", "support").manage("test", "-v", "1")
    assert re.search(r"Ran 3 tests.*OK", printed, re.DOTALL), printed


def test_site_of_1_1_runs(start_site):
    """Streams of bindings and of a consumer over one socket; rows that change in views and through the socket."""
    site = start_site("site11", "inventory")
    site.serve()
    row = "from stock.models import Item; Item.objects.create(shelf='a1', name='nails', count=10, cost='0.05')"
    clerk, stranger = site.open("/stock/a1/", site.log_in("ann")), site.open("/stock/b2/")
    assert hear(clerk) == {"stream": "notes", "payload": {"shelf": "a1"}}
    assert hear(stranger) == {"stream": "notes", "payload": {"shelf": "b2"}}

    def item(action: str, **changes: object) -> dict[str, object]:
        data = {"shelf": "a1", "name": "nails", "count": 10, **changes}
        return {"stream": "items", "payload": {"action": action, "pk": 1, "data": data, "model": "stock.item"}}

    def low(action: str, count: int) -> dict[str, object]:
        data = {"name": "nails", "count": count, "is_low": count < 3}
        return {"stream": "low", "payload": {"action": action, "pk": 1, "data": data, "model": "stock.item"}}

    site.manage("shell", "-c", row)
    assert hear(clerk) == item("create")
    assert site.post("/sell/1/", count="8").text == "2 left"
    assert sorted([hear(clerk), hear(clerk)], key=str) == sorted([item("update", count=2), low("create", 2)], key=str)
    assert hear(stranger) == low("create", 2)
    update = {"action": "update", "pk": 1, "data": {"count": 5, "cost": "0.01"}}
    stranger.send(json.dumps({"stream": "items", "payload": update}))
    clerk.send(json.dumps({"stream": "items", "payload": update}))
    assert sorted([hear(clerk), hear(clerk)], key=str) == sorted([item("update", count=5), low("delete", 2)], key=str)
    clerk.send(json.dumps({"stream": "notes", "payload": {"note": "counted"}}))
    assert hear(clerk) == {"stream": "notes", "payload": {"note": "counted"}}


@pytest.mark.slow
def test_reminders_of_1_1_come(start_site):
    """A delay server on a database that 1.x migrated; reminders that are asked for again until there is no need."""
    site = start_site("site11", "inventory")
    site.manage("migrate", "--verbosity", "0")
    # What 1.x left: its table without marks, and its own entry among the migrations.
    with closing(sqlite3.connect(site.home / "db.sqlite3")) as database, database:
        database.execute('DROP TABLE "channels.delay_delayedmessage"')
        database.execute(
            'CREATE TABLE "channels.delay_delayedmessage" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, '
            '"due_date" datetime NOT NULL, "channel_name" varchar(512) NOT NULL, "content" text NOT NULL)'
        )
        database.execute("UPDATE django_migrations SET app = 'channels.delay' WHERE app = 'channels_delay'")
        database.execute("DELETE FROM django_migrations WHERE app = 'channels.delay' AND name <> '0001_initial'")
        old = ("2017-03-01 12:00:00", "stock.remind", '{"pk": 1}')
        database.execute(
            'INSERT INTO "channels.delay_delayedmessage" (due_date, channel_name, content) VALUES (?, ?, ?)', old
        )
    make = "Item.objects.create(pk={0}, shelf='a1', name='{1}', count=2)"
    items = [make.format(pk, name) for pk, name in ((1, "nails"), (2, "screws"))]
    site.serve()
    site.manage("shell", "-c", "; ".join(["from stock.models import Item", *items]))
    clerk = site.open("/stock/b2/")
    assert hear(clerk) == {"stream": "notes", "payload": {"shelf": "b2"}}
    site.processes.start(["manage.py", "rundelay"])

    def reminder(name: str, left: int) -> dict[str, object]:
        return {"stream": "notes", "payload": {"order": name, "left": left}}

    assert hear(clerk) == reminder("nails", 2)
    assert hear(clerk) == reminder("nails", 2)
    site.post("/sell/2/", count="1")
    heard: list[object] = []
    while reminder("screws", 1) not in heard:
        heard.append(hear(clerk))
    site.manage("shell", "-c", "from stock.models import Item; Item.objects.all().delete()")
    wait_for(lambda: site.waiting() == 0, "no reminder is left", SECONDS)
