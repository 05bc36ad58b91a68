"""``runserver`` and ``runworker``: options, output, errors, and which command Django finds."""

import io
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import call_command, load_command_class
from django.core.management.base import CommandError
from websockets.sync.client import connect

from channels.management.commands import runserver, runworker
from channels.registry import channel_layers
from channels.signals import worker_process_ready
from channels.worker import Worker, WorkerGroup
from tests.support.processes import Processes, free_port, stop
from tests.support.redis import RedisServer

SETTINGS = """
SECRET_KEY = "not a secret: tests only"
DEBUG = True
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = {apps!r}
ROOT_URLCONF = "tests.worker.site_urls"
STATIC_URL = "/static/"
CHANNELS_AUTO_ACCEPT = True
CHANNEL_LAYERS = {layers!r}
"""
INMEMORY = {"default": {"BACKEND": "channels.layers.inmemory.ChannelLayer", "ROUTING": []}}


@pytest.fixture
def manage(tmp_path: Path) -> Iterator[Callable[..., Processes]]:
    """Start a management command of a small site; it ends with the test."""
    started: list[Processes] = []

    def start(
        *arguments: str, apps: tuple[str, ...] = ("channels",), layers: Any = INMEMORY, **environment: str
    ) -> Processes:
        (tmp_path / "small_settings.py").write_text(SETTINGS.format(apps=list(apps), layers=layers))
        processes = Processes(tmp_path, {"DJANGO_SETTINGS_MODULE": "small_settings", **environment})
        processes.environment["PYTHONPATH"] += f":{tmp_path}"
        started.append(processes)
        processes.start(["-m", "django", *arguments])
        return processes

    yield start
    for processes in started:
        processes.stop()


@pytest.fixture
def serve(manage: Callable[..., Processes]) -> Callable[..., tuple[Processes, int]]:
    """Run ``runserver`` with further options; returns its processes and port."""

    def start(*options: str, **settings: Any) -> tuple[Processes, int]:
        port = free_port()
        processes = manage("runserver", "--noreload", *options, f"127.0.0.1:{port}", **settings)
        processes.wait_for_port(port)
        return processes, port

    return start


# runserver


@pytest.mark.parametrize(
    "apps",
    [
        ("channels",),
        ("channels", "django.contrib.staticfiles"),
        ("django.contrib.staticfiles", "channels"),
    ],
)
def test_runserver_is_ours_wherever_the_app_stands(manage: Callable[..., Processes], apps: tuple[str, ...]) -> None:
    """Before or after staticfiles, or without it."""
    processes = manage("runserver", "--help", apps=apps)
    assert processes.running[0].wait(30) == 0
    assert "--noworker" in processes.log()


def test_runserver_of_an_app_before_ours_is_respected(manage: Callable[..., Processes]) -> None:
    """The project chose it, and it can build on ours."""
    processes = manage("runserver", "--help", apps=("tests.worker.own_runserver", "channels"))
    assert processes.running[0].wait(30) == 0
    assert "a runserver of the project" in processes.log()


def test_runserver_serves_pages_and_sockets(serve: Callable[..., tuple[Processes, int]]) -> None:
    """It says where and on which layer, and logs each request and socket on one line."""
    processes, port = serve()
    assert httpx.get(f"http://127.0.0.1:{port}/page/", timeout=60).text == "a page"
    assert httpx.get(f"http://127.0.0.1:{port}/absent/", timeout=60).status_code == 404
    with connect(f"ws://127.0.0.1:{port}/socket/"):
        pass
    processes.wait_for_log("DISCONNECT")
    log = processes.log()
    assert f"Starting Channels development server at http://127.0.0.1:{port}/" in log
    assert "Channel layer default (channels.layers.inmemory.ChannelLayer)" in log
    assert "Quit the server with CONTROL-C." in log
    line = r"\[\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\] "
    for text in (
        r"HTTP GET /page/ 200 \[\d+\.\d\d, 127\.0\.0\.1:\d+\]",
        r"HTTP GET /absent/ 404 \[\d+\.\d\d, 127\.0\.0\.1:\d+\]",
        r"WebSocket HANDSHAKING /socket/ \[127\.0\.0\.1:\d+\]",
        r"WebSocket CONNECT /socket/ \[127\.0\.0\.1:\d+\]",
        r"WebSocket DISCONNECT /socket/ \[127\.0\.0\.1:\d+\]",
    ):
        assert re.search(line + text, log), log


@pytest.mark.parametrize(
    ("options", "workers"), [((), 4), (("--workers", "2"), 2), (("--nothreading",), 1), (("--noworker",), 0)]
)
def test_runserver_runs_as_many_workers_as_asked(
    serve: Callable[..., tuple[Processes, int]], options: tuple[str, ...], workers: int
) -> None:
    """Four by default."""
    processes, port = serve(*options)
    if workers:
        processes.wait_for_log("Listening on channels", workers)
        assert httpx.get(f"http://127.0.0.1:{port}/page/", timeout=60).status_code == 200
    assert processes.log().count("Listening on channels") == workers


def test_requests_without_workers_are_answered_in_time(serve: Callable[..., tuple[Processes, int]]) -> None:
    """With 503 after the time that either spelling of the option sets."""
    _, port = serve("--noworker", "--http_timeout", "0.2")
    assert httpx.get(f"http://127.0.0.1:{port}/page/", timeout=60).status_code == 503


@pytest.mark.parametrize("how", ["option", "no layer"])
def test_djangos_own_server_runs_without_asgi(serve: Callable[..., tuple[Processes, int]], how: str) -> None:
    """With ``--noasgi``, or where no default layer is configured."""
    _, port = serve("--noasgi") if how == "option" else serve(layers={})
    response = httpx.get(f"http://127.0.0.1:{port}/page/", timeout=60)
    assert response.headers["server"].startswith("WSGIServer")
    assert response.text == "a page"


@pytest.mark.parametrize(("options", "status"), [((), 200), (("--nostatic",), 404)])
def test_static_files_are_served_in_debug(
    serve: Callable[..., tuple[Processes, int]], options: tuple[str, ...], status: int
) -> None:
    """As Django's own command does it."""
    apps = ("django.contrib.staticfiles", "django.contrib.admin", "django.contrib.contenttypes", "channels")
    _, port = serve(*options, "--skip-checks", apps=apps)
    assert httpx.get(f"http://127.0.0.1:{port}/static/admin/css/base.css", timeout=60).status_code == status


def test_taken_port_is_one_line(serve: Callable[..., tuple[Processes, int]], manage: Callable[..., Processes]) -> None:
    """No traceback, and no workers."""
    _, port = serve("--noworker")
    second = manage("runserver", "--noreload", f"127.0.0.1:{port}")
    assert second.running[-1].wait(30) == 1
    assert "Error: That port is already in use." in second.log()
    assert "Listening" not in second.log()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_runserver_stops_on_a_signal(serve: Callable[..., tuple[Processes, int]], number: signal.Signals) -> None:
    """Without a traceback, also while a socket is open."""
    processes, port = serve()
    with connect(f"ws://127.0.0.1:{port}/socket/"):
        assert stop(processes.running[0], number) in (0, -number)
    assert "Traceback" not in processes.log()


def command() -> runserver.Command:
    """Return the command with plain output."""
    return runserver.Command(stdout=io.StringIO(), no_color=True)


@pytest.mark.parametrize(
    ("forced", "mounted", "root_path"), [(None, "", ""), (None, "/site", "/site"), ("/forced", "/site", "/forced")]
)
def test_runserver_mounts_the_site_where_the_settings_say(
    settings: Any, forced: str | None, mounted: str, root_path: str
) -> None:
    """Django's setting, as in 1.x, or the one that every server follows."""
    settings.FORCE_SCRIPT_NAME, settings.CHANNELS_ROOT_PATH = forced, mounted
    runner = command()
    runner.use_asgi = True
    application = runner.get_handler(http_timeout=60, websocket_handshake_timeout=5)
    assert application.limits.root_path == root_path


def test_log_action_writes_where_stderr_points_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads ``sys.stderr`` when it writes."""
    console = io.StringIO()
    monkeypatch.setattr(sys, "stderr", console)
    details = {"path": "/p/", "status": 200, "method": "GET", "client": "127.0.0.1:5", "time_taken": 0.125, "size": 3}
    command().log_action("http", "complete", details)
    command().log_action("websocket", "rejected", {"path": "/s/", "client": "127.0.0.1:6"})
    assert re.sub(r"\[\d{4}.*?\] ", "", console.getvalue()) == (
        "HTTP GET /p/ 200 [0.12, 127.0.0.1:5]\nWebSocket REJECT /s/ [127.0.0.1:6]\n"
    )


def test_log_action_passes_over_what_it_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer interface may report more."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    command().log_action("smoke", "signal", {})
    command().log_action("websocket", "sneezed", {})
    assert sys.stderr.getvalue() == ""


# runworker


def test_runworker_refuses_the_inmemory_layer() -> None:
    """Its messages never leave the process."""
    with pytest.raises(CommandError, match="You cannot span multiple processes with the in-memory layer"):
        call_command("runworker")


def test_runworker_names_the_layers_there_are() -> None:
    """Where the alias is wrong."""
    with pytest.raises(CommandError, match="no layer 'other'; it has 'default'"):
        call_command("runworker", layer="other")


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        ({"BACKEND": "tests.nowhere.Layer", "ROUTING": []}, "Cannot import BACKEND 'tests.nowhere.Layer'"),
        ({**INMEMORY["default"], "ROUTING": "tests.nowhere.routing"}, "Cannot import channel routing"),
    ],
)
def test_runworker_names_what_cannot_be_used(settings: Any, layer: dict[str, Any], reason: str) -> None:
    """Backend or routing."""
    settings.CHANNEL_LAYERS = {"default": layer}
    with pytest.raises(CommandError, match=reason):
        call_command("runworker", skip_checks=True)


def test_runworker_names_a_setting_of_static_files_that_is_missing(settings: Any) -> None:
    """Which Django asks for where its pages are served with them."""
    settings.CHANNEL_LAYERS = INMEMORY
    settings.DEBUG, settings.STATIC_URL = True, None
    with pytest.raises(CommandError, match="STATIC_URL"):
        call_command("runworker", skip_checks=True)


class Elsewhere:
    """Stands for a worker, and keeps what it was made with."""

    def __init__(self, made: list[dict[str, Any]]) -> None:
        self.made = made

    def __call__(self, **kwargs: Any) -> Any:
        self.made.append(kwargs)
        return self

    def ready(self) -> None:
        """Be ready."""

    def run(self) -> None:
        """Return at once."""


@pytest.fixture
def redis_layer(settings: Any, redis_server: RedisServer) -> None:
    """The default layer on Redis."""
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels.layers.redis.RedisChannelLayer",
            "CONFIG": {"hosts": [redis_server.url]},
            "ROUTING": [],
        }
    }


@pytest.mark.usefixtures("redis_layer")
def test_runworker_makes_the_worker_of_its_own_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """With exactly these arguments, which packages of 1.x replace it with."""
    made: list[dict[str, Any]] = []
    announced: list[Any] = []
    monkeypatch.setattr(runworker, "Worker", worker := Elsewhere(made))
    worker_process_ready.connect(receiver := lambda sender, **kwargs: announced.append(sender), weak=False)
    try:
        call_command("runworker", only_channels=["http.*"], exclude_channels=["x"])
    finally:
        worker_process_ready.disconnect(receiver)
    assert made == [
        {
            "channel_layer": channel_layers["default"],
            "callback": None,
            "only_channels": ["http.*"],
            "exclude_channels": ["x"],
        }
    ]
    assert announced == [worker]


@pytest.mark.usefixtures("redis_layer")
@pytest.mark.parametrize(("threads", "kind"), [(1, Worker), (3, WorkerGroup)])
def test_runworker_makes_a_group_for_several_threads(threads: int, kind: type[Worker]) -> None:
    """And a plain worker for one."""
    loaded: Any = load_command_class("channels", "runworker")
    loaded.verbosity, loaded.logger = 2, runworker.setup_logger("django.channels")
    options = {"threads": threads, "only_channels": None, "exclude_channels": None, "disable_graceful_stop": False}
    worker = loaded.make_worker(channel_layers["default"], options)
    assert type(worker) is kind
    assert worker.callback == loaded.consumer_called
    assert [type(sub) for sub in getattr(worker, "sub_workers", [])] == [Worker] * (threads - 1)
    assert getattr(worker, "grace", 1e9) > 1e8  # It is the command that ends what takes too long.


@pytest.mark.parametrize("workers", [0, -1])
def test_runserver_refuses_no_workers(workers: int) -> None:
    """Nobody would answer; who wants that says so in another way."""
    with pytest.raises(CommandError, match="--workers must be 1 or more; --noworker runs none"):
        call_command("runserver", workers=workers)


@pytest.mark.usefixtures("redis_layer")
def test_runworker_refuses_no_threads() -> None:
    """Zero would consume nothing."""
    with pytest.raises(CommandError, match="--threads must be 1 or more"):
        call_command("runworker", threads=0)


@pytest.mark.parametrize("threads", ["1", "3"])
def test_runworker_stops_in_order_on_sigterm(
    manage: Callable[..., Processes], redis_server: RedisServer, threads: str
) -> None:
    """Soon, with exit status 0."""
    layers = {
        "default": {
            "BACKEND": "channels.layers.redis.RedisChannelLayer",
            "CONFIG": {"hosts": [redis_server.url]},
            "ROUTING": [],
        }
    }
    processes = manage("runworker", "-v", "2", "--threads", threads, layers=layers)
    processes.wait_for_log("Listening on channels", int(threads))
    assert stop(processes.running[0]) == 0
    assert "Shutdown signal received" in processes.log()
